"""The virtual screen: design it, write it."""

from cloome_kedro.pipelines.simulation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
