"""Who lives in a field: cells and nuclei with their places, shapes and brightness, drawn from a phenotype."""

from dataclasses import dataclass

import numpy as np

from cloome_kedro.simulation.drawing import FIELD_UM
from cloome_kedro.simulation.phenotype import AXES, LIMIT, ONE_SIDED

CELLS_PER_FIELD = 15.0  # untreated; counted in a field of Bray et al. 2017 at the same scale
MARGIN_UM = 20.0  # cells are placed beyond the field's edge, too, so that some are cut by it


@dataclass
class Cells:
    """One row a cell; lengths in um, angles in radians, brightness around 1."""

    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    long: np.ndarray  # half axes of the body
    short: np.ndarray
    pole: np.ndarray  # the direction in which Golgi, reticulum and mitochondria gather
    rounding: np.ndarray  # 0 flat .. 1 a ball
    mitotic: np.ndarray  # bool
    brightness: np.ndarray  # (cells, 5): a cell's stains go up and down together, and a little apart
    layer: np.ndarray  # 0 or 1: cells of one layer tile the ground, the layers lie over each other

    def __len__(self) -> int:
        return len(self.x)


@dataclass
class Nuclei:
    """One row a nucleus; ``cell`` is its row in :class:`Cells`."""

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
    """A phenotype vector as axis -> value, limited to +-2 and to what each axis can show."""
    values = np.clip(np.asarray(phenotype, float), -LIMIT, LIMIT)
    return {
        axis: max(float(value), 0.0) if axis in ONE_SIDED else float(value)
        for axis, value in zip(AXES, values, strict=True)
    }


def populate(p: dict[str, float], density: float, rng: np.random.Generator) -> tuple[Cells, Nuclei]:
    """Draw the cells and nuclei of one field.

    Parameters
    ----------
    p : axis -> value, from :func:`effective`
    density : factor on the number of cells (plate and edge effects)
    """
    width = FIELD_UM + 2 * MARGIN_UM
    expected = CELLS_PER_FIELD * 2.0 ** min(p["cell_count"], 1.2) * density * (width / FIELD_UM) ** 2
    n = max(int(np.round(expected * np.exp(0.1 * rng.standard_normal()))), 1)
    x, y = _spread(n, width, rng)

    mitotic = rng.random(n) < 0.03 + 0.32 * p["mitotic"]
    rounding = np.clip(0.6 * p["rounding"] * rng.lognormal(0, 0.4, n), 0, 1)
    rounding = np.where(mitotic, 0.9, rounding)
    radius = 26.0 * 1.4 ** p["cell_size"] * rng.lognormal(0, 0.14, n)
    radius += (8.5 - radius) * rounding
    aspect = np.clip(1.8 * rng.lognormal(0, 0.3, n) * 2.0 ** p["elongation"], 1, 6) ** (1 - rounding)
    angle = rng.uniform(0, np.pi) + 0.8 * 0.7 ** p["elongation"] * rng.standard_normal(n)  # neighbours align, loosely
    brightness = (
        rng.lognormal(0, 0.25, (n, 1))
        * rng.lognormal(0, [0.1, 0.1, 0.1, 0.3, 0.1], (n, 5))
        * (1 + 1.3 * rounding[:, None])
    )
    cells = Cells(
        x=x,
        y=y,
        angle=angle,
        long=radius * np.sqrt(aspect),
        short=radius / np.sqrt(aspect),
        pole=rng.uniform(0, 2 * np.pi, n),
        rounding=rounding,
        mitotic=mitotic,
        brightness=brightness,
        layer=rng.permutation(n) % 2,
    )
    return cells, _nuclei(cells, p, rng)


def _spread(n: int, width: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random places that keep their distance: neighbours push each other away, a few times."""
    places = rng.uniform(0, width, (n, 2))
    apart = 0.8 * width / np.sqrt(n)
    for _ in range(4):
        difference = places[:, None] - places[None]
        distance = np.sqrt((difference**2).sum(-1)) + np.eye(n) * 1e6
        push = np.clip(apart / distance - 1, 0, 1)[..., None] * difference
        places = np.clip(places + 0.25 * push.sum(1), 0, width)
    return places[:, 0] - MARGIN_UM, places[:, 1] - MARGIN_UM


def _nuclei(cells: Cells, p: dict[str, float], rng: np.random.Generator) -> Nuclei:
    n = len(cells)
    several = (rng.random(n) < 0.02 + 0.6 * p["multinucleation"]) & ~cells.mitotic
    count = np.where(several, 2 + (rng.random(n) < 0.4 * p["multinucleation"]), 1)
    cell = np.repeat(np.arange(n), count)
    m = len(cell)
    # where a cell has several, they stand around its centre
    turn = cells.pole[cell] + 2 * np.pi * (np.arange(m) - np.searchsorted(cell, cell)) / count[cell]
    shift = np.where(count[cell] > 1, 6.5, 0.0)
    replicated = rng.random(m) < 0.3  # after DNA synthesis: more DNA in a larger nucleus
    radius = 7.9 * 1.33 ** p["nucleus_size"] * rng.lognormal(0, 0.11, m) * np.where(replicated, 1.12, 1.0)
    radius *= np.where(count[cell] > 1, 0.76, 1.0) * (1 - 0.22 * cells.rounding[cell])
    aspect = np.maximum(1.45 * rng.lognormal(0, 0.16, m), 1.05) * 1.35 ** p["elongation"]
    intensity = rng.lognormal(0, 0.13, m) * np.where(replicated, 1.25, 1.0) * 1.6 ** p["nucleus_intensity"]
    long, short = radius * np.sqrt(aspect), radius / np.sqrt(aspect)
    mitotic = cells.mitotic[cell]  # condensed chromosomes: a short, bright plate
    scale = radius / 8.1
    return Nuclei(
        cell=cell,
        x=cells.x[cell] + shift * np.cos(turn),
        y=cells.y[cell] + shift * np.sin(turn),
        angle=np.where(mitotic, cells.pole[cell], cells.angle[cell] + 0.35 * rng.standard_normal(m)),
        long=np.where(mitotic, 7.4 * scale, long),
        short=np.where(mitotic, rng.uniform(2.8, 5.0, m) * scale, short),
        intensity=intensity * np.where(mitotic, 2.1, 1.0),
    )
