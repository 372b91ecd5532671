"""Wiring of ``featurization``."""

from kedro.pipeline import Pipeline

from cloome_kedro.chemistry.splits import find_split
from cloome_kedro.pipelines.featurization import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline() -> Pipeline:
    """Make the data that all splits share: standardised compounds, fingerprints, pairs and labels."""
    namespace = "featurization"
    return Pipeline(
        [
            task(
                nodes.standardise_compounds,
                named("compound_table", "params:structures"),
                ["compounds", "compound_keys", "rejected_compounds", "merged_compounds"],
                namespace,
            ),
            task(nodes.fingerprint_compounds, named("compounds", "params:fingerprints"), "fingerprints", namespace),
            task(
                nodes.compute_structure_features,
                named("compounds", "params:structure_features"),
                "structure_features",
                namespace,
            ),
            task(nodes.pair_fields, named("fields", "compound_keys", "params:splits"), "pairs", namespace),
            task(
                nodes.join_labels,
                named("assay_labels", "compound_keys", "compounds", "pairs", "params:labels"),
                ["labels", "label_joins"],
                namespace,
            ),
        ]
    )


def create_split_pipeline(split: str) -> Pipeline:
    """Make the examples and the table of leaks of a split of :data:`~cloome_kedro.chemistry.splits.SPLITS`."""
    namespace = f"{split}.featurization"
    tables = find_split(split).facts.get("reads", ())
    return Pipeline(
        [
            task(
                nodes.make_examples,
                named("compounds", "pairs", "params:splits", *tables),
                f"{split}.examples",
                namespace,
                split=split,
            ),
            task(
                nodes.check_leaks,
                named(f"{split}.examples", "compounds", "fingerprints", "params:splits"),
                f"{split}.leaks",
                namespace,
            ),
        ]
    )
