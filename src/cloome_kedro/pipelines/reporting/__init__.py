"""Tables, figures, retrieval galleries and the HTML report."""

from cloome_kedro.pipelines.reporting.pipeline import create_pipeline, create_split_pipeline, create_summary_pipeline

__all__ = ["create_pipeline", "create_split_pipeline", "create_summary_pipeline"]
