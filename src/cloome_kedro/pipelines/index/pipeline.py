"""Wiring of ``index``."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.index import nodes
from cloome_kedro.pipelines.wiring import models_namespace, named, task
from cloome_kedro.study_models import FUSION, Model

#: datasets of structures, which only models with structures as input read
_STRUCTURES = {"fingerprints", "structure_features"}


def create_pipeline(split: str, models: Sequence[Model], images: bool = True) -> Pipeline:
    """Build an index for each model of a split.

    Parameters
    ----------
    split
        Name of the split.
    models
        Models of the study.
    images
        Whether the screen has images.
    """
    accepts: dict[str, dict[str, bool]] = {}
    for model in models:  # parts of a fusion come before it
        accepts[model.name] = {
            "smiles": _STRUCTURES.issuperset(model.compound_sources),
            "images": model.sees_images,
        }
        if model.kind == FUSION:
            parts = [accepts[part] for part in model.parts]
            accepts[model.name] = {what: all(part[what] for part in parts) for what in ("smiles", "images")}
    tables = ["fields", "pairs", "compounds", f"{split}.examples", "fingerprints"]
    pictures = ["plate_store", "plate_statistics"] if images else []
    return Pipeline(
        [
            task(
                nodes.index_embeddings,
                named(
                    *tables,
                    f"{split}.familiarity",
                    *pictures,
                    *(f"{split}.{model.name}.{side}_embeddings" for side in ("field", "compound")),
                    f"{split}.{model.name}.checkpoint",
                    "params:study",
                    "params:index",
                    "params:retrieval",
                    "params:uncertainty",
                    "params:seed",
                ),
                f"{split}.{model.name}.index",
                models_namespace(split, model.name),
                name=model.name,
                accepts=accepts,
                parts=model.parts,
            )
            for model in models
        ]
    )
