"""Import of a published checkpoint, in place of a training."""

from cloome_kedro.pipelines.import_checkpoint.pipeline import create_pipeline

__all__ = ["create_pipeline"]
