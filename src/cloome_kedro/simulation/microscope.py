"""The microscope: blur, uneven light, plate and edge effects, debris, photon and camera noise, twelve bits."""

from dataclasses import dataclass

import numpy as np

from cloome_kedro.simulation.drawing import FIELD_UM, Canvas

# Mito, ER, RNA, AGP, DNA; levels of a field of Bray et al. 2017: the empty ground, and what a unit of light adds
GROUND = np.array([320.0, 270.0, 270.0, 430.0, 145.0], np.float32)
EXPOSURE = np.array([370.0, 860.0, 430.0, 720.0, 640.0], np.float32)
BLUR = np.array([1.0, 1.6, 1.15, 1.0, 1.0], np.float32)  # relative to the plate's focus
STRAY = np.array([0.35, 0.4, 0.25, 0.3, 0.05], np.float32)  # share of light from out of focus
MAXIMUM = 4095  # twelve bits
_ELECTRONS_PER_COUNT = 3.0
_READ_NOISE = 4.0  # counts
_ROWS, _COLUMNS = 16, 24


@dataclass(frozen=True)
class Plate:
    """What is common to the fields of one plate; a strength of 0 leaves the ideal plate."""

    strength: float
    gain: np.ndarray  # (5,)
    ground: np.ndarray  # (5,)
    density: float  # factor on the number of cells
    light_centre: np.ndarray  # (5, 2) in um
    light_fall: np.ndarray  # (5,) share of light lost at a field's corner
    focus: float  # um of blur

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> "Plate":
        """Draw a plate; ``strength`` 1 is an ordinary screen."""
        normal = rng.standard_normal((2, 5))
        return cls(
            strength=strength,
            gain=np.exp(0.12 * strength * normal[0]),
            ground=np.exp(0.1 * strength * normal[1]),
            density=float(np.exp(0.1 * strength * rng.standard_normal())),
            light_centre=FIELD_UM * (0.5 + 0.12 * strength * rng.standard_normal((5, 2))),
            light_fall=strength * rng.uniform(0.08, 0.25, 5),
            focus=float(0.75 * np.exp(0.15 * strength * rng.standard_normal())),
        )

    def crowding(self, well: str) -> float:
        """Factor on the number of cells in a well: wells at the plate's edge dry out and hold fewer."""
        return self.density * (1 - 0.2 * self.strength * edge(well))


def edge(well: str) -> float:
    """1 in the outermost rows and columns of a 384-well plate, fading inwards to 0, e.g. ``edge("A01") == 1``."""
    row, column = ord(well[0].upper()) - ord("A"), int(well[1:]) - 1
    steps = min(row, column, _ROWS - 1 - row, _COLUMNS - 1 - column)
    return float(np.exp(-max(steps, 0) / 0.8))


def photograph(light: np.ndarray, plate: Plate, well: str, canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Turn light, float32 (5, size, size), into counts of a 12-bit camera, uint16 of the same shape."""
    strength = plate.strength
    light = light + _debris(light.shape[0], strength, canvas, rng)
    sharp = np.stack([canvas.blur(channel, plate.focus * blur) for channel, blur in zip(light, BLUR, strict=True)])
    light = (1 - STRAY[:, None, None]) * sharp + STRAY[:, None, None] * canvas.blur(light, 9.0)
    if rng.random() < 0.02 * strength:  # out of focus
        light = canvas.blur(light, rng.uniform(2.5, 5.0))

    centre = plate.light_centre[:, :, None, None]
    corner = FIELD_UM / np.sqrt(2)
    distance = ((canvas.x - centre[:, 0]) ** 2 + (canvas.y - centre[:, 1]) ** 2) / corner**2
    lamp = np.maximum(1 - plate.light_fall[:, None, None] * distance, 0)
    staining = plate.gain * np.exp(0.05 * strength * rng.standard_normal(5)) * (1 + 0.1 * strength * edge(well))
    expected = (GROUND * plate.ground)[:, None, None] * (0.5 + 0.5 * lamp)
    expected = expected + (EXPOSURE * staining)[:, None, None] * lamp * light
    expected = expected.astype(np.float32)
    variance = expected / _ELECTRONS_PER_COUNT + _READ_NOISE**2
    # hundreds of electrons a pixel: the normal approximation of photon noise is exact enough, and fast
    counts = expected + np.sqrt(variance) * rng.standard_normal(expected.shape, dtype=np.float32)
    return np.clip(np.rint(counts), 0, MAXIMUM).astype(np.uint16)


def _debris(channels: int, strength: float, canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Dust and dead cells: rare blobs, bright enough to saturate in some of the channels."""
    blobs = rng.poisson(0.25 * strength)
    image = np.zeros((channels, canvas.size, canvas.size), np.float32)
    for _ in range(blobs):
        pieces = rng.integers(1, 6)
        x, y = rng.uniform(0, FIELD_UM, 2)
        blob = canvas.spots(
            x + 2.5 * rng.standard_normal(pieces),
            y + 2.5 * rng.standard_normal(pieces),
            rng.uniform(0.8, 3.0, pieces),
            rng.uniform(0.5, 1.0, pieces),
        )
        image += blob * rng.lognormal(0.6, 0.8, (channels, 1, 1)).astype(np.float32)
    return image
