from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.training.nodes import select_checkpoint, train


def create_pipeline(
    split: str = "random", training: str = "params:training", fingerprints: str = "params:fingerprints"
) -> Pipeline:
    """Train on the folds of a split (the same nodes for every split).

    ``training`` and ``fingerprints`` are the inputs that the settings of these names are read from.
    """
    tables = ["pairs", "compounds", "fingerprints", "folds", "assay_labels", "compound_keys"]
    inputs = ["fit_state", "plate_store", *tables]
    parameters = [training, fingerprints, "params:ingestion", "params:probing", "params:seed"]
    return Pipeline(
        [
            node(train, inputs + parameters, ["checkpoints", "history"], name="train", tags=["gpu"]),
            node(
                select_checkpoint,
                ["checkpoints", training],
                "checkpoint",
                name="select_checkpoint",
                tags=["gpu"],  # embedding, which comes next there, reads what it chooses
            ),
        ],
        namespace="training",
        prefix_datasets_with_namespace=False,
    )
