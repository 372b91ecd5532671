"""Wiring of ``ingestion``."""

from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.ingestion.nodes import index_fields, ingest_plates


def create_pipeline() -> Pipeline:
    """From the screen's folder to plate files and the tables that describe their rows."""
    return Pipeline(
        [
            node(
                index_fields,
                ["raw_screen", "params:ingestion"],
                ["field_index", "compound_table", "rejected_index"],
                name="index_fields",
            ),
            node(
                ingest_plates,
                ["plate_store", "field_index", "rejected_index", "params:ingestion"],
                ["fields", "rejected_fields"],
                name="ingest_plates",
            ),
        ],
        namespace="ingestion",
        prefix_datasets_with_namespace=False,
    )
