"""Wiring of the virtual screen."""

from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.simulation.nodes import design_virtual_screen, write_virtual_screen


def create_pipeline() -> Pipeline:
    """``params:simulation`` -> ``raw_screen``, ``truth``, ``assay_labels``."""
    return Pipeline(
        [
            node(
                design_virtual_screen,
                inputs="params:simulation",
                outputs=["screen_design", "truth", "assay_labels"],
                name="design_virtual_screen",
            ),
            node(
                write_virtual_screen,
                inputs=["virtual_screen_folder", "screen_design", "params:simulation"],
                outputs="raw_screen",
                name="write_virtual_screen",
            ),
        ],
        namespace="simulation",
        prefix_datasets_with_namespace=False,
    )
