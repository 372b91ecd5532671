"""Wiring of the retrieval pipeline."""

from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.retrieval import nodes


def create_pipeline(split: str, baseline: bool = True) -> Pipeline:
    """Retrieval of one split, whose name goes into the tables, with or without the bilinear baseline."""

    def of_split(function):
        return update_wrapper(partial(function, split=split), function)

    return Pipeline(
        [
            node(
                of_split(nodes.rank_matches),
                ["image_embeddings", "structure_embeddings", "pairs", "folds", "params:retrieval", "params:seed"],
                "retrieval_ranks",
                name="rank_matches",
            ),
            node(
                of_split(nodes.rank_by_oracle),
                ["truth", "pairs", "compound_keys", "folds", "params:retrieval", "params:seed"],
                "oracle_ranks",
                name="rank_by_oracle",
            ),
            node(
                of_split(nodes.summarise_retrieval),
                [
                    *("retrieval_ranks", "oracle_ranks", "folds", "params:retrieval", "params:seed"),
                    *(["bilinear_ranks"] if baseline else []),
                ],
                ["retrieval_metrics", "retrieval_differences"],
                name="summarise_retrieval",
            ),
        ],
        namespace="retrieval",
        prefix_datasets_with_namespace=False,
    )
