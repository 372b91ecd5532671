"""Pipeline ``profile_moa``: zero-shot classification of mechanisms from tables of profiles, without images."""

from cloome_kedro.pipelines.profile_moa.pipeline import create_pipeline

__all__ = ["create_pipeline"]
