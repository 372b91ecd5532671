"""Wiring of the corruption study."""

from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.corruption import evaluation, nodes


def create_pipeline(split: str) -> Pipeline:
    """The corruption study of one split, whose name goes into tables and messages."""

    def of_split(function):
        return update_wrapper(partial(function, split=split), function)

    corrupted = ["corruption_store", "corrupted_fields", "image_embeddings"]
    return Pipeline(
        [
            node(
                of_split(nodes.embed_corrupted),
                [
                    *("corruption_store", "checkpoint", "image_embeddings", "plate_store", "pairs", "folds"),
                    *("params:corruption", "params:embedding", "params:seed"),
                ],
                "corrupted_fields",
                name="embed_corrupted",
                tags=["gpu"],
            ),
            node(
                of_split(evaluation.rank_corrupted),
                [
                    *(*corrupted, "structure_embeddings", "pairs", "compounds", "folds"),
                    *("params:corruption", "params:retrieval", "params:zero_shot", "params:seed"),
                ],
                ["corruption_ranks", "corrupted_rank_metrics", "corrupted_rank_differences"],
                name="rank_corrupted",
            ),
            node(
                of_split(evaluation.probe_corrupted),
                [
                    *(*corrupted, "assay_labels", "compound_keys", "pairs", "folds"),
                    *("params:corruption", "params:probing", "params:seed"),
                ],
                ["corruption_probing_scores", "corrupted_probing_metrics", "corrupted_probing_differences"],
                name="probe_corrupted",
            ),
            node(
                evaluation.gather,
                [
                    *("corrupted_rank_metrics", "corrupted_rank_differences"),
                    *("corrupted_probing_metrics", "corrupted_probing_differences"),
                ],
                ["corruption_metrics", "corruption_differences"],
                name="gather",
            ),
        ],
        namespace="corruption",
        prefix_datasets_with_namespace=False,
    )
