"""Training of one model on one split: contrastive, or kernel ridge regression."""

from cloome_kedro.pipelines.training.pipeline import create_pipeline, create_ridge_pipeline

__all__ = ["create_pipeline", "create_ridge_pipeline"]
