"""Pipeline ``data_report``: one page about the data of a screen, which needs no model."""

from cloome_kedro.pipelines.data_report.pipeline import create_pipeline

__all__ = ["create_pipeline"]
