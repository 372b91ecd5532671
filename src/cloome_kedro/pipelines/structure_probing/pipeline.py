"""Wiring of the pipeline ``structure_probing``."""

from kedro.pipeline import Pipeline

from cloome_kedro.chemistry.splits import find_split
from cloome_kedro.pipelines.structure_probing import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline(split: str) -> Pipeline:
    """Create the pipeline: from a table of structures and a table of labels to the scores of probes.

    Parameters
    ----------
    split
        Split of the compounds into folds, such as ``scaffold``.
    """
    name = "structure_probing"
    tables = find_split(split).facts.get("reads", ())
    probed = [f"{name}_{table}" for table in ("probing_scores", "metrics", "differences")]
    return Pipeline(
        [
            task(
                nodes.read_structures,
                named("structure_table", "assay_labels", "params:structures", "params:labels"),
                [f"{name}_{table}" for table in ("compounds", "rejected_compounds", "labels", "label_joins")],
                name,
            ),
            task(
                nodes.split_compounds,
                named("params:splits", *tables, compounds=f"{name}_compounds", joined=f"{name}_labels"),
                f"{name}_folds",
                name,
                split=split,
            ),
            task(
                nodes.probe_structures,
                named(
                    *("structure_checkpoints", "params:structure_features", f"params:{name}", "params:probing"),
                    "params:seed",
                    compounds=f"{name}_compounds",
                    joined=f"{name}_labels",
                    folds=f"{name}_folds",
                ),
                probed,
                name,
                split=split,
            ),
            task(
                nodes.describe_probes,
                named(
                    *("published_aucs", "params:study", f"params:{name}", "params:probing"),
                    **dict(zip(("scores", "metrics", "differences"), probed, strict=True)),
                    joins=f"{name}_label_joins",
                ),
                [f"{name}_summary", f"{name}_figure"],
                name,
            ),
        ]
    )
