"""Pipeline ``structure_probing``: in which assays is a compound active, predicted from its structure alone."""

from cloome_kedro.pipelines.structure_probing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
