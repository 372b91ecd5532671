"""Steps that all evaluations of a split share: gathering its methods, and joining the results of all tasks."""

from cloome_kedro.pipelines.evaluation.pipeline import create_join_pipeline, create_methods_pipeline

__all__ = ["create_join_pipeline", "create_methods_pipeline"]
