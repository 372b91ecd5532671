"""Metrics over all seeds of a variant."""

from cloome_kedro.pipelines.seeds.pipeline import create_pipeline

__all__ = ["create_pipeline"]
