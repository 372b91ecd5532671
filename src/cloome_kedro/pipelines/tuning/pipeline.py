"""Wiring of the pipelines ``tuning`` and ``tune_and_train``."""

from collections.abc import Callable
from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.featurization.nodes import fingerprint_compounds
from cloome_kedro.pipelines.tuning import nodes

_DATA = {
    "training": ["plate_store", "pairs", "compounds", "folds", "assay_labels", "compound_keys", "params:training"],
    "bilinear": ["field_profiles", "pairs", "compounds", "folds", "params:bilinear"],
}
_SETTINGS = {
    "training": ["params:fingerprints", "params:ingestion", "params:probing", "params:tuning"],
    "bilinear": ["params:fingerprints", "params:ingestion", "params:tuning"],
}


def create_pipeline(split: str, tunes: str = "training") -> Pipeline:
    """The search of one split, of settings of the pipeline ``tunes``."""
    function: Callable = nodes.search_training if tunes == "training" else nodes.search_bilinear
    return Pipeline(
        [
            node(
                update_wrapper(partial(function, split=split), function),
                ["study", *_DATA[tunes], *_SETTINGS[tunes]],
                ["trials", "trial_epochs", "importances", "best_parameters"],
                name=function.__name__,
                tags=["gpu"],
            ),
            node(
                nodes.draw_search,
                ["trials", "trial_epochs", "importances", "params:reporting"],
                ["tuning_history", "tuning_importance", "tuning_slices", "tuning_summary"],
                name="draw_search",
            ),
        ],
        namespace="tuning",
        prefix_datasets_with_namespace=False,
    )


def create_settings_pipeline(tunes: str = "training") -> Pipeline:
    """Settings of the best trial, as ``settings`` and ``fingerprint_settings``, and the fingerprints they ask for."""
    function: Callable = nodes.use_best_training if tunes == "training" else nodes.use_best_bilinear
    return Pipeline(
        [
            node(
                function,
                ["best_parameters", f"params:{tunes}", "params:fingerprints"],
                ["settings", "fingerprint_settings"],
                name="use_best",
                tags=["gpu"],
            ),
            node(
                fingerprint_compounds,
                ["compounds", "fingerprint_settings"],
                "fingerprints",
                name="fingerprint_compounds",
                tags=["gpu"],
            ),
        ],
        namespace="tuning",
        prefix_datasets_with_namespace=False,
    )
