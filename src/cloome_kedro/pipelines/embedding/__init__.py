"""Embeddings of all fields and compounds by one split's checkpoint, and of fields by an untrained encoder."""

from cloome_kedro.pipelines.embedding.pipeline import create_pipeline

__all__ = ["create_pipeline"]
