"""Linear probing of one split: which assays is a compound active in, from images of it."""

from cloome_kedro.pipelines.probing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
