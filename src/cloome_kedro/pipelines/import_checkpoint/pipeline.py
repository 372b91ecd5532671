"""Wiring of ``import_checkpoint``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.import_checkpoint.nodes import import_published
from cloome_kedro.pipelines.wiring import models_namespace, named, task


def create_pipeline(split: str, model: str) -> Pipeline:
    """Import the published checkpoint as the checkpoint of a model of a split."""
    return Pipeline(
        [
            task(
                import_published,
                named("published_checkpoint", "params:import_checkpoint", model=f"params:models.{model}"),
                f"{split}.{model}.checkpoint",
                models_namespace(split, model),
                name=model,
            )
        ]
    )
