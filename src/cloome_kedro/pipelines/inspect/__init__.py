"""Pipeline ``inspect``: what is complete in a screen and what it will cost, before hours of ingestion."""

from cloome_kedro.pipelines.inspect.pipeline import create_pipeline

__all__ = ["create_pipeline"]
