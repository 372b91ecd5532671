"""The cells and nuclei of a field: positions, shapes and brightness, drawn for a phenotype."""

from dataclasses import dataclass

import numpy as np

from cloome_kedro.simulation.drawing import FIELD_UM
from cloome_kedro.simulation.phenotype import AXES, LIMIT, ONE_SIDED

#: expected number of untreated cells, as counted in a field of Bray et al. 2017 at the same scale
CELLS_PER_FIELD = 15.0
#: width of a margin around the field that also has cells, so that the edge of the field cuts some cells
MARGIN_UM = 20.0


@dataclass
class Cells:
    """The N cells of a field, as arrays with one entry per cell. Lengths are in um, angles in radians.

    Attributes
    ----------
    x, y
        (N,) centres.
    angle
        (N,) direction of the long axis.
    long, short
        (N,) half axes of the cell body.
    pole
        (N,) direction from the centre in which Golgi, endoplasmic reticulum and mitochondria gather.
    rounding
        (N,) from 0, a flat cell, to 1, a ball.
    mitotic
        (N,) bool.
    brightness
        (N, 5) factors on the stains, around 1. The stains of a cell vary together, with small independent parts.
    layer
        (N,) 0 or 1. Cells in the same layer do not overlap. The two layers lie on top of each other.
    """

    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    long: np.ndarray
    short: np.ndarray
    pole: np.ndarray
    rounding: np.ndarray
    mitotic: np.ndarray
    brightness: np.ndarray
    layer: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


@dataclass
class Nuclei:
    """The M nuclei of a field, as arrays with one entry per nucleus. Lengths are in um, angles in radians.

    Attributes
    ----------
    cell
        (M,) int: row of the nucleus' cell in :class:`Cells`.
    x, y
        (M,) centres.
    angle
        (M,) direction of the axis ``long``.
    long, short
        (M,) half axes.
    intensity
        (M,) brightness of the DNA stain, around 1 for untreated nuclei.
    """

    cell: np.ndarray
    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    long: np.ndarray
    short: np.ndarray
    intensity: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


def effective(phenotype: np.ndarray) -> dict[str, float]:
    """Convert a phenotype to the values that are rendered.

    Values are clipped to ``-LIMIT`` to ``LIMIT``. Negative values on the axes in ``ONE_SIDED`` become 0.

    Parameters
    ----------
    phenotype
        (len(AXES),) float.

    Returns
    -------
    Axis -> value.
    """
    values = np.clip(np.asarray(phenotype, float), -LIMIT, LIMIT)
    return {
        axis: max(float(value), 0.0) if axis in ONE_SIDED else float(value)
        for axis, value in zip(AXES, values, strict=True)
    }


def populate(trait: dict[str, float], density: float, rng: np.random.Generator) -> tuple[Cells, Nuclei]:
    """Draw the cells and nuclei of one field.

    Parameters
    ----------
    trait
        Axis -> value, as :func:`effective` returns it.
    density
        Factor on the number of cells, from effects of the plate and its edge.
    rng
        Generator of all draws.
    """
    width = FIELD_UM + 2 * MARGIN_UM
    expected_number = CELLS_PER_FIELD * 2.0 ** min(trait["cell_count"], 1.2) * density * (width / FIELD_UM) ** 2
    n_cells = max(int(np.round(expected_number * np.exp(0.1 * rng.standard_normal()))), 1)
    x, y = _spread(n_cells, width, rng)

    mitotic = rng.random(n_cells) < 0.03 + 0.32 * trait["mitotic"]
    rounding = np.clip(0.6 * trait["rounding"] * rng.lognormal(0, 0.4, n_cells), 0, 1)
    rounding = np.where(mitotic, 0.9, rounding)
    radius = 26.0 * 1.4 ** trait["cell_size"] * rng.lognormal(0, 0.14, n_cells)
    radius += (8.5 - radius) * rounding
    aspect = np.clip(1.8 * rng.lognormal(0, 0.3, n_cells) * 2.0 ** trait["elongation"], 1, 6) ** (1 - rounding)
    # Cells align loosely with a common direction.
    angle = rng.uniform(0, np.pi) + 0.8 * 0.7 ** trait["elongation"] * rng.standard_normal(n_cells)
    brightness = (
        rng.lognormal(0, 0.25, (n_cells, 1))
        * rng.lognormal(0, [0.1, 0.1, 0.1, 0.3, 0.1], (n_cells, 5))
        * (1 + 1.3 * rounding[:, None])
    )
    cells = Cells(
        x=x,
        y=y,
        angle=angle,
        long=radius * np.sqrt(aspect),
        short=radius / np.sqrt(aspect),
        pole=rng.uniform(0, 2 * np.pi, n_cells),
        rounding=rounding,
        mitotic=mitotic,
        brightness=brightness,
        layer=rng.permutation(n_cells) % 2,
    )
    return cells, _nuclei(cells, trait, rng)


def _spread(n: int, width: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw n positions in a square of a width in um, move neighbours apart, and return (n,) x and (n,) y in um."""
    positions = rng.uniform(0, width, (n, 2))
    target_distance = 0.8 * width / np.sqrt(n)
    for _ in range(4):
        difference = positions[:, None] - positions[None]
        distance = np.sqrt((difference**2).sum(-1)) + np.eye(n) * 1e6
        push = np.clip(target_distance / distance - 1, 0, 1)[..., None] * difference
        positions = np.clip(positions + 0.25 * push.sum(1), 0, width)
    return positions[:, 0] - MARGIN_UM, positions[:, 1] - MARGIN_UM


def _nuclei(cells: Cells, trait: dict[str, float], rng: np.random.Generator) -> Nuclei:
    """Draw the nuclei of the cells: one per cell, or two or three in cells with several nuclei."""
    n_cells = len(cells)
    is_multinucleate = (rng.random(n_cells) < 0.02 + 0.6 * trait["multinucleation"]) & ~cells.mitotic
    count = np.where(is_multinucleate, 2 + (rng.random(n_cells) < 0.4 * trait["multinucleation"]), 1)
    cell = np.repeat(np.arange(n_cells), count)
    n_nuclei = len(cell)
    # If a cell has several nuclei, they lie around its centre.
    direction = cells.pole[cell] + 2 * np.pi * (np.arange(n_nuclei) - np.searchsorted(cell, cell)) / count[cell]
    shift = np.where(count[cell] > 1, 6.5, 0.0)
    replicated = rng.random(n_nuclei) < 0.3  # after DNA synthesis, a nucleus is larger and has more DNA
    radius = 7.9 * 1.33 ** trait["nucleus_size"] * rng.lognormal(0, 0.11, n_nuclei) * np.where(replicated, 1.12, 1.0)
    radius *= np.where(count[cell] > 1, 0.76, 1.0) * (1 - 0.22 * cells.rounding[cell])
    aspect = np.maximum(1.45 * rng.lognormal(0, 0.16, n_nuclei), 1.05) * 1.35 ** trait["elongation"]
    intensity = rng.lognormal(0, 0.13, n_nuclei) * np.where(replicated, 1.25, 1.0) * 1.6 ** trait["nucleus_intensity"]
    long, short = radius * np.sqrt(aspect), radius / np.sqrt(aspect)
    mitotic = cells.mitotic[cell]  # condensed chromosomes form a short, bright plate
    scale = radius / 8.1
    return Nuclei(
        cell=cell,
        x=cells.x[cell] + shift * np.cos(direction),
        y=cells.y[cell] + shift * np.sin(direction),
        angle=np.where(mitotic, cells.pole[cell], cells.angle[cell] + 0.35 * rng.standard_normal(n_nuclei)),
        long=np.where(mitotic, 7.4 * scale, long),
        short=np.where(mitotic, rng.uniform(2.8, 5.0, n_nuclei) * scale, short),
        intensity=intensity * np.where(mitotic, 2.1, 1.0),
    )
