"""A ridge in a pipeline: from the tables of a screen to embeddings and the tried strengths of regularisation."""

import json
import logging

import numpy as np
import pandas as pd
import pytest

from cloome_kedro import schemas
from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.methods import gather_methods
from cloome_kedro.evaluation.ridge import Compounds, RidgeFits
from cloome_kedro.learning.views.morgan import Fingerprints, Morgan
from cloome_kedro.learning.views.profiles import Profiles
from cloome_kedro.parameters import RidgeParameters
from cloome_kedro.pipelines.training import create_ridge_pipeline
from cloome_kedro.pipelines.training.ridge_fit import FittedRidge
from cloome_kedro.run_store import RunStore, read_runs
from cloome_kedro.words import RETRIEVAL
from planted_examples import inchikey, make_examples, run_pipeline

COMPOUNDS, FIELDS, BITS = 120, 3, 64
FOLDS = np.repeat(["train", "validation", "test"], [70, 25, 25])
RIDGE = {"kind": "ridge", "field": {"view": "profiles"}, "compound": {"view": "morgan"}}


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """Profiles that follow linearly from fingerprints, with noise. The last field has no profile."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (COMPOUNDS, BITS), dtype=np.uint8)
    number = np.repeat(np.arange(COMPOUNDS), FIELDS)
    places = np.arange(len(number))
    table = pd.DataFrame({"plate": [f"P{p // 60}" for p in places], "well": "A01", "number": number})
    table["well"] = [f"{chr(65 + p % 60 // 12)}{p % 12 + 1:02d}" for p in places]
    examples = make_examples(table, FOLDS)
    profiles = bits @ rng.normal(size=(BITS, 10)) + rng.normal(size=(COMPOUNDS, 10))
    profiles = profiles[number] + 0.3 * rng.normal(size=(len(number), 10))
    names = [f"Cells_{each}" for each in range(10)]
    field_profiles = pd.DataFrame(profiles, columns=names).assign(field_id=examples["field_id"])
    return {
        "random.examples": examples,
        "fields": examples[["field_id", "plate", "well"]],
        "compounds": pd.DataFrame({"inchikey": [inchikey(each) for each in range(COMPOUNDS)]}),
        "field_profiles": field_profiles.iloc[:-1],
        "fingerprints": Fingerprints(np.packbits(bits, axis=1), {"radius": 3, "bits": BITS, "chirality": True}),
        "params:seed": 0,
        "run_store": RunStore(tmp_path_factory.mktemp("screen") / "runs.parquet" / "default"),
    }


def fit(screen, **settings):
    model = RidgeParameters.model_validate({**RIDGE, "draws": 3, **settings})
    outputs = run_pipeline(
        create_ridge_pipeline("random", "ridge", ["field_profiles", "fingerprints"]),
        screen | {"params:models.ridge": model},
    )
    return {name.rpartition(".")[2]: value for name, value in outputs.items()}


@pytest.fixture(scope="module")
def fitted(screen):
    return fit(screen)


def test_a_ridge_is_a_method_of_retrieval(screen, fitted):
    embeddings = fitted["field_embeddings"], fitted["compound_embeddings"]
    (method,) = gather_methods(screen["random.examples"], {"Ridge": embeddings}).values()
    assert method.tasks == (RETRIEVAL,), "its vectors of fields are profiles"
    assert method.normalised
    for side in embeddings:
        np.testing.assert_allclose(np.linalg.norm(side.vectors, axis=1), 1, atol=1e-5)
        assert side.meta["split_hash"] == screen["random.examples"]["split_hash"].iloc[0]
        assert side.meta["epoch"] is None
    row = read_runs(screen["run_store"].folder).iloc[0]
    assert (row["step"], row["weights"]) == ("ridge", embeddings[0].meta["weights"])
    best = fitted["selection"].query("best").iloc[0]
    assert json.loads(row["validation"]) == {
        name: pytest.approx(best[name]) for name in ("validation_top1", "validation_mrr")
    }
    assert len(embeddings[0].keys) == COMPOUNDS * FIELDS - 1
    assert embeddings[0].meta["without_input"] == 1


def test_it_predicts_profiles_of_test_compounds(screen, fitted):
    examples = screen["random.examples"]
    test = examples[(examples["fold"] == "test") & fitted["field_embeddings"].knows(examples["field_id"])]
    test = test.drop_duplicates("inchikey")
    fields = fitted["field_embeddings"].of(test["field_id"])
    scores = fields @ fitted["compound_embeddings"].of(test["inchikey"]).T
    assert (scores.argmax(axis=1) == np.arange(25)).mean() > 0.3, "chance is 0.04"


def test_vectors_are_the_closed_form(screen, fitted):
    """From the tables alone, without the project's code."""
    examples, table = screen["random.examples"], fitted["selection"]
    bits = np.unpackbits(screen["fingerprints"].packed, axis=1).astype(float)
    profiles = screen["field_profiles"].set_index("field_id").reindex(examples["field_id"]).to_numpy()
    train = (examples["fold"] == "train").to_numpy()
    profiles = (profiles - profiles[train].mean(axis=0)) / profiles[train].std(axis=0)
    targets = pd.DataFrame(profiles[train]).groupby(examples["structure_row"].to_numpy()[train]).mean().to_numpy()
    shared = bits @ bits.T
    kernel = shared / (bits.sum(axis=1)[:, None] + bits.sum(axis=1) - shared)
    alpha = table.loc[table["best"], "value"].item()
    predicted = kernel[:, :70] @ np.linalg.solve(kernel[:70, :70] + alpha * np.eye(70), targets)
    keys = [inchikey(each) for each in range(COMPOUNDS)]
    np.testing.assert_allclose(fitted["compound_embeddings"].of(keys), unit_rows(predicted), atol=1e-4)
    np.testing.assert_allclose(
        fitted["field_embeddings"].of(examples["field_id"][:-1]), unit_rows(profiles[:-1]), atol=1e-4
    )


def test_the_table_of_strengths_is_complete(fitted):
    table = schemas.selection.validate(fitted["selection"])
    assert len(table) == 8
    assert table["best"].sum() == 1
    assert table.loc[table["best"], "validation_top1"].item() == table["validation_top1"].max()
    assert table["validation_top1"].nunique() > 1


def test_the_test_fold_decides_nothing(screen, fitted):
    """Other profiles and structures of test compounds give the same predictions for all other compounds."""
    test = (screen["random.examples"]["fold"] == "test").to_numpy()[:-1]
    profiles = screen["field_profiles"].copy()
    names = [name for name in profiles if name != "field_id"]
    profiles.loc[test, names] = 1e3 * profiles.loc[test, names].to_numpy()[::-1]
    packed = screen["fingerprints"].packed.copy()
    packed[FOLDS == "test"] = packed[FOLDS == "test"][::-1]
    fingerprints = Fingerprints(packed, screen["fingerprints"].settings)
    again = fit(screen | {"field_profiles": profiles, "fingerprints": fingerprints})
    pd.testing.assert_frame_equal(again["selection"], fitted["selection"])
    others = [inchikey(each) for each in np.flatnonzero(FOLDS != "test")]
    assert np.array_equal(again["compound_embeddings"].of(others), fitted["compound_embeddings"].of(others))
    assert again["compound_embeddings"].meta["weights"] == fitted["compound_embeddings"].meta["weights"]


def test_weights_identify_what_was_fitted(screen, fitted):
    weights = {fitted["field_embeddings"].meta["weights"]}
    for settings in ({"kernel": "linear"}, {"alphas": [1.0]}, {"landmarks": 40}):
        weights.add(fit(screen, **settings)["field_embeddings"].meta["weights"])
    assert len(weights) == 4


def test_the_end_of_the_grid_is_warned_of(screen, caplog):
    with caplog.at_level(logging.WARNING):
        fit(screen, alphas=[100, 1000])
    assert "is at the end of `alphas`: add further values" in caplog.text
    assert "1 of 360 fields are left out" in caplog.text


def test_images_are_refused_before_the_run():
    with pytest.raises(ValueError, match=r"field.view: a ridge needs a view of features, such as profiles, not images"):
        RidgeParameters.model_validate(RIDGE | {"field": {"view": "images"}})


def test_a_ridge_needs_training_and_validation_compounds(screen):
    examples = screen["random.examples"]
    without = {fold: examples[examples["fold"] != fold].reset_index(drop=True) for fold in ("train", "validation")}
    with pytest.raises(ValueError, match="no field in the training fold"):
        fit(screen | {"random.examples": without["train"]})
    with pytest.raises(ValueError, match="0 compounds of the validation fold"):
        fit(screen | {"random.examples": without["validation"]})


def test_targets_can_have_length_1(screen):
    """From the tables alone: the prediction follows from the directions of the mean profiles."""
    settings = {"alphas": [0.3], "unit_targets": True, "kernel": "linear"}
    found = fit(screen, **settings)["compound_embeddings"]
    scaled = fit(screen, **settings | {"unit_targets": False})
    assert not np.allclose(found.vectors, scaled["compound_embeddings"].vectors, atol=1e-2)
    bits = np.unpackbits(screen["fingerprints"].packed, axis=1).astype(float)
    profiles = screen["field_profiles"].drop(columns="field_id").to_numpy()[: 70 * FIELDS]
    profiles = (profiles - profiles.mean(axis=0)) / profiles.std(axis=0)
    targets = unit_rows(profiles.reshape(70, FIELDS, -1).mean(axis=1))
    kernel = bits @ bits[:70].T / np.square(bits[:70]).sum(axis=1).mean()
    predicted = kernel @ np.linalg.solve(kernel[:70] + 0.3 * np.eye(70), targets)
    keys = [inchikey(each) for each in range(COMPOUNDS)]
    np.testing.assert_allclose(found.of(keys), unit_rows(predicted), atol=1e-4)


def test_the_last_fit_can_be_on_the_validation_fold_too(screen, fitted):
    """Test vectors are those of a fit on both folds, and validation vectors those of the fit on the training fold."""
    alpha = fitted["selection"].loc[fitted["selection"]["best"], "value"].item()
    again = fit(screen, refit=True)
    pd.testing.assert_frame_equal(again["selection"], fitted["selection"])
    examples = screen["random.examples"]
    both = examples.assign(fold=examples["fold"].where(examples["fold"] != "validation", "train"))
    both.loc[both["inchikey"] == inchikey(0), "fold"] = "validation"  # a fit needs two; they are put back below
    both.loc[both["inchikey"] == inchikey(1), "fold"] = "validation"
    nearly = fit(screen | {"random.examples": both}, alphas=[alpha])
    for side, key in (("field_embeddings", "field_id"), ("compound_embeddings", "inchikey")):
        of_fold = {fold: examples.loc[examples["fold"] == fold, key].unique()[:-1] for fold in np.unique(FOLDS)}
        found, first = again[side], fitted[side]
        assert found.meta["fitted_on"] == ["train", "validation"]
        assert first.meta["fitted_on"] == ["train"]
        assert found.meta["weights"] != first.meta["weights"]
        assert np.array_equal(found.of(of_fold["validation"]), first.of(of_fold["validation"]))
        test = of_fold["test"]
        assert not np.allclose(found.of(test), first.of(test), atol=1e-3)
        alike = (found.of(test) * nearly[side].of(test)).sum(axis=1)
        assert (alike > (found.of(test) * first.of(test)).sum(axis=1)).mean() > 0.9


def test_the_test_fold_is_not_read_by_the_last_fit(screen):
    first = fit(screen, refit=True)
    test = (screen["random.examples"]["fold"] == "test").to_numpy()[:-1]
    profiles = screen["field_profiles"].copy()
    names = [name for name in profiles if name != "field_id"]
    profiles.loc[test, names] = 1e3 * profiles.loc[test, names].to_numpy()[::-1]
    again = fit(screen | {"field_profiles": profiles}, refit=True)
    assert np.array_equal(again["compound_embeddings"].vectors, first["compound_embeddings"].vectors)
    assert again["compound_embeddings"].meta["weights"] == first["compound_embeddings"].meta["weights"]


def test_the_checkpoint_has_all_that_the_prediction_needs(screen, fitted):
    """From its tensors alone, without the project's code."""
    checkpoint = fitted["checkpoint"]
    assert checkpoint.weights == fitted["field_embeddings"].meta["weights"]
    bits, landmarks = np.unpackbits(screen["fingerprints"].packed, axis=1), checkpoint.tensors["landmarks"].numpy()
    assert landmarks.dtype == np.uint8, "one byte per bit"
    np.testing.assert_array_equal(landmarks, bits[:70])
    shared = bits.astype(float) @ landmarks.T
    kernel = shared / (bits.sum(axis=1, dtype=float)[:, None] + landmarks.sum(axis=1, dtype=float) - shared)
    predicted = kernel / checkpoint.tensors["scale"].item() @ checkpoint.tensors["coefficients"].numpy()
    keys = [inchikey(each) for each in range(COMPOUNDS)]
    np.testing.assert_allclose(unit_rows(predicted), fitted["compound_embeddings"].of(keys), atol=1e-6)
    facts = {"kind": "ridge", "kernel": "min_max", "fitted_on": ["train"], "widths": [BITS], "epoch": None}
    assert {name: checkpoint.config[name] for name in facts} == facts


@pytest.mark.parametrize("value", [300.0, 0.5])
def test_features_that_need_more_than_a_byte_are_kept(value):
    features = np.array([[1.0, value], [2.0, 0.0], [0.0, 3.0]], np.float32)
    fits = RidgeFits(Compounds(features), np.arange(3), np.ones((3, 2)), 10, seed=0)
    views = {"field": Profiles(("a",), (0.0,), (1.0,)), "compound": Morgan()}
    tensors = FittedRidge(None, None, fits, 3, views).checkpoint(1.0, {}).tensors
    np.testing.assert_array_equal(tensors["landmarks"].numpy(), features)
