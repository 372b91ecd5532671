"""Corrupted test images of one split: their embeddings, and what is left of each evaluation."""

from cloome_kedro.pipelines.corruption.pipeline import create_pipeline

__all__ = ["create_pipeline"]
