"""Sizes, shapes and intensities of objects have the values of cp-measure, to the last bit."""

import numpy as np
import pytest
from cp_measure.core.measureobjectsizeshape import get_sizeshape
from cp_measure.core.numba.measureobjectintensity import get_intensity
from scipy import ndimage

from cloome_kedro.imaging import outlines
from cloome_kedro.imaging.features import _covariance, _medians
from cloome_kedro.imaging.object_intensity import object_intensities
from cloome_kedro.imaging.outlines import size_and_shape

POSITIONS = ("Center_", "BoundingBoxM", "Location_")


def blobs(side, scale, threshold, seed=0):
    noise = np.random.default_rng(seed).standard_normal((side, side))
    return ndimage.label(ndimage.gaussian_filter(noise, scale) > threshold)[0].astype(np.int32)


def scattered(side, number):
    """Objects in many parts, with holes, which touch each other and the edge of the image."""
    return np.random.default_rng(1).integers(1, number + 1, (side, side)).astype(np.int32)


IMAGES = {
    "small blobs": blobs(64, 1, 0.3),
    "blobs": blobs(96, 3, 0.05),
    "large blobs with holes": blobs(128, 2, -0.05),
    "scattered": scattered(40, 5),
    "the whole image": np.ones((30, 50), np.int32),
    "a pixel": np.pad(np.ones((1, 1), np.int32), 3),
    "a line": np.pad(np.ones((1, 5), np.int32), 3),
}


def same(found, expected):
    expected = {name: values for name, values in expected.items() if not name.startswith(POSITIONS)}
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(np.asarray(found[name], float), np.asarray(values, float), err_msg=name)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", IMAGES)
def test_size_and_shape(name):
    same(size_and_shape(IMAGES[name]), get_sizeshape(IMAGES[name], None))


def test_objects_are_measured_in_groups(monkeypatch):
    """A group has a bounded number of pixels. An object that is larger than this has a group of its own."""
    expected = get_sizeshape(IMAGES["blobs"], None)
    monkeypatch.setattr(outlines, "_TILE_PIXELS", 2000)
    same(size_and_shape(IMAGES["blobs"]), expected)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", IMAGES)
def test_intensities(name):
    labels = IMAGES[name]
    pixels = np.random.default_rng(2).integers(1, 256, (3, *labels.shape)) / 255
    for image, found in zip(pixels, object_intensities(labels, pixels), strict=True):
        same(found, get_intensity(labels, image))


def test_medians_of_finite_values():
    table = np.random.default_rng(3).standard_normal((6, 5))
    table[1, 2] = table[2, :2] = np.nan
    table[3, :3] = np.inf
    table[4, 1:] = -np.inf
    expected = [np.median(row[np.isfinite(row)]) for row in table]
    np.testing.assert_array_equal(_medians(table.copy()), expected)
    assert np.isnan(_medians(np.full((1, 4), np.nan))).all()
    np.testing.assert_array_equal(_medians(np.array([[7.0], [np.nan]])), [7, np.nan])


def test_covariances():
    values = np.random.default_rng(4).random((5, 30))
    np.testing.assert_array_equal(_covariance(values), np.cov(values))
