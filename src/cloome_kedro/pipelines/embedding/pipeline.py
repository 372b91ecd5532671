from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.embedding.nodes import embed_images, embed_structures, embed_untrained


def create_pipeline(split: str = "random", fingerprints: str = "params:fingerprints") -> Pipeline:
    """Embed with the checkpoint of a split (the same nodes for every split).

    ``fingerprints`` is the input that their settings are read from.
    """
    return Pipeline(
        [
            node(
                embed_images,
                ["checkpoint", "plate_store", "fields", "params:embedding", "params:ingestion"],
                "image_embeddings",
                name="embed_images",
                tags=["gpu"],
            ),
            node(
                embed_structures,
                ["checkpoint", "compounds", "fingerprints", "params:embedding", fingerprints],
                "structure_embeddings",
                name="embed_structures",
                tags=["gpu"],
            ),
            node(
                embed_untrained,
                ["checkpoint", "plate_store", "pairs", "folds", "params:embedding", "params:seed"],
                "untrained_embeddings",
                name="embed_untrained",
                tags=["gpu"],
            ),
        ],
        namespace="embedding",
        prefix_datasets_with_namespace=False,
    )
