"""Figures, galleries and the HTML report."""

from .pipeline import create_pipeline, create_section_pipeline

__all__ = ["create_pipeline", "create_section_pipeline"]
