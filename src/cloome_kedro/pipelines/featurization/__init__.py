"""Structures to fingerprints, fields to pairs, compounds to folds, and all of it to examples."""

from cloome_kedro.pipelines.featurization.pipeline import create_pipeline, create_split_pipeline

__all__ = ["create_pipeline", "create_split_pipeline"]
