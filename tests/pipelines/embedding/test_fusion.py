"""A fusion in a pipeline: which methods it becomes, and what is refused."""

import dataclasses
import json
import logging

import numpy as np
import pandas as pd
import pytest
import torch

from cloome_kedro import schemas
from cloome_kedro.evaluation.methods import Embeddings, gather_methods
from cloome_kedro.learning.checkpoint import Checkpoint
from cloome_kedro.parameters import FusionParameters
from cloome_kedro.pipelines.embedding import create_fusion_pipeline
from cloome_kedro.pipelines.embedding.fusion import fuse_models, join_checkpoints
from cloome_kedro.words import PROBING, RETRIEVAL, UNKNOWN_SPLIT, ZERO_SHOT
from planted_examples import inchikey, make_examples, run_pipeline, unit

COMPOUNDS = 60
FOLDS = np.repeat(["train", "validation", "test"], [20, 20, 20])


@pytest.fixture(scope="module")
def screen():
    """Two models: ``image`` learned its vectors of fields, ``profile`` did not, and knows all but the last field."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"plate": "P1", "number": np.arange(COMPOUNDS)})
    table["well"] = [f"{chr(65 + place // 12)}{place % 12 + 1:02d}" for place in range(COMPOUNDS)]
    examples = make_examples(table, FOLDS, split="random")
    latent = rng.normal(size=(COMPOUNDS, 8))
    keys = {"field": examples["field_id"].to_numpy(), "compound": np.array([inchikey(n) for n in range(COMPOUNDS)])}
    common = {"split_hash": examples["split_hash"].iloc[0], "seed": 0, "normalised": True, "without_input": 0}
    inputs = {"random.examples": examples, "params:seed": 0}
    for name, learned in (("image", True), ("profile", False)):
        checkpoint = Checkpoint({}, {name: torch.ones(2)})
        inputs[f"random.{name}.checkpoint"] = checkpoint
        meta = common | {"weights": checkpoint.weights, "learned": learned}
        for side, of_side in keys.items():
            vectors = unit(latent + 0.8 * rng.normal(size=latent.shape))
            inputs[f"random.{name}.{side}_embeddings"] = Embeddings(of_side, vectors, meta)
    whole = inputs["random.profile.field_embeddings"]
    inputs["random.profile.field_embeddings"] = Embeddings(
        whole.keys[:-1], whole.vectors[:-1], whole.meta | {"without_input": 1}
    )
    return inputs


def fuse(screen, **settings):
    model = FusionParameters.model_validate({"kind": "fusion", "parts": ["image", "profile"], "draws": 2, **settings})
    pipeline = create_fusion_pipeline("random", "fusion", list(model.parts))
    outputs = run_pipeline(pipeline, screen | {"params:models.fusion": model})
    return {name.rpartition(".")[2]: value for name, value in outputs.items()}


def changed(screen, part, **meta):
    """The screen with other metadata of a part."""
    names = [f"random.{part}.{side}_embeddings" for side in ("field", "compound")]
    return screen | {name: dataclasses.replace(screen[name], meta=screen[name].meta | meta) for name in names}


def test_a_fusion_is_a_method_of_all_tasks_beside_its_parts(screen, caplog):
    with caplog.at_level(logging.WARNING):
        fused = fuse(screen)
    assert "random split, fusion: 1 fields are not known to all parts and are left out" in caplog.text
    embeddings = fused["field_embeddings"], fused["compound_embeddings"]
    (method,) = gather_methods(screen["random.examples"], {"Fusion": embeddings}).values()
    assert method.tasks == (RETRIEVAL, *ZERO_SHOT, PROBING)
    assert method.normalised
    assert len(method.fields.keys) == COMPOUNDS - 1
    table = schemas.selection.validate(fused["selection"])
    chosen = table[table["best"]].set_index("part")["value"]
    assert {name: part["weight"] for name, part in method.fields.meta["parts"].items()} == chosen.to_dict()
    assert embeddings[0].meta["weights"] == embeddings[1].meta["weights"]


def test_given_weights_are_taken(screen):
    fused = fuse(screen, weights={"image": 1, "profile": 3})
    assert fused["selection"]["value"].tolist() == [1, 3]
    squares = np.square(fused["field_embeddings"].vectors)
    scales = {name: part["scale"] for name, part in fused["field_embeddings"].meta["parts"].items()}
    ratio = squares[:, 8:].sum(axis=1) / squares[:, :8].sum(axis=1)
    np.testing.assert_allclose(ratio, 3 * scales["image"] / scales["profile"], rtol=1e-5)


def test_a_fusion_of_what_learned_nothing_is_evaluated_in_retrieval_only(screen):
    for settings in ({}, {"weights": {"image": 0, "profile": 1}}):
        fused = fuse(screen if settings else changed(screen, "image", learned=False), **settings)
        assert fused["field_embeddings"].meta["learned"] is False


def test_the_checkpoint_has_the_parts_and_their_factors(screen):
    fused = fuse(screen, weights={"image": 1, "profile": 3})
    checkpoint, fields = fused["checkpoint"], fused["field_embeddings"]
    assert list(checkpoint.parts) == ["image", "profile"]
    assert checkpoint.weights == fields.meta["weights"] == fused["compound_embeddings"].meta["weights"]
    for side in ("field", "compound"):
        vectors = [screen[f"random.{name}.{side}_embeddings"] for name in ("image", "profile")]
        found, factors = fused[f"{side}_embeddings"], checkpoint.tensors[side].numpy()
        joined = np.hstack([of.of(found.keys) * factor for of, factor in zip(vectors, factors, strict=True)])
        np.testing.assert_allclose(found.vectors, joined, rtol=1e-6)
    alone = fuse(screen, weights={"image": 1, "profile": 0})["checkpoint"]
    assert list(alone.parts) == ["image"]
    assert alone.tensors["field"].tolist() == alone.tensors["compound"].tolist() == [1.0]


def test_the_order_of_the_parts_survives_in_stored_metadata(screen):
    model = FusionParameters.model_validate({"kind": "fusion", "parts": ["profile", "image"]})
    embeddings = {
        f"{name}_{side}s": screen[f"random.{name}.{side}_embeddings"]
        for name in model.parts
        for side in ("field", "compound")
    }
    fields, _, _ = fuse_models(screen["random.examples"], model, 0, **embeddings)
    stored = json.loads(json.dumps(fields.meta, sort_keys=True))  # as the dataset writes them
    checkpoints = {f"{name}_checkpoint": screen[f"random.{name}.checkpoint"] for name in model.parts}
    joined = join_checkpoints(dataclasses.replace(fields, meta=stored), model, **checkpoints)
    assert list(joined.parts) == ["profile", "image"]
    assert joined.weights == fields.meta["weights"]


def test_other_checkpoints_than_those_that_embedded_are_refused(screen):
    other = Checkpoint({}, {"image": torch.zeros(2)})
    with pytest.raises(ValueError, match="was made of other weights than those there: run the pipelines training and"):
        fuse(screen | {"random.image.checkpoint": other})
    embeddings = fuse(screen)["field_embeddings"]
    model = FusionParameters.model_validate({"kind": "fusion", "parts": ["image", "profile"]})
    before = {name: value for name, value in embeddings.meta.items() if name != "factors"}
    for meta in (before, embeddings.meta | {"factors": {"another": [1.0, 1.0]}}):
        with pytest.raises(ValueError, match="was made with other settings: run the pipelines training and embedding"):
            join_checkpoints(dataclasses.replace(embeddings, meta=meta), model)


def test_a_fusion_was_fitted_on_the_folds_of_its_parts(screen):
    refitted = changed(screen, "profile", fitted_on=["train", "validation"])
    for weights, folds in (
        ({"image": 1, "profile": 1}, ["train", "validation"]),
        ({"image": 1, "profile": 0}, ["train"]),
    ):
        fused = fuse(refitted, weights=weights)
        assert fused["field_embeddings"].meta["fitted_on"] == fused["checkpoint"].config["fitted_on"] == folds


def test_what_was_trained_on_other_folds_is_refused(screen):
    with pytest.raises(ValueError, match="the fields of image are embedded by a model that was trained on folds other"):
        fuse(changed(screen, "image", split_hash="other"))
    name = "random.image.field_embeddings"
    other = dataclasses.replace(screen[name], meta=screen[name].meta | {"weights": "other"})
    with pytest.raises(ValueError, match="image, random split: fields are embedded by the model other"):
        fuse(screen | {name: other})


def test_a_fusion_with_a_published_model_has_unknown_folds(screen, caplog):
    with caplog.at_level(logging.WARNING):
        fused = fuse(changed(screen, "image", split_hash=UNKNOWN_SPLIT))
    assert fused["field_embeddings"].meta["split_hash"] == UNKNOWN_SPLIT
    assert "PUBLISHED MODEL" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parts": ["a"]}, "at least 2 items"),
        ({"parts": list("abcde")}, "at most 4 items"),
        ({"parts": ["a", "a"]}, "parts: a occurs twice"),
        ({"parts": ["a", "b"], "weights": {"a": 1}}, "each of the parts needs a weight: a, b"),
        ({"parts": ["a", "b"], "weights": {"a": 1, "c": 1}}, "each of the parts needs a weight: a, b"),
        ({"parts": ["a", "b"], "weights": {"a": 0, "b": 0}}, "one weight must be above 0"),
        ({"parts": ["a", "b"], "weights": {"a": -1, "b": 1}}, "greater than or equal to 0"),
        ({"parts": ["a", "b"], "weights": "test"}, "should be 'validation'"),
    ],
)
def test_parts_and_weights_must_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        FusionParameters.model_validate({"kind": "fusion"} | settings)
