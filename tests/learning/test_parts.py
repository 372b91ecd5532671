"""An embedding that is interrupted continues with the plates that are not finished."""

import logging

import numpy as np
import pytest
import torch

from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.parts import Parts
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.views.images import Images

PLATES = np.array(["b"] * 5 + ["a"] * 4 + ["c"] * 6 + ["b"])
FIELDS = np.random.default_rng(0).integers(0, 256, (len(PLATES), 5, 32, 32), dtype=np.uint8)


class Stopped(Exception):
    pass


class Reader:
    """Reads fields, remembers which, and can stop at one of them."""

    def __init__(self, last=None):
        self.last, self.seen = last, []

    def __call__(self, positions):
        if self.last in positions:
            raise Stopped
        self.seen += positions.tolist()
        return FIELDS[positions]


@pytest.fixture(scope="module", params=["mean", "attention"])
def model(request, one_thread):
    with seeded(0):
        return PairModel(
            Architecture(
                ResNet(layers=(1, 1, 1, 1), width=4), MLP(1, 8), 5, 16, embedding_size=6, pooling=request.param
            )
        )


def embed(model, read, parts=None):
    return Embedder(model, 2, progress=False).fields_with_logits(read, len(PLATES), Images(), parts=parts)


def parts(folder, identity="model", seconds=0.0):
    return Parts(folder / "parts", identity, PLATES, seconds)


@pytest.mark.parametrize("last", [6, 10, 14, 15])
def test_finished_plates_are_not_embedded_again(model, last, tmp_path, caplog):
    vectors, logits = embed(model, Reader())
    first, again = Reader(last), Reader()
    with pytest.raises(Stopped):
        embed(model, first, parts(tmp_path))
    written = len(list((tmp_path / "parts").glob("*.npy")))
    with caplog.at_level(logging.INFO):
        found, found_logits = embed(model, again, parts(tmp_path))
    np.testing.assert_allclose(found, vectors, atol=1e-6)
    assert (logits is None) == (found_logits is None)
    if logits is not None:
        np.testing.assert_allclose(found_logits, logits, atol=1e-6)
    # In the order of their first rows: b, which ends with the last row of the table, a, c.
    sizes = [6, 4, 6]
    assert len(again.seen) == len(PLATES) - sum(sizes[:written])
    assert f"{written} of 3 plates were embedded before" in caplog.text or not written
    assert written == {6: 1, 10: 2, 14: 2, 15: 0}[last]
    assert not (tmp_path / "parts").exists()


def test_plates_of_another_model_and_damaged_ones_are_embedded_again(model, tmp_path):
    with pytest.raises(Stopped):
        embed(model, Reader(10), parts(tmp_path))
    files = sorted((tmp_path / "parts").glob("*.npy"))
    assert len(files) == 2
    other = Reader()
    with pytest.raises(Stopped):
        embed(model, Reader(5), parts(tmp_path, "another"))  # it leaves the files of the first
    files[0].write_bytes(b"damaged")
    vectors, _ = embed(model, other, parts(tmp_path))
    assert set(other.seen) < set(range(len(PLATES)))
    assert len(other.seen) in (len(PLATES) - 4, len(PLATES) - 6)
    np.testing.assert_allclose(vectors, embed(model, Reader())[0], atol=1e-6)


def test_a_short_embedding_writes_nothing_and_keeps_its_batches(model, tmp_path):
    order = np.argsort(PLATES, kind="stable")
    sizes = []

    def read(positions):
        sizes.append(positions.tolist())
        return FIELDS[order[positions]]

    sorted_plates = Parts(tmp_path / "parts", "model", PLATES[order])
    embedder = Embedder(model, 4, progress=False)
    vectors, _ = embedder.fields_with_logits(read, len(PLATES), Images(), parts=sorted_plates)
    with_parts, sizes = sizes, []
    plain, _ = embedder.fields_with_logits(read, len(PLATES), Images())
    assert sorted(with_parts) == sorted(sizes)  # batches go on over the border of two plates
    np.testing.assert_array_equal(vectors, plain)
    assert not list(tmp_path.iterdir())


def test_precision(model):
    exact = Embedder(model, 4, progress=False).fields_with_logits(Reader(), len(PLATES), Images())[0]
    half = Embedder(model, 4, progress=False, precision="bf16-mixed")
    rounded = half.fields_with_logits(Reader(), len(PLATES), Images())[0]
    assert rounded.dtype == np.float32
    deviation = np.abs(rounded - exact).max()
    assert 0 < deviation < 0.05
    assert not torch.is_autocast_enabled("cpu")
