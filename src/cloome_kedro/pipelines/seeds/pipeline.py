"""Wiring of ``seeds``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.seeds.nodes import gather_seeds
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline() -> Pipeline:
    """Gather the metrics of every split and seed that have been run with a variant."""
    inputs = named("metrics_of_seeds", "params:study")
    return Pipeline([task(gather_seeds, inputs, ["seeds_metrics", "seeds_summary"], "seeds")])
