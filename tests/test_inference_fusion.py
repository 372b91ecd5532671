"""A fusion as `Cloome`: every part embeds, and the vectors are joined as in the study."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from cloome_kedro import Cloome
from cloome_kedro.inference_fusion import Fusion
from cloome_kedro.learning.checkpoint import Checkpoint, load, save
from cloome_kedro.learning.views import VIEWS
from invented_index import SMILES, STATISTICS, images_of, screen_tables, small_checkpoint, small_model
from small_fusion import FEATURES, field_profiles, fit_ridge, fuse, image_model

pytestmark = pytest.mark.usefixtures("one_thread")
WEIGHTS = {"cloome": 1, "ridge": 2}
STRUCTURES = list(SMILES.values())


@pytest.fixture(scope="module")
def ridge(tmp_path_factory):
    return fit_ridge(tmp_path_factory.mktemp("ridge"))


@pytest.fixture(scope="module")
def fused(ridge):
    return fuse({"cloome": image_model(), "ridge": ridge}, weights=WEIGHTS)


def loaded(checkpoint, folder):
    save(checkpoint, folder / "checkpoint")
    return Cloome.load(folder / "checkpoint", device="cpu")


def with_other_normalisation():
    """Another image model, which does not scale by controls."""
    first = small_checkpoint()
    tensors = {name: t + 0.05 if t.is_floating_point() else t for name, t in first.tensors.items()}
    return with_view(Checkpoint(first.config, tensors), normalisation="per_channel")


def with_view(checkpoint, **changes):
    """The checkpoint with another view of images."""
    view = VIEWS.describe(replace(checkpoint.view("field"), **changes))
    return replace(checkpoint, config=checkpoint.config | {"views": {**checkpoint.config["views"], "field": view}})


def joined(parts, field, compound):
    config = {"format": 2, "kind": "fusion", "split_hash": "abc"}
    tensors = {"field": torch.tensor(field).double(), "compound": torch.tensor(compound).double()}
    return Checkpoint(config, tensors, parts)


def test_structures_get_their_stored_embeddings(fused, tmp_path):
    model = loaded(fused["checkpoint"], tmp_path)
    assert isinstance(model, Fusion)
    stored = fused["compound_embeddings"]
    assert model.checkpoint.weights == stored.meta["weights"] == fused["field_embeddings"].meta["weights"]
    assert model.embedding_size == 9
    expected = stored.of(screen_tables()["compounds"]["inchikey"])
    found = model.embed_structures(iter(STRUCTURES), batch_size=3, progress=False)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(model.embed(STRUCTURES), expected, atol=1e-6)
    fields = fused["field_embeddings"].vectors
    np.testing.assert_allclose(model.similarity(fields, STRUCTURES), fields @ expected.T, atol=1e-6)
    assert repr(model) == "Fusion(cloome and ridge -> 9 numbers, on cpu)"
    with pytest.raises(ValueError, match=r"the SMILES at position 1, 'CC\(', cannot be embedded"):
        model.embed_structures(["C", "CC("])
    with pytest.raises(TypeError, match="a list of SMILES is expected"):
        model.embed_structures("CCO")


def test_images_are_refused_with_a_part_that_sees_them(fused, tmp_path):
    model = loaded(fused["checkpoint"], tmp_path)
    message = (
        r"a fusion embeds images only if all its parts see images, but ridge sees fields as features: embed them with "
        r"the part cloome \(`model.parts`\)"
    )
    with pytest.raises(ValueError, match=message):
        model.embed_fields(images_of(["a"]), statistics=STATISTICS)
    assert model.parts["cloome"].embed_fields(images_of(["a"]), statistics=STATISTICS).shape == (1, 6)


def test_a_part_without_weight_is_left_out(ridge, tmp_path):
    fused = fuse({"cloome": image_model(), "ridge": ridge}, weights={"cloome": 1, "ridge": 0})
    model = loaded(fused["checkpoint"], tmp_path)
    assert list(model.parts) == ["cloome"]
    keys = fused["field_embeddings"].keys
    found = model.embed_fields(images_of(keys), statistics=STATISTICS, progress=False)
    np.testing.assert_allclose(found, fused["field_embeddings"].vectors, atol=1e-5)


def test_a_fusion_of_image_models_embeds_images():
    """Statistics of controls go to the part that needs them."""
    parts = {"a": small_checkpoint(), "b": with_other_normalisation()}
    model = Cloome.of(joined(parts, [0.6, 0.8], [0.5, 0.1]), "cpu")
    images = images_of(["a", "b", "c"])
    first = small_model().embed_fields(images, statistics=STATISTICS)
    second = Cloome(parts["b"], "cpu").embed_fields(images)
    assert np.abs(first - second).max() > 0.01
    found = model.embed_fields(images, statistics=STATISTICS, batch_size=2)
    np.testing.assert_allclose(found, np.hstack([0.6 * first, 0.8 * second]), atol=1e-6)
    assert model.storage == small_model().storage
    with pytest.raises(ValueError, match="normalises fields by the controls of their plate"):
        model.embed_fields(images)
    only_second = Cloome.of(joined({"b": parts["b"]}, [1.0], [1.0]), "cpu")
    with pytest.raises(ValueError, match="leave out `controls` and `statistics`"):
        only_second.embed_fields(images, statistics=STATISTICS)


def test_features_are_embedded_if_all_parts_see_them(ridge, tmp_path):
    other = fit_ridge(tmp_path, kernel="linear", alphas=[3.0])
    fused = fuse({"ridge": ridge, "linear": other}, weights={"ridge": 1, "linear": 1})
    profiles = field_profiles()
    found = Cloome.of(fused["checkpoint"], "cpu").embed_features(profiles[list(FEATURES)].to_numpy())
    np.testing.assert_allclose(found, fused["field_embeddings"].of(profiles["field_id"]), atol=1e-6)


def test_a_fusion_can_be_part_of_a_fusion(fused, ridge, tmp_path):
    outer = fuse({"inner": fused, "ridge": ridge}, weights={"inner": 1, "ridge": 1})
    model = loaded(outer["checkpoint"], tmp_path)
    found = model.embed_structures(STRUCTURES)
    expected = outer["compound_embeddings"].of(screen_tables()["compounds"]["inchikey"])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_damaged_fusion_is_refused(fused, tmp_path):
    checkpoint = fused["checkpoint"]
    for damaged in (replace(checkpoint, parts={}), replace(checkpoint, tensors={"field": checkpoint.tensors["field"]})):
        with pytest.raises(ValueError, match="does not have a factor for each part"):
            Cloome.of(damaged, "cpu")
    storage = checkpoint.parts["cloome"].view("field").storage
    other = with_view(small_checkpoint(), storage={**storage, "scope": "field"})
    with pytest.raises(ValueError, match="images are stored differently for the parts of the fusion"):
        Cloome.of(joined({"a": small_checkpoint(), "b": other}, [1.0, 1.0], [1.0, 1.0]), "cpu")


def test_a_part_that_was_exchanged_is_refused(fused, ridge, tmp_path):
    save(fused["checkpoint"], tmp_path / "c")
    shutil.rmtree(tmp_path / "c" / "parts" / "ridge")
    with pytest.raises(ValueError, match="parts/ridge is not a readable checkpoint"):
        load(tmp_path / "c")
    save(image_model()["checkpoint"], tmp_path / "c" / "parts" / "ridge")
    with pytest.raises(ValueError, match=r"parts/ridge is not the model .* of which the fusion was made"):
        load(tmp_path / "c")
