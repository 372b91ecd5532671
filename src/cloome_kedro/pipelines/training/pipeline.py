from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.training.nodes import train


def create_pipeline(split: str = "random") -> Pipeline:
    """Train on the folds of a split (the same nodes for every split)."""
    inputs = ["plate_store", "pairs", "compounds", "fingerprints", "folds"]
    parameters = ["params:training", "params:fingerprints", "params:ingestion", "params:seed"]
    return Pipeline(
        [node(train, inputs + parameters, ["checkpoint", "history"], name="train", tags=["gpu"])],
        namespace="training",
        prefix_datasets_with_namespace=False,
    )
