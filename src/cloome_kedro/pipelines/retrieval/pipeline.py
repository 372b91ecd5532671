"""Wiring of ``retrieval``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.retrieval import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline(split: str, results: str) -> Pipeline:
    """Retrieval of one split.

    Parameters
    ----------
    split
        Its name.
    results
        Namespace of methods and results: the split's, or that of its tuned model.
    """
    namespace = f"{results}.evaluation.retrieval"
    common = (f"{split}.examples", "params:retrieval", "params:seed")
    return Pipeline(
        [
            task(nodes.rank_matches, named(f"{results}.methods", *common), f"{results}.retrieval_ranks", namespace),
            task(
                nodes.summarise_retrieval,
                named(f"{results}.retrieval_ranks", *common),
                [f"{results}.retrieval_metrics", f"{results}.retrieval_differences"],
                namespace,
            ),
        ]
    )
