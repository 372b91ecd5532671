"""Linear probing in one split: in which assays is a compound active, predicted from its images."""

from cloome_kedro.pipelines.probing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
