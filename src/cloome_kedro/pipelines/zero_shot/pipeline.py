"""Wiring of the zero-shot pipeline."""

from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.zero_shot import nodes


def create_pipeline(split: str) -> Pipeline:
    """Zero-shot classification of one split, whose name goes into the tables."""
    return Pipeline(
        [
            node(
                update_wrapper(partial(nodes.classify_fields, split=split), nodes.classify_fields),
                [
                    "image_embeddings",
                    "untrained_embeddings",
                    "field_profiles",
                    "cell_counts",
                    "pairs",
                    "compounds",
                    "folds",
                    "params:zero_shot",
                    "params:seed",
                ],
                ["zero_shot_ranks", "zero_shot_metrics", "zero_shot_differences"],
                name="classify_fields",
            ),
        ],
        namespace="zero_shot",
        prefix_datasets_with_namespace=False,
    )
