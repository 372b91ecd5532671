"""Wiring of ``featurization``."""

from kedro.pipeline import Node, Pipeline, node

from cloome_kedro.pipelines.featurization.nodes import (
    check_leaks,
    fingerprint_compounds,
    pair_fields,
    split_provided,
    split_random,
    split_scaffold,
    standardise_compounds,
)

SPLIT_NODES = {
    "random": (split_random, ["compounds", "pairs", "params:splits"]),
    "scaffold": (split_scaffold, ["compounds", "pairs", "params:splits"]),
    "provided": (split_provided, ["compounds", "pairs", "provided_folds"]),
}


def create_pipeline() -> Pipeline:
    """What all splits share: standardised compounds, fingerprints and pairs."""
    return _featurization(
        [
            node(
                standardise_compounds,
                "compound_table",
                ["compounds", "compound_keys", "rejected_compounds"],
                name="standardise_compounds",
            ),
            node(
                fingerprint_compounds,
                ["compounds", "params:fingerprints"],
                "fingerprints",
                name="fingerprint_compounds",
            ),
            node(pair_fields, ["fields", "compound_keys"], "pairs", name="pair_fields"),
        ]
    )


def create_split_pipeline(split: str) -> Pipeline:
    """The folds of one split, ``random``, ``scaffold`` or ``provided``, and what they share."""
    function, inputs = SPLIT_NODES[split]
    return _featurization(
        [
            node(function, inputs, "folds", name=function.__name__),
            node(check_leaks, ["folds", "compounds", "fingerprints", "params:splits"], "leaks", name="check_leaks"),
        ]
    )


def _featurization(nodes: list[Node]) -> Pipeline:
    return Pipeline(nodes, namespace="featurization", prefix_datasets_with_namespace=False)
