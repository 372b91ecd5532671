"""Pipeline ``compare``: models over seeds and splits, with paired differences from a reference."""

from cloome_kedro.pipelines.compare.pipeline import create_joint_pipeline, create_split_pipeline

__all__ = ["create_joint_pipeline", "create_split_pipeline"]
