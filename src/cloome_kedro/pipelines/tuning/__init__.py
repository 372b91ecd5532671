"""Hyperparameter search of one split, and the settings of its best trial."""

from cloome_kedro.pipelines.tuning.pipeline import create_pipeline, create_settings_pipeline

__all__ = ["create_pipeline", "create_settings_pipeline"]
