from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.training.nodes import select_checkpoint, train


def create_pipeline(split: str = "random") -> Pipeline:
    """Train on the folds of a split (the same nodes for every split)."""
    inputs = ["fit_state", "plate_store", "pairs", "compounds", "fingerprints", "folds"]
    parameters = ["params:training", "params:fingerprints", "params:ingestion", "params:seed"]
    return Pipeline(
        [
            node(train, inputs + parameters, ["checkpoints", "history"], name="train", tags=["gpu"]),
            node(
                select_checkpoint,
                ["checkpoints", "params:training"],
                "checkpoint",
                name="select_checkpoint",
                tags=["gpu"],  # embedding, which comes next there, reads what it chooses
            ),
        ],
        namespace="training",
        prefix_datasets_with_namespace=False,
    )
