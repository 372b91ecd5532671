"""Embeddings of all fields and compounds by one split's checkpoint."""

from cloome_kedro.pipelines.embedding.pipeline import create_pipeline

__all__ = ["create_pipeline"]
