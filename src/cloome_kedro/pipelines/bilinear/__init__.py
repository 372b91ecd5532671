"""The bilinear baseline of one split: classical profiles against fingerprints, trained and ranked."""

from cloome_kedro.pipelines.bilinear.pipeline import create_pipeline

__all__ = ["create_pipeline"]
