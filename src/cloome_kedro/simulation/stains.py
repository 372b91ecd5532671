"""The five stains: from cells and nuclei to the light that reaches the lens, before the microscope.

What makes cells look real: two translucent layers of cells, each a tessellation with warped borders; one pole a cell,
on whose side reticulum, mitochondria and Golgi lie as a crescent; actin as long thin curved threads.
"""

import numpy as np

from cloome_kedro.simulation.cells import Cells, Nuclei, effective, populate
from cloome_kedro.simulation.drawing import Canvas, ellipse_distances, nearest_two

CHANNELS = ("Mito", "ER", "RNA", "AGP", "DNA")
_MITO, _ER, _RNA, _AGP = range(4)


def stain(phenotype: np.ndarray, density: float, canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Light of one field, float32 (5, size, size) in the order of :data:`CHANNELS`; about 1 in a stained structure."""
    p = effective(phenotype)
    cells, nuclei = populate(p, density, rng)
    warp = [canvas.noise(45.0, rng) * 3.0 + canvas.noise(12.0, rng) * 0.6 for _ in range(2)]
    x, y = canvas.x + warp[0], canvas.y + warp[1]

    nucleus, dna = _nuclear_dna(nuclei, p, canvas, rng)
    bodies = [_Layer(cells, layer, x, y, canvas) for layer in (0, 1) if (cells.layer == layer).any()]
    cover = np.minimum(sum(body.cover for body in bodies), 1.0)
    outside = 1 - nucleus
    holes = _vacuoles(cells, p, canvas, rng)

    haze = 1 + 0.06 * canvas.noise(5.0, rng)
    patches = np.clip(1 + 0.11 * 3.6 ** p["er_texture"] * canvas.noise(7.0, rng), 0.05, None)
    er = sum(b.light[_ER] * (0.16 * b.flat + 0.22 * b.thick + 0.8 * b.crescent) for b in bodies)
    er = er * patches * (1 - 0.25 * nucleus)
    rna = sum(b.light[_RNA] * (0.42 * b.flat + 0.7 * b.thick + 0.1 * b.crescent) for b in bodies)
    rna = rna * haze * (1 + 0.22 * nucleus) + _nucleoli(cells, nuclei, p, canvas, rng)
    agp_haze = sum(b.light[_AGP] * (0.4 * b.flat + 0.4 * b.rim) for b in bodies) * (1 - 0.4 * nucleus)
    fibres = _actin_fibres(cells, p, canvas, rng) * (0.1 + 0.9 * cover) * (1 - 0.45 * nucleus)
    golgi = _golgi(cells, p, canvas, rng) * (0.25 + 0.75 * outside)
    agp = agp_haze * 1.4 ** -p["actin_fibres"] * (1 + 0.12 * canvas.noise(9.0, rng)) + fibres
    threads = _mitochondria(cells, p, canvas, rng) * (0.3 + 0.7 * outside) * (0.1 + 0.9 * cover)
    mito = sum(b.light[_MITO] * (0.24 * b.flat + 0.16 * b.thick + 0.5 * b.crescent) for b in bodies)
    mito = mito * (1 - 0.1 * nucleus) + threads

    glow = p["dna_background"]
    medium = sum(b.flat + b.thick for b in bodies)
    return np.stack(
        [
            mito * (1 - 0.6 * holes) * 1.7 ** p["mito_intensity"],
            er * (1 - 0.85 * holes) * 1.7 ** p["er_intensity"],
            rna * (1 - 0.85 * holes) * 1.7 ** p["rna_intensity"],
            (agp * 1.7 ** p["actin_intensity"] + golgi * 1.7 ** p["golgi_intensity"]) * (1 - 0.6 * holes),
            dna + 0.015 * medium + glow * (0.1 * medium + 0.05),
        ]
    ).astype(np.float32)


class _Layer:
    """The bodies of one layer of cells as pixel maps, each (size, size)."""

    def __init__(self, cells: Cells, layer: int, x: np.ndarray, y: np.ndarray, canvas: Canvas):
        own = np.flatnonzero(cells.layer == layer)
        lean = 0.2 * cells.short[own]  # the body reaches further on the pole's side than behind the nucleus
        centre_x, centre_y = (
            cells.x[own] + lean * np.cos(cells.pole[own]),
            cells.y[own] + lean * np.sin(cells.pole[own]),
        )
        squared = ellipse_distances(x, y, centre_x, centre_y, cells.angle[own], cells.long[own], cells.short[own])
        owner, nearest, second = nearest_two(squared)
        distance, gap = np.sqrt(nearest), np.sqrt(np.minimum(second, 25.0)) - np.sqrt(nearest)
        shape = x.shape
        edge = np.clip((1.15 - distance) / 0.5, 0, 1)
        border = np.clip(gap / 0.4, 0, 1)
        flat = edge * (0.4 + 0.6 * border)
        row = own[owner]
        balled = cells.rounding[row]
        self.flat = flat.reshape(shape)  # the spread cell, level
        self.thick = (flat * np.exp(-2.2 * nearest * (1 - 0.6 * balled))).reshape(shape)  # higher around the nucleus
        self.cover = edge.reshape(shape)
        rim = 0.5 * np.exp(-((gap / 0.15) ** 2)) * edge + np.exp(-(((distance - 0.95) / 0.12) ** 2))
        self.rim = (rim * (gap < 4)).reshape(shape)
        # reticulum and mitochondria: around a point beside the nucleus, nearer in round cells
        away = 7.5 * (1 - 0.6 * balled)
        dx = x.ravel() - cells.x[row] - away * np.cos(cells.pole[row])
        dy = y.ravel() - cells.y[row] - away * np.sin(cells.pole[row])
        self.crescent = (flat * np.exp(-(dx * dx + dy * dy) / (2 * 6.8**2))).astype(np.float32).reshape(shape)
        self.light = cells.brightness[row].T.astype(np.float32).reshape(-1, *shape)


def _nuclear_dna(nuclei: Nuclei, p, canvas: Canvas, rng) -> tuple[np.ndarray, np.ndarray]:
    """Share of nucleus in each pixel, and the DNA stain's light."""
    squared = ellipse_distances(canvas.x, canvas.y, nuclei.x, nuclei.y, nuclei.angle, nuclei.long, nuclei.short)
    owner = squared.argmin(axis=0)
    distance = np.sqrt(squared[owner, np.arange(squared.shape[1])])
    turn = np.arctan2(canvas.y.ravel() - nuclei.y[owner], canvas.x.ravel() - nuclei.x[owner])
    lobes = np.zeros_like(turn)
    for harmonic, weight in ((2, 0.6), (3, 1.0), (5, 0.35)):
        lobes += weight * np.cos(harmonic * turn + rng.uniform(0, 2 * np.pi, len(nuclei))[owner])
    distance = distance * (1 + (0.025 + 0.17 * p["nucleus_irregularity"]) * lobes)
    inside = np.clip((1 - distance) / 0.16 + 0.5, 0, 1)
    dome = 0.72 + 0.28 * np.sqrt(np.clip(1 - distance**2, 0, 1))
    coarseness = min(0.09 * 3.6 ** p["chromatin_texture"], 0.6)
    clumps = np.clip(1 + coarseness * canvas.noise(4.5, rng).ravel(), 0.15, None)
    light = inside * dome * clumps * nuclei.intensity[owner]
    shape = canvas.x.shape
    return inside.astype(np.float32).reshape(shape), light.astype(np.float32).reshape(shape)


def _nucleoli(cells: Cells, nuclei: Nuclei, p, canvas: Canvas, rng) -> np.ndarray:
    count = 1 + rng.poisson(3.0 * 2.0 ** (1.2 * p["nucleoli_count"]), len(nuclei))
    count[cells.mitotic[nuclei.cell]] = 0  # nucleoli dissolve in mitosis
    row = np.repeat(np.arange(len(nuclei)), count)
    radius, turn = 0.68 * np.sqrt(rng.random(len(row))), rng.uniform(0, 2 * np.pi, len(row))
    along, across = radius * np.cos(turn) * nuclei.long[row], radius * np.sin(turn) * nuclei.short[row]
    cos, sin = np.cos(nuclei.angle[row]), np.sin(nuclei.angle[row])
    sigma = 0.85 * 1.5 ** p["nucleoli_size"] * rng.lognormal(0, 0.2, len(row))
    light = 1.7 * rng.lognormal(0, 0.35, len(row)) * cells.brightness[nuclei.cell[row], _RNA]
    return canvas.spots(
        nuclei.x[row] + along * cos - across * sin, nuclei.y[row] + along * sin + across * cos, sigma, light
    )


def _actin_fibres(cells: Cells, p, canvas: Canvas, rng) -> np.ndarray:
    """Stress fibres: shallow arcs along the cell's axis, of uneven brightness along their length."""
    flat = 1 - cells.rounding
    count = rng.poisson(15.0 * 1.6 ** p["actin_fibres"] * flat)
    row = np.repeat(np.arange(len(cells)), count)
    step = np.arange(-0.5, 0.5, 1 / 72)  # 72 points: closer than a pixel at 96 px
    length = cells.long[row] * rng.uniform(0.6, 2.4, len(row))
    angle = cells.angle[row] + 0.3 * rng.standard_normal(len(row))
    offset = rng.uniform(-0.95, 0.95, len(row)) * cells.short[row]
    slide = rng.uniform(-0.35, 0.35, len(row)) * cells.long[row]
    bend = 0.11 * rng.standard_normal(len(row))
    ripple = 0.012 * rng.standard_normal(len(row))
    along = slide[:, None] + length[:, None] * step
    across = offset[:, None] + length[:, None] * (
        bend[:, None] * (step**2 * 4 - 0.3) + ripple[:, None] * np.sin(4 * np.pi * step)
    )
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    taper = np.cos(np.pi * step)
    light = 0.6 * rng.lognormal(0, 0.5, len(row)) * cells.brightness[row, _AGP] * length / len(step)
    image = canvas.threads(
        cells.x[row][:, None] + along * cos - across * sin,
        cells.y[row][:, None] + along * sin + across * cos,
        light[:, None] * taper * 0.75 * 1.7 ** p["actin_fibres"],
    )
    return canvas.blur(image, 0.45)


def _golgi(cells: Cells, p, canvas: Canvas, rng) -> np.ndarray:
    """Pieces of Golgi at the pole; dispersal spreads more and smaller pieces over the cell."""
    scatter = max(p["golgi_dispersal"], -1.0)
    pieces = round(8 + 6 * max(scatter, 0))
    row = np.repeat(np.arange(len(cells)), pieces)
    away = 9.0 * (1 - 0.5 * cells.rounding[row])
    spread = 2.0 * 2.4**scatter * (1 - 0.3 * cells.rounding[row])
    x = cells.x[row] + away * np.cos(cells.pole[row]) + spread * rng.standard_normal(len(row))
    y = cells.y[row] + away * np.sin(cells.pole[row]) + spread * rng.standard_normal(len(row))
    light = 5.5 / pieces * rng.lognormal(0, 0.4, len(row)) * cells.brightness[row, _AGP]
    return canvas.spots(x, y, rng.uniform(1.0, 1.6, len(row)), light)


def _mitochondria(cells: Cells, p, canvas: Canvas, rng) -> np.ndarray:
    """Threads as persistent random walks from around the pole; fragments are short walks, that is dots."""
    threads, steps = 60, int(np.clip(round(11 * 2.6 ** -p["mito_fragmentation"]), 2, 26))
    n = len(cells)
    spread = 7.5 * 1.5 ** -p["mito_perinuclear"] * (1 - 0.5 * cells.rounding)[:, None]
    away = 6.0 * 1.4 ** -p["mito_perinuclear"] * (1 - 0.6 * cells.rounding)[:, None]
    along, across = spread * rng.standard_normal((2, n, threads)) * np.array([1.25, 0.85])[:, None, None]
    cos, sin = np.cos(cells.angle)[:, None], np.sin(cells.angle)[:, None]
    x = cells.x[:, None] + away * np.cos(cells.pole)[:, None] + along * cos - across * sin
    y = cells.y[:, None] + away * np.sin(cells.pole)[:, None] + along * sin + across * cos
    heading = rng.uniform(0, 2 * np.pi, (n, threads, 1)) + np.cumsum(0.3 * rng.standard_normal((n, threads, steps)), -1)
    x = x[..., None] + 0.8 * np.cumsum(np.cos(heading), -1)
    y = y[..., None] + 0.8 * np.cumsum(np.sin(heading), -1)
    light = rng.lognormal(0, 0.5, (n, threads)) * cells.brightness[:, _MITO, None]
    light = 0.36 * light * (11 / steps) ** 0.85  # the same mass in fewer, brighter pieces
    image = canvas.threads(x, y, np.broadcast_to(light[..., None], x.shape))
    return canvas.blur(image, 0.4)


def _vacuoles(cells: Cells, p, canvas: Canvas, rng) -> np.ndarray:
    """How much of each pixel is a vacuole, 0 to 1."""
    count = rng.poisson(9.0 * p["vacuoles"] * (1 - 0.5 * cells.rounding))
    row = np.repeat(np.arange(len(cells)), count)
    reach = 0.55 * np.sqrt(rng.random(len(row))) * cells.short[row] + 5.0
    turn = cells.pole[row] + 1.1 * rng.standard_normal(len(row))
    holes = canvas.spots(
        cells.x[row] + reach * np.cos(turn),
        cells.y[row] + reach * np.sin(turn),
        rng.uniform(1.0, 2.0, len(row)),
        np.full(len(row), 1.3),
    )
    return np.minimum(holes, 1.0)
