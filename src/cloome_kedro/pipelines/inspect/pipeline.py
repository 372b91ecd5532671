"""Wiring of the pipeline ``inspect``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.inspect import nodes
from cloome_kedro.pipelines.wiring import named, task

_PARAMETERS = ("params:structures", "params:labels", "params:inspect")
_TABLES = ["screen_check", "screen_check_plates"]


def create_pipeline(images: bool = True, model: str = "", split: str = "") -> Pipeline:
    """Create the pipeline.

    Parameters
    ----------
    images
        Whether the screen has images. Otherwise its tables of profiles are read.
    model, split
        First model of the study, if it learns from images, and the split whose training gives its speed.
    """
    namespace = "inspect"
    if images:
        inputs = named("raw_screen", "plate_store", "assay_labels", "params:ingestion", *_PARAMETERS)
        training = named("params:splits", model=f"params:models.{model}", history=f"{split}.{model}.history")
        check = (
            task(nodes.check_images_and_training, inputs | training, _TABLES, namespace)
            if model
            else task(nodes.check_images, inputs, _TABLES, namespace)
        )
    else:
        inputs = named("raw_screen", "assay_labels", "params:study", "params:profile_tables", *_PARAMETERS)
        check = task(nodes.check_profiles, inputs, _TABLES, namespace)
    return Pipeline(
        [
            check,
            task(nodes.describe_check, named(*_TABLES, "params:study"), "screen_check_summary", namespace),
            task(nodes.stop_at_errors, named("screen_check", "screen_check_summary"), [], namespace),
        ]
    )
