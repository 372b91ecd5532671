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
                named("plate_store", "raw_screen", "field_index", "rejected_index", "params:ingestion"),
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


def create_table_pipeline() -> Pipeline:
    """Create the pipeline of a screen without images: from tables of profiles to fields and normalised profiles."""
    return Pipeline(
        [
            task(
                nodes.read_profiles,
                named("raw_screen", "params:study", "params:profile_tables"),
                ["fields", "compound_table", "rejected_fields", "field_profiles", "cell_counts"],
                "ingestion",
            )
        ]
    )
