"""Embeddings of all fields and compounds by a model of a split, and of fields by the untrained model; fusions."""

from cloome_kedro.pipelines.embedding.pipeline import create_fusion_pipeline, create_pipeline

__all__ = ["create_fusion_pipeline", "create_pipeline"]
