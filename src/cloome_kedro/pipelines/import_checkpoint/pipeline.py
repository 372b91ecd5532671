from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.import_checkpoint.nodes import import_published


def create_pipeline(split: str = "random") -> Pipeline:
    """Make the published checkpoint that of a split (the same node for every split)."""
    return Pipeline(
        [
            node(
                import_published,
                ["published_checkpoint", "params:import_checkpoint"],
                "checkpoint",
                name="import_published",
            )
        ],
        namespace="import_checkpoint",
        prefix_datasets_with_namespace=False,
    )
