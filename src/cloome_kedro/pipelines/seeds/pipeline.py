"""Wiring of the pipeline ``seeds``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.seeds.nodes import gather_seeds
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline() -> Pipeline:
    """Join the metrics of all splits and seeds that were run with a variant."""
    inputs = named("metrics_of_seeds", "params:study")
    return Pipeline([task(gather_seeds, inputs, ["seeds_metrics", "seeds_summary"], "seeds")])
