"""Embeddings of all fields and compounds by a model of a split, and of fields by the untrained model."""

from cloome_kedro.pipelines.embedding.pipeline import create_pipeline

__all__ = ["create_pipeline"]
