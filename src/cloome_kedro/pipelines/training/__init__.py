"""Contrastive training of one model on one split."""

from cloome_kedro.pipelines.training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
