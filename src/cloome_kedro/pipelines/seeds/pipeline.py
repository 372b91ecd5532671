"""Wiring of ``seeds``."""

from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.seeds.nodes import gather_seeds


def create_pipeline() -> Pipeline:
    """Gather the metrics of every split and seed that have been run with a variant."""
    return Pipeline(
        [node(gather_seeds, "metrics_of_seeds", ["seeds_metrics", "seeds_summary"], name="gather_seeds")],
        namespace="seeds",
        prefix_datasets_with_namespace=False,
    )
