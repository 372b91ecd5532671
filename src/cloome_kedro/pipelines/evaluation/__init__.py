"""What all evaluations of a split share: its methods before them, and one table of all their results after them."""

from cloome_kedro.pipelines.evaluation.pipeline import create_join_pipeline, create_methods_pipeline

__all__ = ["create_join_pipeline", "create_methods_pipeline"]
