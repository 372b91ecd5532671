"""Fingerprints of structures, pairs of fields and compounds, folds, and the table of examples."""

from cloome_kedro.pipelines.featurization.pipeline import create_pipeline, create_split_pipeline

__all__ = ["create_pipeline", "create_split_pipeline"]
