"""Corruption study of one split: embeddings of corrupted test images, and each evaluation with them."""

from cloome_kedro.pipelines.corruption.pipeline import create_pipeline

__all__ = ["create_pipeline"]
