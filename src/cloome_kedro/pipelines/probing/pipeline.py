"""Wiring of the probing pipeline."""

from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.probing import nodes


def create_pipeline(split: str) -> Pipeline:
    """Probing of one split, whose name goes into the tables."""
    return Pipeline(
        [
            node(
                update_wrapper(partial(nodes.probe_assays, split=split), nodes.probe_assays),
                [
                    "image_embeddings",
                    "untrained_embeddings",
                    "field_profiles",
                    "cell_counts",
                    "assay_labels",
                    "compound_keys",
                    "pairs",
                    "folds",
                    "params:probing",
                    "params:seed",
                ],
                ["probing_scores", "probing_metrics", "probing_differences"],
                name="probe_assays",
            ),
        ],
        namespace="probing",
        prefix_datasets_with_namespace=False,
    )
