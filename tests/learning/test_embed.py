import numpy as np
import pytest
import torch

from cloome_kedro.learning.embed import Embedder, find_device, read_inputs
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Fingerprints, Morgan
from cloome_kedro.learning.views.profiles import Profiles


@pytest.fixture(scope="module")
def model():
    with seeded(0):
        return PairModel(Architecture(ResNet(layers=(1, 1, 1, 1), width=4), MLP(1, 8), 5, 16, embedding_size=6))


def test_fields_in_batches(model):
    fields = np.random.default_rng(0).integers(0, 256, (11, 5, 32, 32), dtype=np.uint8)
    view, read = Images(), lambda i: fields[i]
    vectors = Embedder(model.train(), 4, "cpu", progress=False)("field", read, 11, view)
    with torch.inference_mode():
        expected = model.eval().encode_fields(view(torch.from_numpy(fields))).numpy()
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    some = Embedder(model, progress=False)("field", read, np.array([7, 2]), view)
    np.testing.assert_allclose(some, expected[[7, 2]], atol=1e-6)


def test_compounds(model):
    bits = np.random.default_rng(0).integers(0, 2, (9, 16), dtype=np.uint8)
    view = Morgan(bits=16)
    fingerprints = Fingerprints(np.packbits(bits, axis=1), {"radius": 3, "bits": 16, "chirality": True})
    rows = view.rows({"structure_row": np.arange(9)[::-1]}, {"fingerprints": fingerprints})
    vectors = Embedder(model, 4, "cpu", progress=False)("compound", rows.read, 9, view)
    with torch.inference_mode():
        expected = model.eval().encode_compounds(torch.from_numpy(bits).float()).numpy()
    np.testing.assert_allclose(vectors, expected[::-1], atol=1e-6)


def test_no_rows_have_no_embeddings(model):
    vectors = Embedder(model, progress=False)("compound", lambda i: np.zeros((len(i), 16)), 0, torch.Tensor.float)
    assert (vectors.shape, vectors.dtype) == ((0, 6), np.float32)


def test_device_by_name():
    assert find_device("cpu").type == "cpu"


def test_fields_are_changed_by_their_positions_before_the_view(model):
    fields = np.random.default_rng(0).integers(0, 256, (5, 5, 32, 32), dtype=np.uint8)
    embed = Embedder(model, 2, progress=False)

    def darken(images, positions):
        assert images.dtype == torch.uint8
        return images // torch.from_numpy(1 + positions).view(-1, 1, 1, 1).to(torch.uint8)

    positions = np.array([4, 1, 3])
    vectors = embed("field", lambda i: fields[i], positions, Images(), change=darken)
    darkened = fields // (1 + np.arange(5, dtype=np.uint8)).reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(vectors, embed("field", lambda i: darkened[i], positions, Images()))


def test_inputs_are_read_without_a_model(monkeypatch):
    values = np.random.default_rng(0).normal(2, 3, (10, 2)).astype(np.float32)
    view = Profiles(("a", "b"), (1.0, -2.0), (2.0, 0.5))
    for rows in (3, 4096):
        monkeypatch.setattr("cloome_kedro.learning.embed._ROWS", rows)
        found = read_inputs(view, values.__getitem__, np.array([9, 0, 1, 2, 3]))
        np.testing.assert_allclose(found, (values[[9, 0, 1, 2, 3]] - [1, -2]) / [2, 0.5], rtol=1e-6)
    assert read_inputs(view, values.__getitem__, np.arange(0)).shape == (0, 2)
