"""A ridge and a fusion on the screen of `invented_index`, fitted by the pipelines of the project."""

from functools import cache

import numpy as np

from cloome_kedro.chemistry.fingerprints import morgan, pack
from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.learning.views.morgan import Fingerprints
from cloome_kedro.parameters import FusionParameters, RidgeParameters
from cloome_kedro.pipelines.embedding import create_fusion_pipeline
from cloome_kedro.pipelines.training import create_ridge_pipeline
from cloome_kedro.run_store import RunStore
from invented_index import FINGERPRINTS, STATISTICS, images_of, screen_tables, small_checkpoint, small_model
from planted_examples import run_pipeline

FEATURES = ("Cells_Area", "Cells_Texture", "Nuclei_Area")
_SIDES = ("field", "compound")


def field_profiles():
    """Invented features of all fields."""
    ids = screen_tables()["fields"][["field_id"]]
    values = np.random.default_rng(0).normal(3, 2, (len(ids), len(FEATURES))).astype(np.float32)
    return ids.assign(**dict(zip(FEATURES, values.T, strict=True)))


@cache
def image_model():
    """Embeddings and checkpoint of the model that sees images, by the names of the catalog."""
    tables, model = screen_tables(), small_model()
    vectors = {
        "field": model.embed_fields(images_of(tables["fields"]["field_id"]), statistics=STATISTICS, progress=False),
        "compound": model.embed_structures(tables["compounds"]["smiles"], progress=False),
    }
    keys = {"field": tables["fields"]["field_id"].to_numpy(), "compound": tables["compounds"]["inchikey"].to_numpy()}
    meta = {"split_hash": "abc", "weights": model.checkpoint.weights, "normalised": True, "seed": 0}
    found = {f"{side}_embeddings": Embeddings(keys[side], vectors[side], meta) for side in _SIDES}
    return found | {"checkpoint": small_checkpoint()}


def fit_ridge(folder, **settings):
    """Outputs of the pipeline of a ridge; ``folder`` is that of the record of runs."""
    tables = screen_tables()
    packed = pack(morgan(tables["compounds"]["smiles"].tolist(), **FINGERPRINTS))
    entry = {"kind": "ridge", "field": {"view": "profiles"}, "compound": {"view": "morgan"}, "draws": 2, **settings}
    inputs = {
        "random.examples": tables["examples"],
        **{name: tables[name] for name in ("fields", "compounds")},
        "field_profiles": field_profiles(),
        "fingerprints": Fingerprints(packed, FINGERPRINTS),
        "params:seed": 0,
        "params:models.ridge": RidgeParameters.model_validate(entry),
        "run_store": RunStore(folder / "runs.parquet" / "default"),
    }
    pipeline = create_ridge_pipeline("random", "ridge", ["field_profiles", "fingerprints"])
    return _short(run_pipeline(pipeline, inputs))


def fuse(parts, **settings):
    """Outputs of the pipeline of a fusion of models, which are given by their outputs."""
    entry = {"kind": "fusion", "parts": list(parts), "draws": 2, **settings}
    model = FusionParameters.model_validate(entry)
    inputs = {"random.examples": screen_tables()["examples"], "params:seed": 0, "params:models.fusion": model}
    for name, outputs in parts.items():
        for key in ("field_embeddings", "compound_embeddings", "checkpoint"):
            inputs[f"random.{name}.{key}"] = outputs[key]
    return _short(run_pipeline(create_fusion_pipeline("random", "fusion", list(parts)), inputs))


def _short(outputs):
    return {name.rpartition(".")[2]: value for name, value in outputs.items()}
