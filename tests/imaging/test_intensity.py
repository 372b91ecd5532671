import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cloome_kedro.imaging.config import INTENSITIES, Intensity
from cloome_kedro.imaging.intensity import nth_largest, outliers, pooled_thresholds, to_uint8

PLANES = hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=12))


def formula(plane, percent, scale):
    """The published formula for one plane, in float64, and its threshold."""
    n = max(1, round(plane.size * percent / 100))
    t = np.sort(plane, axis=None)[-n]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.trunc(np.minimum(plane.astype(np.float64) * scale / t, 255)), t


@settings(max_examples=60)
@given(PLANES, st.floats(0, 99), st.sampled_from([255, 256]))
def test_every_value_is_that_of_the_formula(raw, percent, scale):
    images, thresholds = to_uint8(raw, Intensity(percent, scale))
    assert images.dtype == np.uint8
    assert images.shape == raw.shape
    assert thresholds.shape == raw.shape[:-2]
    for i in np.ndindex(thresholds.shape):
        expected, t = formula(raw[i], percent, scale)
        # The threshold of an image that is not black can be 0. It stays black, as nothing divides by 0.
        np.testing.assert_array_equal(images[i], expected if t else 0)
        assert thresholds[i] == t


@pytest.mark.parametrize("intensity", INTENSITIES.values(), ids=INTENSITIES)
@pytest.mark.parametrize("threshold", [1, 255, 1000, 4093, 65535])
def test_all_values_of_16_bits_are_scaled_by_the_formula(intensity, threshold):
    raw = np.tile(np.arange(2**16, dtype=np.uint16), 5).reshape(640, 512)
    images, _ = to_uint8(raw, intensity, threshold)
    expected = np.minimum(raw.astype(np.int64), threshold) * intensity.scale // threshold
    np.testing.assert_array_equal(images, np.minimum(expected, 255))


def test_published_count_of_outliers():
    assert outliers(520 * 696, 0.0028) == 10
    assert outliers(96 * 96, 0.0028) == 1
    assert outliers(16, 0) == 1


def test_a_black_image_stays_black_and_is_flagged():
    raw = np.stack([np.zeros((8, 8), np.uint16), np.full((8, 8), 9, np.uint16)])
    images, thresholds = to_uint8(raw)
    assert thresholds.tolist() == [0, 9]
    assert not images[0].any()
    assert (images[1] == 255).all()
    _, thresholds = to_uint8(raw, threshold=[100, 100])
    assert thresholds.tolist() == [0, 100]


def test_eight_bits_pass_unscaled():
    raw = np.random.default_rng(0).integers(0, 200, (2, 9, 9)).astype(np.uint8)
    raw[1] = 0
    for preset, scale in (("published_training", 256), ("published_inference", 255)):
        images, thresholds = to_uint8(raw, INTENSITIES[preset])
        np.testing.assert_array_equal(images, raw)
        assert images is not raw
        assert thresholds.tolist() == [scale, 0]


@pytest.mark.parametrize("dtype", [np.int32, np.float32, bool])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(TypeError, match="images must be uint8 or uint16, not"):
        to_uint8(np.zeros((4, 4), dtype))


@given(hnp.arrays(np.uint16, st.integers(1, 60), elements=st.integers(0, 50)), st.data())
def test_nth_largest_of_a_histogram(values, data):
    n = data.draw(st.integers(1, len(values)))
    assert nth_largest(np.bincount(values, minlength=64), n) == np.sort(values)[-n]


@settings(max_examples=30)
@given(
    st.integers(0, 4).flatmap(lambda n: hnp.arrays(np.uint16, (n, 2, 3, 5), elements=st.integers(0, 4095))),
    st.floats(0, 60),
)
def test_a_pooled_threshold_is_that_of_one_large_image(fields, percent):
    pooled = pooled_thresholds(iter(fields), 2, percent)
    if not len(fields):
        assert pooled.tolist() == [0, 0]
        return
    n = max(1, round(len(fields) * 15 * percent / 100))
    assert pooled.tolist() == [np.sort(fields[:, channel], axis=None)[-n] for channel in range(2)]
