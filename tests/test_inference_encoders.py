"""A ridge as `Cloome`: it embeds new structures and features as the study did."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cloome_kedro import Cloome
from cloome_kedro.learning.checkpoint import save
from invented_index import SMILES, screen_tables
from small_fusion import FEATURES, field_profiles, fit_ridge

pytestmark = pytest.mark.usefixtures("one_thread")


def loaded(fitted, folder):
    save(fitted["checkpoint"], folder / "checkpoint")
    return Cloome.load(folder / "checkpoint", device="cpu")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"kernel": "linear", "unit_targets": True},
        {"landmarks": 3},
        {"field": {"view": {"name": "profiles", "transform": "rank_normal", "whiten": 2}}},
    ],
    ids=["exact", "linear", "landmarks", "whitened"],
)
def test_structures_and_features_get_their_stored_embeddings(tmp_path, settings):
    fitted = fit_ridge(tmp_path, **settings)
    model = loaded(fitted, tmp_path)
    stored = fitted["compound_embeddings"]
    assert model.checkpoint.weights == stored.meta["weights"] == fitted["field_embeddings"].meta["weights"]
    found = model.embed_structures(list(SMILES.values()), batch_size=3)  # not in the form of the table
    np.testing.assert_allclose(found, stored.of(screen_tables()["compounds"]["inchikey"]), atol=1e-6)
    profiles = field_profiles()
    fields = fitted["field_embeddings"].of(profiles["field_id"])
    np.testing.assert_allclose(model.embed_features(profiles[list(FEATURES)].to_numpy()), fields, atol=1e-6)
    np.testing.assert_allclose(model.similarity(fields, list(SMILES.values())), fields @ found.T, atol=1e-6)
    assert model.embed_structures([]).shape == (0, stored.vectors.shape[1])


def test_structures_without_a_relative_are_told_apart(tmp_path):
    """A new structure is not given the vector of the mean: its kernel with the training compounds decides."""
    model = loaded(fit_ridge(tmp_path), tmp_path)
    found = model.embed_structures(["CCCO", "Cc1ccccc1", "CCO"])
    assert np.abs(found[0] - found[1]).max() > 0.05
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def test_the_last_fit_embeds_new_structures(tmp_path):
    """With `refit`, vectors of the validation fold are stored as the first fit made them."""
    fitted = fit_ridge(tmp_path, refit=True, alphas=[0.1])
    table = screen_tables()
    fold = table["examples"].drop_duplicates("inchikey").set_index("inchikey")["fold"]
    keys = table["compounds"]["inchikey"]
    found = loaded(fitted, tmp_path).embed_structures(table["compounds"]["smiles"])
    same = np.abs(found - fitted["compound_embeddings"].of(keys)).max(axis=1) < 1e-6
    assert same.tolist() == (fold.loc[keys] != "validation").tolist()
    assert fitted["checkpoint"].config["fitted_on"] == ["train", "validation"]


def test_images_are_refused_with_the_method_to_use(tmp_path):
    model = loaded(fit_ridge(tmp_path), tmp_path)
    with pytest.raises(ValueError, match="sees fields as profiles: use embed_features"):
        model.embed_fields(np.zeros((1, 5, 32, 32), np.uint8))
    assert "Cloome(3 numbers of the view profiles and Morgan fingerprints of 64 bits -> 3 numbers" in repr(model)


@pytest.mark.parametrize("change", ["missing", "shape"])
def test_tensors_that_do_not_fit_are_refused(tmp_path, change):
    checkpoint = fit_ridge(tmp_path)["checkpoint"]
    tensors = dict(checkpoint.tensors)
    if change == "missing":
        del tensors["scale"]
    else:
        tensors["landmarks"] = torch.zeros(2, 5, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"tensors of the ridge do not fit its config \(.*\): fit it again"):
        Cloome(replace(checkpoint, tensors=tensors))
