"""Vector indexes of the embeddings of all models, which `cloome query` asks."""

from cloome_kedro.pipelines.index.pipeline import create_pipeline

__all__ = ["create_pipeline"]
