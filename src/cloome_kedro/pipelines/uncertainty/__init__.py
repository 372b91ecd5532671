"""How sure the answers of one split are: candidate sets, calibrated probabilities, and what is unlike anything seen."""

from cloome_kedro.pipelines.uncertainty.pipeline import create_pipeline

__all__ = ["create_pipeline"]
