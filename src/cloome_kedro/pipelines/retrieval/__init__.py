"""Cross-modal retrieval of one split: ranks, oracle ranks and metrics."""

from cloome_kedro.pipelines.retrieval.pipeline import create_pipeline

__all__ = ["create_pipeline"]
