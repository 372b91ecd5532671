"""Wiring of the bilinear baseline."""

from functools import partial, update_wrapper

from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.bilinear import nodes


def create_pipeline(
    split: str, bilinear: str = "params:bilinear", fingerprints: str = "params:fingerprints"
) -> Pipeline:
    """The baseline of one split, whose name goes into tables and messages.

    ``bilinear`` and ``fingerprints`` are the inputs that the settings of these names are read from.
    """

    def of_split(function):
        return update_wrapper(partial(function, split=split), function)

    data = ["field_profiles", "pairs", "compounds", "fingerprints", "folds"]
    return Pipeline(
        [
            node(
                of_split(nodes.train_bilinear),
                ["bilinear_state", *data, bilinear, fingerprints, "params:seed"],
                ["bilinear_checkpoint", "bilinear_history"],
                name="train_bilinear",
                tags=["gpu"],
            ),
            node(
                of_split(nodes.rank_by_bilinear),
                ["bilinear_checkpoint", *data, "params:retrieval", "params:seed"],
                "bilinear_ranks",
                name="rank_by_bilinear",
                # needs none, but belongs to what a GPU machine gives back: retrieval takes its ranks
                tags=["gpu"],
            ),
        ],
        namespace="bilinear",
        prefix_datasets_with_namespace=False,
    )
