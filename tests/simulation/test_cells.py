"""The population of a field: what is drawn from a phenotype."""

import numpy as np
import pytest

from cloome_kedro.simulation.cells import CELLS_PER_FIELD, MARGIN_UM, effective, populate
from cloome_kedro.simulation.drawing import FIELD_UM
from cloome_kedro.simulation.phenotype import AXES, MEANINGS, ONE_SIDED


def vector(**effects: float) -> np.ndarray:
    return np.array([effects.get(axis, 0.0) for axis in AXES])


def population(n=60, density=1.0, **effects):
    p = effective(vector(**effects))
    return [populate(p, density, np.random.default_rng(seed)) for seed in range(n)]


def in_field(cells) -> int:
    return ((cells.x > 0) & (cells.x < FIELD_UM) & (cells.y > 0) & (cells.y < FIELD_UM)).sum()


def test_axes_are_explained_and_one_sided_ones_exist():
    assert set(AXES) >= ONE_SIDED
    assert all(len(meaning) > 10 for meaning in MEANINGS.values())


def test_effects_are_limited_and_one_sided_ones_cannot_be_negative():
    assert effective(np.full(len(AXES), 9.0)) == dict.fromkeys(AXES, 2.0)
    low = effective(np.full(len(AXES), -9.0))
    assert {axis for axis, value in low.items() if value == 0} == ONE_SIDED
    assert {value for axis, value in low.items() if axis not in ONE_SIDED} == {-2.0}


@pytest.mark.parametrize(("effect", "density", "factor"), [(0, 1, 1), (1, 1, 2), (-1, 1, 0.5), (0, 0.5, 0.5)])
def test_cells_in_a_field(effect, density, factor):
    counts = [in_field(cells) for cells, _ in population(density=density, cell_count=effect)]
    assert np.mean(counts) == pytest.approx(CELLS_PER_FIELD * factor, rel=0.15)


def test_cells_keep_their_distance_and_reach_beyond_the_field():
    rng, nearest = np.random.default_rng(0), []
    for cells, _ in population(20):
        places = np.stack([cells.x, cells.y], 1)
        random = rng.uniform(-MARGIN_UM, FIELD_UM + MARGIN_UM, places.shape)
        nearest.append([np.sort(np.hypot(*(p[:, None] - p).T), axis=1)[:, 1].mean() for p in (places, random)])
        assert (cells.x < 0).any()
        assert (cells.x > FIELD_UM).any()
    drawn, random = np.mean(nearest, axis=0)
    assert drawn > 1.3 * random


@pytest.mark.parametrize(("axis", "share"), [("multinucleation", 0.62), ("mitotic", 0.35)])
def test_shares_of_cells(axis, share):
    hits = total = 0
    for cells, nuclei in population(n=80, **{axis: 1.0}):
        several = np.bincount(nuclei.cell, minlength=len(cells)) > 1
        hits += (several if axis == "multinucleation" else cells.mitotic).sum()
        total += (~cells.mitotic).sum() if axis == "multinucleation" else len(cells)
    assert hits / total == pytest.approx(share, abs=0.05)


def test_sizes_follow_their_axes():
    """Same random numbers, other phenotype: the ratios are those that MEANINGS states."""
    (plain, plain_nuclei), *_ = population(1)
    (larger, _), *_ = population(1, cell_size=1.0)
    (_, wide), *_ = population(1, nucleus_size=1.0)
    (drawn_out, _), *_ = population(1, elongation=1.0)
    flat = ~plain.mitotic
    np.testing.assert_allclose(larger.long[flat] / plain.long[flat], 1.4)
    np.testing.assert_allclose(wide.short / plain_nuclei.short, 1.33)
    inside = flat & (drawn_out.long / drawn_out.short < 6)
    aspect = (drawn_out.long / drawn_out.short) / np.maximum(plain.long / plain.short, 1)
    assert np.median(aspect[inside]) == pytest.approx(2)
