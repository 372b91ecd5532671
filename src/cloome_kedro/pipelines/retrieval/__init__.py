"""Cross-modal retrieval of one split: ranks and metrics of all methods that have compounds."""

from cloome_kedro.pipelines.retrieval.pipeline import create_pipeline

__all__ = ["create_pipeline"]
