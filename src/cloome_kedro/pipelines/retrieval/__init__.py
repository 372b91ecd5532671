"""Cross-modal retrieval in one split: ranks and metrics of all methods that have vectors of compounds."""

from cloome_kedro.pipelines.retrieval.pipeline import create_pipeline

__all__ = ["create_pipeline"]
