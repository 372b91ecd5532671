"""The five stains: the light that cells and nuclei emit, before it passes the microscope.

Three features make the cells look real:

- There are two translucent layers of cells. The cells of a layer tile the ground and have irregular borders.
- Each cell has a pole. Endoplasmic reticulum (ER), mitochondria and Golgi form a crescent on this side of the nucleus.
- Actin fibres are long, thin, curved threads.
"""

import numpy as np

from cloome_kedro.simulation.cells import Cells, Nuclei, effective, populate
from cloome_kedro.simulation.drawing import Canvas, ellipse_distances, nearest_two

#: channels in the order of all images
CHANNELS = ("Mito", "ER", "RNA", "AGP", "DNA")
_MITO, _ER, _RNA, _AGP = range(4)


def stain(phenotype: np.ndarray, density: float, canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Draw the cells of one field and the light of their stains.

    Parameters
    ----------
    phenotype
        (len(AXES),) float, see :mod:`cloome_kedro.simulation.phenotype`.
    density
        Factor on the number of cells.
    canvas
        Canvas on which the field is drawn.
    rng
        Generator of all draws.

    Returns
    -------
    float32 (5, size, size) in the order of :data:`CHANNELS`. Stained structures have values of about 1.
    """
    trait = effective(phenotype)
    cells, nuclei = populate(trait, density, rng)
    warp = [canvas.noise(45.0, rng) * 3.0 + canvas.noise(12.0, rng) * 0.6 for _ in range(2)]
    x, y = canvas.x + warp[0], canvas.y + warp[1]

    nucleus, dna = _nuclear_dna(nuclei, trait, canvas, rng)
    bodies = [_Layer(cells, layer, x, y, canvas) for layer in (0, 1) if (cells.layer == layer).any()]
    cover = np.minimum(sum(body.cover for body in bodies), 1.0)
    outside = 1 - nucleus
    vacuoles = _vacuoles(cells, trait, canvas, rng)

    haze = 1 + 0.06 * canvas.noise(5.0, rng)
    patches = np.clip(1 + 0.11 * 3.6 ** trait["er_texture"] * canvas.noise(7.0, rng), 0.05, None)
    er = sum(body.light[_ER] * (0.16 * body.flat + 0.22 * body.thick + 0.8 * body.crescent) for body in bodies)
    er = er * patches * (1 - 0.25 * nucleus)
    rna = sum(body.light[_RNA] * (0.42 * body.flat + 0.7 * body.thick + 0.1 * body.crescent) for body in bodies)
    rna = rna * haze * (1 + 0.22 * nucleus) + _nucleoli(cells, nuclei, trait, canvas, rng)
    agp_haze = sum(body.light[_AGP] * (0.4 * body.flat + 0.4 * body.rim) for body in bodies) * (1 - 0.4 * nucleus)
    fibres = _actin_fibres(cells, trait, canvas, rng) * (0.1 + 0.9 * cover) * (1 - 0.45 * nucleus)
    golgi = _golgi(cells, trait, canvas, rng) * (0.25 + 0.75 * outside)
    agp = agp_haze * 1.4 ** -trait["actin_fibres"] * (1 + 0.12 * canvas.noise(9.0, rng)) + fibres
    mito_threads = _mitochondria(cells, trait, canvas, rng) * (0.3 + 0.7 * outside) * (0.1 + 0.9 * cover)
    mito = sum(body.light[_MITO] * (0.24 * body.flat + 0.16 * body.thick + 0.5 * body.crescent) for body in bodies)
    mito = mito * (1 - 0.1 * nucleus) + mito_threads

    glow = trait["dna_background"]
    medium = sum(body.flat + body.thick for body in bodies)
    return np.stack(
        [
            mito * (1 - 0.6 * vacuoles) * 1.7 ** trait["mito_intensity"],
            er * (1 - 0.85 * vacuoles) * 1.7 ** trait["er_intensity"],
            rna * (1 - 0.85 * vacuoles) * 1.7 ** trait["rna_intensity"],
            (agp * 1.7 ** trait["actin_intensity"] + golgi * 1.7 ** trait["golgi_intensity"]) * (1 - 0.6 * vacuoles),
            dna + 0.015 * medium + glow * (0.1 * medium + 0.05),
        ]
    ).astype(np.float32)


class _Layer:
    """The bodies of one layer of cells, as one map per feature.

    Each pixel belongs to the nearest cell of the layer.

    Parameters
    ----------
    cells
        Cells of the field.
    layer
        Number of the layer, 0 or 1.
    x, y
        (size, size) coordinates of the pixels in um. Warped coordinates give irregular borders.
    canvas
        Canvas with the true coordinates of the pixels.

    Attributes
    ----------
    flat
        (size, size) light of an evenly spread cell.
    thick
        (size, size) light of the thick part of a cell around its nucleus.
    cover
        (size, size) share of each pixel that a cell covers.
    rim
        (size, size) light of the rim of a cell.
    crescent
        (size, size) light of the crescent on the side of the pole.
    light
        (5, size, size) brightness of the stains of the pixel's cell.
    """

    def __init__(self, cells: Cells, layer: int, x: np.ndarray, y: np.ndarray, canvas: Canvas):
        members = np.flatnonzero(cells.layer == layer)
        shift = 0.2 * cells.short[members]  # the body extends further from the nucleus on the side of the pole
        centre_x, centre_y = (
            cells.x[members] + shift * np.cos(cells.pole[members]),
            cells.y[members] + shift * np.sin(cells.pole[members]),
        )
        squared = ellipse_distances(
            x, y, centre_x, centre_y, cells.angle[members], cells.long[members], cells.short[members]
        )
        owner, nearest, second = nearest_two(squared)
        distance, gap = np.sqrt(nearest), np.sqrt(np.minimum(second, 25.0)) - np.sqrt(nearest)
        shape = x.shape
        edge = np.clip((1.15 - distance) / 0.5, 0, 1)
        border = np.clip(gap / 0.4, 0, 1)
        flat = edge * (0.4 + 0.6 * border)
        cell = members[owner]
        rounding = cells.rounding[cell]
        self.flat = flat.reshape(shape)
        self.thick = (flat * np.exp(-2.2 * nearest * (1 - 0.6 * rounding))).reshape(shape)
        self.cover = edge.reshape(shape)
        rim = 0.5 * np.exp(-((gap / 0.15) ** 2)) * edge + np.exp(-(((distance - 0.95) / 0.12) ** 2))
        self.rim = (rim * (gap < 4)).reshape(shape)
        # ER and mitochondria lie around a point beside the nucleus. It is nearer to the nucleus in round cells.
        pole_distance = 7.5 * (1 - 0.6 * rounding)
        dx = x.ravel() - cells.x[cell] - pole_distance * np.cos(cells.pole[cell])
        dy = y.ravel() - cells.y[cell] - pole_distance * np.sin(cells.pole[cell])
        self.crescent = (flat * np.exp(-(dx * dx + dy * dy) / (2 * 6.8**2))).astype(np.float32).reshape(shape)
        self.light = cells.brightness[cell].T.astype(np.float32).reshape(-1, *shape)


def _nuclear_dna(nuclei: Nuclei, trait, canvas: Canvas, rng) -> tuple[np.ndarray, np.ndarray]:
    """Share of each pixel that a nucleus covers, and light of the DNA stain: float32 (size, size) each."""
    squared = ellipse_distances(canvas.x, canvas.y, nuclei.x, nuclei.y, nuclei.angle, nuclei.long, nuclei.short)
    owner = squared.argmin(axis=0)
    distance = np.sqrt(squared[owner, np.arange(squared.shape[1])])
    direction = np.arctan2(canvas.y.ravel() - nuclei.y[owner], canvas.x.ravel() - nuclei.x[owner])
    lobes = np.zeros_like(direction)
    for harmonic, weight in ((2, 0.6), (3, 1.0), (5, 0.35)):
        lobes += weight * np.cos(harmonic * direction + rng.uniform(0, 2 * np.pi, len(nuclei))[owner])
    distance = distance * (1 + (0.025 + 0.17 * trait["nucleus_irregularity"]) * lobes)
    inside = np.clip((1 - distance) / 0.16 + 0.5, 0, 1)
    dome = 0.72 + 0.28 * np.sqrt(np.clip(1 - distance**2, 0, 1))
    coarseness = min(0.09 * 3.6 ** trait["chromatin_texture"], 0.6)
    clumps = np.clip(1 + coarseness * canvas.noise(4.5, rng).ravel(), 0.15, None)
    light = inside * dome * clumps * nuclei.intensity[owner]
    shape = canvas.x.shape
    return inside.astype(np.float32).reshape(shape), light.astype(np.float32).reshape(shape)


def _nucleoli(cells: Cells, nuclei: Nuclei, trait, canvas: Canvas, rng) -> np.ndarray:
    """Light of the nucleoli in the RNA channel, (size, size): spots at random positions in the nuclei."""
    count = 1 + rng.poisson(3.0 * 2.0 ** (1.2 * trait["nucleoli_count"]), len(nuclei))
    count[cells.mitotic[nuclei.cell]] = 0  # nucleoli dissolve in mitosis
    nucleus = np.repeat(np.arange(len(nuclei)), count)
    radius, direction = 0.68 * np.sqrt(rng.random(len(nucleus))), rng.uniform(0, 2 * np.pi, len(nucleus))
    along, across = (
        radius * np.cos(direction) * nuclei.long[nucleus],
        radius * np.sin(direction) * nuclei.short[nucleus],
    )
    cos, sin = np.cos(nuclei.angle[nucleus]), np.sin(nuclei.angle[nucleus])
    sigma = 0.85 * 1.5 ** trait["nucleoli_size"] * rng.lognormal(0, 0.2, len(nucleus))
    light = 1.7 * rng.lognormal(0, 0.35, len(nucleus)) * cells.brightness[nuclei.cell[nucleus], _RNA]
    return canvas.spots(
        nuclei.x[nucleus] + along * cos - across * sin, nuclei.y[nucleus] + along * sin + across * cos, sigma, light
    )


def _actin_fibres(cells: Cells, trait, canvas: Canvas, rng) -> np.ndarray:
    """Light of stress fibres, (size, size): shallow arcs along the axis of the cell, which fade towards their ends."""
    flat = 1 - cells.rounding
    count = rng.poisson(15.0 * 1.6 ** trait["actin_fibres"] * flat)
    cell = np.repeat(np.arange(len(cells)), count)
    position = np.arange(-0.5, 0.5, 1 / 72)  # with 72 points, distances are below a pixel at 96 px
    length = cells.long[cell] * rng.uniform(0.6, 2.4, len(cell))
    angle = cells.angle[cell] + 0.3 * rng.standard_normal(len(cell))
    offset = rng.uniform(-0.95, 0.95, len(cell)) * cells.short[cell]
    shift = rng.uniform(-0.35, 0.35, len(cell)) * cells.long[cell]
    bend = 0.11 * rng.standard_normal(len(cell))
    ripple = 0.012 * rng.standard_normal(len(cell))
    along = shift[:, None] + length[:, None] * position
    across = offset[:, None] + length[:, None] * (
        bend[:, None] * (position**2 * 4 - 0.3) + ripple[:, None] * np.sin(4 * np.pi * position)
    )
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    taper = np.cos(np.pi * position)
    light = 0.6 * rng.lognormal(0, 0.5, len(cell)) * cells.brightness[cell, _AGP] * length / len(position)
    image = canvas.threads(
        cells.x[cell][:, None] + along * cos - across * sin,
        cells.y[cell][:, None] + along * sin + across * cos,
        light[:, None] * taper * 0.75 * 1.7 ** trait["actin_fibres"],
    )
    return canvas.blur(image, 0.45)


def _golgi(cells: Cells, trait, canvas: Canvas, rng) -> np.ndarray:
    """Light of the Golgi, (size, size): pieces at the pole. Dispersal makes more and dimmer pieces, further apart."""
    scatter = max(trait["golgi_dispersal"], -1.0)
    pieces = round(8 + 6 * max(scatter, 0))
    cell = np.repeat(np.arange(len(cells)), pieces)
    pole_distance = 9.0 * (1 - 0.5 * cells.rounding[cell])
    spread = 2.0 * 2.4**scatter * (1 - 0.3 * cells.rounding[cell])
    x = cells.x[cell] + pole_distance * np.cos(cells.pole[cell]) + spread * rng.standard_normal(len(cell))
    y = cells.y[cell] + pole_distance * np.sin(cells.pole[cell]) + spread * rng.standard_normal(len(cell))
    light = 5.5 / pieces * rng.lognormal(0, 0.4, len(cell)) * cells.brightness[cell, _AGP]
    return canvas.spots(x, y, rng.uniform(1.0, 1.6, len(cell)), light)


def _mitochondria(cells: Cells, trait, canvas: Canvas, rng) -> np.ndarray:
    """Light of mitochondria, (size, size): threads that are smooth random walks and start on the side of the pole.

    Fragmentation shortens the walks to dots.
    """
    threads, steps = 60, int(np.clip(round(11 * 2.6 ** -trait["mito_fragmentation"]), 2, 26))
    n_cells = len(cells)
    spread = 7.5 * 1.5 ** -trait["mito_perinuclear"] * (1 - 0.5 * cells.rounding)[:, None]
    pole_distance = 6.0 * 1.4 ** -trait["mito_perinuclear"] * (1 - 0.6 * cells.rounding)[:, None]
    along, across = spread * rng.standard_normal((2, n_cells, threads)) * np.array([1.25, 0.85])[:, None, None]
    cos, sin = np.cos(cells.angle)[:, None], np.sin(cells.angle)[:, None]
    x = cells.x[:, None] + pole_distance * np.cos(cells.pole)[:, None] + along * cos - across * sin
    y = cells.y[:, None] + pole_distance * np.sin(cells.pole)[:, None] + along * sin + across * cos
    heading = rng.uniform(0, 2 * np.pi, (n_cells, threads, 1)) + np.cumsum(
        0.3 * rng.standard_normal((n_cells, threads, steps)), -1
    )
    x = x[..., None] + 0.8 * np.cumsum(np.cos(heading), -1)
    y = y[..., None] + 0.8 * np.cumsum(np.sin(heading), -1)
    light = rng.lognormal(0, 0.5, (n_cells, threads)) * cells.brightness[:, _MITO, None]
    light = 0.36 * light * (11 / steps) ** 0.85  # shorter threads are brighter, so that the total light stays similar
    image = canvas.threads(x, y, np.broadcast_to(light[..., None], x.shape))
    return canvas.blur(image, 0.4)


def _vacuoles(cells: Cells, trait, canvas: Canvas, rng) -> np.ndarray:
    """Share of each pixel that vacuoles cover, from 0 to 1: (size, size)."""
    count = rng.poisson(9.0 * trait["vacuoles"] * (1 - 0.5 * cells.rounding))
    cell = np.repeat(np.arange(len(cells)), count)
    distance = 0.55 * np.sqrt(rng.random(len(cell))) * cells.short[cell] + 5.0
    direction = cells.pole[cell] + 1.1 * rng.standard_normal(len(cell))
    vacuoles = canvas.spots(
        cells.x[cell] + distance * np.cos(direction),
        cells.y[cell] + distance * np.sin(direction),
        rng.uniform(1.0, 2.0, len(cell)),
        np.full(len(cell), 1.3),
    )
    return np.minimum(vacuoles, 1.0)
