import numpy as np
import pytest
import torch

from cloome_kedro.learning.config import ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.embed import embed_images, embed_structures, find_device
from cloome_kedro.learning.model import PairModel, seeded
from cloome_kedro.learning.preprocess import Preprocess


@pytest.fixture
def model():
    with seeded(0):
        model = PairModel(ImageEncoderConfig(layers=(1, 1, 1, 1), width=4), StructureEncoderConfig(1, 8), 16, 6)
    return model


def test_images_in_batches(model):
    fields = np.random.default_rng(0).integers(0, 256, (11, 5, 32, 32), dtype=np.uint8)
    vectors = embed_images(model, lambda i: fields[i], 11, Preprocess(), 4, "cpu", progress=False)
    with torch.inference_mode():
        expected = model.eval().encode_images(Preprocess()(torch.from_numpy(fields))).numpy()
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    some = embed_images(model, lambda i: fields[i], np.array([7, 2]), Preprocess(), progress=False)
    np.testing.assert_allclose(some, expected[[7, 2]], atol=1e-6)


def test_structures(model):
    bits = np.random.default_rng(0).integers(0, 2, (9, 16), dtype=np.uint8)
    vectors = embed_structures(model, np.packbits(bits, axis=1), 4, "cpu", progress=False)
    with torch.inference_mode():
        expected = model.eval().encode_structures(torch.from_numpy(bits).float()).numpy()
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_device_by_name():
    assert find_device("cpu").type == "cpu"


def test_fields_are_changed_by_their_positions_before_preprocessing(model):
    fields = np.random.default_rng(0).integers(0, 256, (5, 5, 32, 32), dtype=np.uint8)

    def darken(images, positions):
        assert images.dtype == torch.uint8
        return images // torch.from_numpy(1 + positions).view(-1, 1, 1, 1).to(torch.uint8)

    positions = np.array([4, 1, 3])
    vectors = embed_images(model, lambda i: fields[i], positions, Preprocess(), 2, progress=False, change=darken)
    darkened = fields // (1 + np.arange(5, dtype=np.uint8)).reshape(-1, 1, 1, 1)
    expected = embed_images(model, lambda i: darkened[i], positions, Preprocess(), 2, progress=False)
    np.testing.assert_array_equal(vectors, expected)
