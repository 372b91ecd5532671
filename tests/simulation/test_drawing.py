"""Drawing on a canvas: closed forms, and independence of the canvas' size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.simulation.drawing import FIELD_UM, canvas, ellipse_distances, nearest_two

inside = st.floats(30, FIELD_UM - 30)


@settings(max_examples=25)
@given(inside, inside, st.floats(0, np.pi), st.floats(3, 30), st.floats(3, 30))
def test_ellipse_distance_is_that_of_the_turned_and_scaled_frame(x, y, angle, long, short):
    sheet = canvas(32)
    one = [np.array([value]) for value in (x, y, angle, long, short)]
    turned = ((sheet.x - x) + 1j * (sheet.y - y)) * np.exp(-1j * angle)
    expected = (turned.real / long) ** 2 + (turned.imag / short) ** 2
    np.testing.assert_allclose(ellipse_distances(sheet.x, sheet.y, *one)[0], expected.ravel(), rtol=2e-3, atol=2e-2)


def test_nearest_two_are_the_two_smallest():
    distances = np.random.default_rng(0).random((7, 50))
    owner, first, second = nearest_two(distances.copy())
    np.testing.assert_array_equal(owner, distances.argmin(0))
    np.testing.assert_array_equal(np.stack([first, second]), np.sort(distances, axis=0)[:2])


def test_nearest_two_of_one_object_has_no_runner_up():
    assert np.isinf(nearest_two(np.ones((1, 4)))[2]).all()


@pytest.mark.parametrize("size", [64, 96, 128])
def test_a_spot_has_a_gaussian_s_volume_and_centre_whatever_the_pixel(size):
    sheet = canvas(size)
    image = sheet.spots(*(np.array([value]) for value in (60.3, 40.8, 3.0, 2.0)))
    assert image.sum() * sheet.pixel**2 == pytest.approx(2 * np.pi * 3.0**2 * 2.0, rel=0.05)
    assert (image * sheet.x).sum() / image.sum() == pytest.approx(60.3, abs=0.2)
    assert (image * sheet.y).sum() / image.sum() == pytest.approx(40.8, abs=0.2)


def test_spots_cut_by_the_edge_lose_what_is_outside():
    sheet = canvas(96)
    image = sheet.spots(*(np.array([value]) for value in (0.0, 60.0, 3.0, 1.0)))
    assert image.sum() * sheet.pixel**2 == pytest.approx(np.pi * 3.0**2, rel=0.05)


@settings(max_examples=25)
@given(st.lists(st.tuples(inside, inside, st.floats(0.1, 5)), min_size=1, max_size=20), st.sampled_from([48, 96]))
def test_threads_keep_all_light_in_its_place(points, size):
    sheet = canvas(size)
    x, y, light = np.array(points).T
    image = sheet.threads(x, y, light)
    assert image.sum() * sheet.pixel**2 == pytest.approx(light.sum(), rel=1e-4)
    assert (image * sheet.x).sum() / image.sum() == pytest.approx((x * light).sum() / light.sum(), abs=1e-2)


@pytest.mark.parametrize("wavelength", [6.0, 15.0])
def test_noise_is_standardised_and_has_its_wavelength(wavelength):
    sheet, rng = canvas(96), np.random.default_rng(0)
    windows = np.stack([sheet.noise(wavelength, rng) for _ in range(40)])
    assert abs(windows.mean()) < 0.1
    assert windows.std() == pytest.approx(1, abs=0.1)
    power = (np.abs(np.fft.fft2(windows)) ** 2).mean(0)
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(96, sheet.pixel)] * 2))
    assert (power * frequency).sum() / power.sum() == pytest.approx(1 / wavelength, rel=0.5)
