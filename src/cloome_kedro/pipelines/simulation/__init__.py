"""Pipeline ``simulation``: the design and the files of the virtual screen."""

from cloome_kedro.pipelines.simulation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
