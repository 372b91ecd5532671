"""Wiring of the pipeline ``simulation``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.simulation import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline() -> Pipeline:
    """Create the pipeline: from ``params:simulation`` to ``raw_screen``, ``truth`` and ``assay_labels``."""
    return Pipeline(
        [
            task(
                nodes.design_virtual_screen,
                named("virtual_screen_folder", "params:simulation"),
                ["truth", "assay_labels"],
                "simulation",
            ),
            task(
                nodes.write_virtual_screen,
                named("virtual_screen_folder", "params:simulation"),
                "raw_screen",
                "simulation",
            ),
        ]
    )
