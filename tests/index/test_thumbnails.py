"""Thumbnails: bytes that give the same pixels back."""

import numpy as np
import pytest

from cloome_kedro.index.thumbnails import decode, decode_all, encode


@pytest.mark.parametrize("shape", [(5, 1, 1), (5, 64, 48), (5, 3, 300)])
def test_pixels_come_back(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_array_equal(decode(encode(image)), image)


def test_smooth_images_are_compressed():
    image = np.broadcast_to(np.arange(64, dtype=np.uint8), (5, 64, 64)).copy()
    assert len(encode(image)) < image.nbytes / 20


def test_several_images_are_one_array():
    images = np.random.default_rng(1).integers(0, 256, (3, 5, 4, 6)).astype(np.uint8)
    np.testing.assert_array_equal(decode_all(map(encode, images)), images)


@pytest.mark.parametrize("image", [np.zeros((4, 8, 8), np.uint8), np.zeros((5, 8, 8)), np.zeros((5, 8), np.uint8)])
def test_other_arrays_are_refused(image):
    with pytest.raises(ValueError, match="a thumbnail must be uint8"):
        encode(image)
