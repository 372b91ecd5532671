"""Wiring of ``compare``."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.compare import nodes
from cloome_kedro.pipelines.wiring import GPU, named, task


def create_split_pipeline(split: str, name: str, sources: Sequence[str]) -> Pipeline:
    """Train and evaluate all models of a comparison on one split.

    Parameters
    ----------
    split
        Name of the split.
    name
        Name of the comparison in the names of its results.
    sources
        Names of the datasets that the views of its models read.
    """
    tables = ("fields", "compounds", "compound_keys", "labels")
    parameters = ("compare", "retrieval", "probing", "embedding")
    return Pipeline(
        [
            task(
                nodes.run_comparison,
                named(
                    *("comparison_store", "comparison_states", "run_store", f"{split}.examples", *tables),
                    *(f"params:{group}" for group in parameters),
                    *(source for source in sources if source not in tables),
                    # `params:models` with a type would hide `params:models.<name>` from all other nodes.
                    parameters="parameters",
                ),
                f"{split}.comparison_{name}_hits",
                f"{split}.comparison",
                GPU,
            )
        ]
    )


def create_joint_pipeline(splits: Sequence[str], name: str) -> Pipeline:
    """Compare the models over all splits.

    Parameters
    ----------
    splits
        Names of the splits.
    name
        As in :func:`create_split_pipeline`.
    """
    results = f"comparison_{name}"
    parameters = ("params:compare", "params:study", "params:retrieval")
    return Pipeline(
        [
            task(
                nodes.summarise_comparison,
                named(
                    *("params:compare", "params:retrieval"),
                    **{f"{split}_hits": f"{split}.{results}_hits" for split in splits},
                ),
                results,
                "comparison",
            ),
            task(
                nodes.describe_comparison,
                named(*parameters, comparison=results),
                [f"{results}_figure", f"{results}_summary"],
                "comparison",
            ),
            task(
                nodes.write_comparison_part,
                named(*parameters, comparison=results, figure=f"{results}_figure"),
                f"{results}_part",
                "comparison",
            ),
        ]
    )
