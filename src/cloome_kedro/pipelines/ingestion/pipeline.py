"""Wiring of the pipeline ``ingestion``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.ingestion import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline() -> Pipeline:
    """Create the pipeline: from the screen's folder to plate files and the tables of their fields."""
    return Pipeline(
        [
            task(
                nodes.index_fields,
                named("raw_screen", "params:ingestion"),
                ["field_index", "compound_table", "rejected_index"],
                "ingestion",
            ),
            task(
                nodes.ingest_plates,
                named("plate_store", "field_index", "rejected_index", "params:ingestion"),
                ["fields", "rejected_fields"],
                "ingestion",
            ),
            task(
                nodes.measure_controls,
                named("fields", "params:ingestion"),
                "plate_statistics",
                "ingestion",
            ),
        ]
    )
