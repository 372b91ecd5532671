"""Pipeline ``ingestion``: from raw images to plate files of 8-bit fields."""

from cloome_kedro.pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
