"""Wiring of ``retrieval``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.retrieval import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline(split: str, results: str) -> Pipeline:
    """Rank matches and summarise the ranks.

    Parameters
    ----------
    split
        Name of the split.
    results
        Namespace of methods and results: that of the split, or that of its tuned model.
    """
    namespace = f"{results}.evaluation.retrieval"
    common = (f"{split}.examples", "params:retrieval", "params:seed")
    return Pipeline(
        [
            task(nodes.rank_matches, named(f"{results}.methods", *common), f"{results}.retrieval_ranks", namespace),
            task(
                nodes.summarise_retrieval,
                named(f"{results}.retrieval_ranks", "params:study", "params:corrections", *common),
                [f"{results}.retrieval_metrics", f"{results}.retrieval_differences"],
                namespace,
            ),
        ]
    )
