"""The microscope: noise of the right size, gains and edges where they belong."""

import dataclasses

import numpy as np
import pytest

from cloome_kedro.simulation.drawing import canvas
from cloome_kedro.simulation.microscope import EXPOSURE, GROUND, MAXIMUM, Plate, edge, photograph


def flat(level: float, size: int = 128) -> np.ndarray:
    return np.full((5, size, size), level, np.float32)


def ideal() -> Plate:
    return Plate.draw(0.0, np.random.default_rng(0))


@pytest.mark.parametrize("level", [0.0, 0.5, 2.0])
def test_an_ideal_plate_leaves_photon_and_read_noise_only(level):
    counts = photograph(flat(level), ideal(), "A01", canvas(128), np.random.default_rng(1)).astype(float)
    expected = GROUND + EXPOSURE * level
    np.testing.assert_allclose(counts.mean((1, 2)), expected, rtol=3e-3)
    # 3 electrons a count, 4 counts of read noise, and rounding to whole counts
    np.testing.assert_allclose(counts.var((1, 2)), expected / 3 + 4**2 + 1 / 12, rtol=0.05)


def test_counts_are_twelve_bits_and_saturate():
    counts = photograph(flat(50.0), ideal(), "A01", canvas(128), np.random.default_rng(1))
    assert counts.dtype == np.uint16
    assert (counts == MAXIMUM).all()


def test_a_plate_has_gains_of_its_own_that_grow_with_the_strength():
    plates = [[Plate.draw(strength, np.random.default_rng(s)).gain for s in range(200)] for strength in (0, 1, 2)]
    spread = np.log(plates).std((1, 2))
    np.testing.assert_allclose(spread, [0, 0.12, 0.24], atol=0.012)


def test_the_light_falls_from_its_centre():
    plate = Plate.draw(1.0, np.random.default_rng(3))
    fields = [photograph(flat(1.0, 64), plate, "H12", canvas(64), np.random.default_rng(s)) for s in range(20)]
    mean = np.median(fields, axis=0)
    x, y = canvas(64).x, canvas(64).y
    for channel, (centre_x, centre_y) in zip(mean, plate.light_centre, strict=True):
        distance = np.hypot(x - centre_x, y - centre_y).ravel()
        assert np.corrcoef(distance, channel.ravel())[0, 1] < -0.8


def test_dark_corners_get_no_negative_light():
    plate = dataclasses.replace(Plate.draw(2.0, np.random.default_rng(0)), light_fall=np.full(5, 3.0))
    with np.errstate(invalid="raise"):
        counts = photograph(flat(1.0, 64), plate, "H12", canvas(64), np.random.default_rng(0))
    corners = counts[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners.min(1) < GROUND * plate.ground).all()


def test_wells_at_the_edge():
    assert [edge(well) for well in ("A01", "A12", "P24", "H24")] == [1, 1, 1, 1]
    assert 1 > edge("B02") > edge("C03") > edge("H12")
    assert edge("H12") < 1e-3
    plate = Plate.draw(1.0, np.random.default_rng(0))
    assert plate.crowding("A01") == pytest.approx(0.8 * plate.density)
    assert ideal().crowding("A01") == 1


def test_debris_and_defocus_are_rare():
    """Flat light stays flat in most fields; the rare bright pixel is debris."""
    plate = Plate.draw(1.0, np.random.default_rng(0))
    fields = [photograph(flat(0.5, 48), plate, "H12", canvas(48), np.random.default_rng(s)) for s in range(150)]
    dirty = np.mean([field.max() > 1.5 * np.median(field, axis=(1, 2)).max() for field in fields])
    assert 0.05 < dirty < 0.3
