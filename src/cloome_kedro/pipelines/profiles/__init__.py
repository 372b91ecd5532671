"""Pipeline ``profiles``: classical features of each field."""

from cloome_kedro.pipelines.profiles.pipeline import create_pipeline

__all__ = ["create_pipeline"]
