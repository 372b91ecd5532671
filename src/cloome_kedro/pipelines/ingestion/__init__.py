"""Pipeline ``ingestion``: from raw images to plate files of 8-bit fields, or from tables of profiles to fields."""

from cloome_kedro.pipelines.ingestion.pipeline import create_pipeline, create_table_pipeline

__all__ = ["create_pipeline", "create_table_pipeline"]
