"""Every axis of a phenotype shows in the light of the field, in the sense of its meaning."""

import numpy as np
import pytest
from scipy import ndimage

from cloome_kedro.simulation.drawing import canvas
from cloome_kedro.simulation.phenotype import AXES
from cloome_kedro.simulation.stains import CHANNELS, stain

MITO, ER, RNA, AGP, DNA = range(5)
FIELDS = 16


def fields(**effects: float) -> np.ndarray:
    vector = [effects.get(axis, 0.0) for axis in AXES]
    return np.stack([stain(vector, 1.0, canvas(96), np.random.default_rng(seed)) for seed in range(FIELDS)])


@pytest.fixture(scope="module")
def untreated():
    return fields()


def nuclei(field):
    """Areas of the nuclei in pixels."""
    labels, _ = ndimage.label(field[DNA] > 0.3)
    return np.bincount(labels.ravel())[1:]


def granularity(channel, small, large):
    """Share of variance between two scales, in pixels."""

    def measure(field):
        image = field[channel]
        band = ndimage.gaussian_filter(image, small) - ndimage.gaussian_filter(image, large)
        return band.std() / image.mean()

    return measure


def around_nuclei(channel):
    """Light in a ring around the nuclei over the light outside of it."""

    def measure(field):
        inside = field[DNA] > 0.3
        ring = ndimage.binary_dilation(inside, iterations=4) & ~inside
        return field[channel][ring].mean() / field[channel][~ring & ~inside].mean()

    return measure


def solidity(field):
    """Area over squared outline of the nuclei: less for lobed ones."""
    inside = field[DNA] > 0.3
    return inside.sum() / (inside & ~ndimage.binary_erosion(inside)).sum()


def anisotropy(field):
    dy, dx = np.gradient(ndimage.gaussian_filter(field[RNA], 1))
    xx, yy, xy = (dx * dx).mean(), (dy * dy).mean(), (dx * dy).mean()
    return np.hypot(xx - yy, 2 * xy) / (xx + yy)


def within_nuclei(field):
    inside = ndimage.binary_erosion(field[DNA] > 0.3, iterations=2)
    residual = field[DNA] - ndimage.gaussian_filter(field[DNA], 2)
    return residual[inside].std() / field[DNA][inside].mean()


def nucleolus_area(field):
    residual = field[RNA] - ndimage.median_filter(field[RNA], 9)
    labels, count = ndimage.label((residual > 0.4) & (field[DNA] > 0.3))
    return (labels > 0).sum() / max(count, 1)


def nucleolar_rna(field):
    """RNA in the nuclei over RNA beside them."""
    inside = field[DNA] > 0.3
    return field[RNA][inside].mean() / field[RNA][ndimage.binary_dilation(inside, iterations=4) & ~inside].mean()


def spots(field):
    """Light in spots of the AGP channel, which Golgi in one place has more of."""
    return np.percentile(field[AGP], 99.8) / field[AGP].mean()


#: axis -> measurement of one field, and whether it rises (1) or falls (-1) with the axis
MEASURES = {
    "cell_count": (lambda field: (field[DNA] > 0.3).mean(), 1),
    "nucleus_size": (lambda field: np.median(nuclei(field)), 1),
    "nucleus_irregularity": (solidity, -1),
    "nucleus_intensity": (lambda field: field[DNA][field[DNA] > 0.3].mean(), 1),
    "chromatin_texture": (within_nuclei, 1),
    "multinucleation": (lambda field: (field[DNA] > 0.3).mean(), 1),
    "mitotic": (lambda field: np.percentile(field[DNA], 99.5), 1),
    "cell_size": (lambda field: (field[RNA] > 0.2).mean(), 1),
    "elongation": (anisotropy, 1),
    "rounding": (lambda field: (field[RNA] > 0.2).mean(), -1),
    "mito_intensity": (lambda field: field[MITO].mean(), 1),
    "mito_fragmentation": (granularity(MITO, 0.5, 1.5), 1),
    "mito_perinuclear": (around_nuclei(MITO), 1),
    "er_intensity": (lambda field: field[ER].mean(), 1),
    "er_texture": (granularity(ER, 1, 3), 1),
    "rna_intensity": (lambda field: field[RNA].mean(), 1),
    "nucleoli_size": (nucleolus_area, 1),
    "nucleoli_count": (nucleolar_rna, 1),
    "actin_intensity": (lambda field: field[AGP].mean(), 1),
    "actin_fibres": (granularity(AGP, 0.5, 2), 1),
    "golgi_dispersal": (spots, -1),
    "golgi_intensity": (spots, 1),
    "vacuoles": (granularity(RNA, 0.7, 2), 1),
    "dna_background": (lambda field: np.percentile(field[DNA], 30), 1),
}


@pytest.mark.parametrize("axis", AXES)
def test_axis_shows_in_the_light(axis, untreated):
    measure, sign = MEASURES[axis]
    before = [measure(field) for field in untreated]
    after = [measure(field) for field in fields(**{axis: 1.5})]
    change = sign * np.subtract(after, before)
    assert change.mean() > 4 * change.std(ddof=1) / np.sqrt(FIELDS)


@pytest.mark.parametrize(("axis", "channel"), [("mito_intensity", MITO), ("er_intensity", ER), ("rna_intensity", RNA)])
def test_intensities_multiply_one_channel_and_leave_the_others(axis, channel, untreated):
    treated = fields(**{axis: 1.0})
    others = [c for c in range(len(CHANNELS)) if c != channel]
    np.testing.assert_allclose(treated[:, channel], 1.7 * untreated[:, channel], rtol=1e-4)
    np.testing.assert_array_equal(treated[:, others], untreated[:, others])


def test_light_is_finite_and_not_negative_at_the_ends_of_the_axes():
    rng = np.random.default_rng(0)
    for seed in range(12):
        light = stain(rng.choice([-2.0, 2.0], len(AXES)), 0.3 + rng.random(), canvas(48), np.random.default_rng(seed))
        assert light.shape == (5, 48, 48)
        assert np.isfinite(light).all()
        assert light.min() >= 0
