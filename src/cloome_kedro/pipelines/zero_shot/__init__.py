"""Zero-shot classification in one split, image to image: which compound, and which mechanism, does a field show."""

from cloome_kedro.pipelines.zero_shot.pipeline import create_pipeline

__all__ = ["create_pipeline"]
