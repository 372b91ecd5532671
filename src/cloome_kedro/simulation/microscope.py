"""The microscope: blur, uneven illumination, plate and edge effects, debris, photon and camera noise, 12-bit counts.

Arrays of five values are in the order of the channels Mito, ER, RNA, AGP, DNA.
"""

from dataclasses import dataclass

import numpy as np

from cloome_kedro.simulation.drawing import FIELD_UM, Canvas

#: counts of the background, and counts per unit of light; both match a field of Bray et al. 2017
GROUND = np.array([320.0, 270.0, 270.0, 430.0, 145.0], np.float32)
EXPOSURE = np.array([370.0, 860.0, 430.0, 720.0, 640.0], np.float32)
#: blur of each channel, as a factor on the blur of the plate
BLUR = np.array([1.0, 1.6, 1.15, 1.0, 1.0], np.float32)
#: share of the light that comes from planes out of focus
STRAY = np.array([0.35, 0.4, 0.25, 0.3, 0.05], np.float32)
#: largest count of a 12-bit camera
MAXIMUM = 4095
_ELECTRONS_PER_COUNT = 3.0
_READ_NOISE = 4.0  # standard deviation in counts
_ROWS, _COLUMNS = 16, 24  # of a 384-well plate


@dataclass(frozen=True)
class Plate:
    """Effects that all fields of a plate share.

    Attributes
    ----------
    strength
        Factor on plate effects. With 0, the plate has none.
    gain, ground
        (5,) factors on the light and on the background of each channel.
    density
        Factor on the number of cells.
    light_centre
        (5, 2) x and y of the centre of illumination of each channel in um.
    light_fall
        (5,) share of the light that is lost at a distance of half the diagonal of a field from this centre.
    focus
        Standard deviation of the blur in um.
    """

    strength: float
    gain: np.ndarray
    ground: np.ndarray
    density: float
    light_centre: np.ndarray
    light_fall: np.ndarray
    focus: float

    @classmethod
    def draw(cls, strength: float, rng: np.random.Generator) -> "Plate":
        """Draw the effects of a plate.

        Parameters
        ----------
        strength
            Factor on plate effects: 0 for none, 1 for an ordinary screen.
        rng
            Generator of all draws.
        """
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
        """Factor on the number of cells in a well. It is lower at the edge of the plate, where wells dry out."""
        return self.density * (1 - 0.2 * self.strength * edge(well))


def edge(well: str) -> float:
    """Strength of the edge effect in a well of a 384-well plate, from 1 in the outermost wells to almost 0 inside.

    >>> edge("A01"), round(edge("B02"), 2)
    (1.0, 0.29)
    """
    row, column = ord(well[0].upper()) - ord("A"), int(well[1:]) - 1
    steps = min(row, column, _ROWS - 1 - row, _COLUMNS - 1 - column)
    return float(np.exp(-max(steps, 0) / 0.8))


def photograph(light: np.ndarray, plate: Plate, well: str, canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Convert light to the counts of a 12-bit camera.

    Parameters
    ----------
    light
        float32 (5, size, size), as :func:`cloome_kedro.simulation.stains.stain` returns it.
    plate
        Effects of the plate.
    well
        Name of the well, for the edge effect.
    canvas
        Canvas with the size of ``light``.
    rng
        Generator of debris, noise and effects of the field.

    Returns
    -------
    uint16 (5, size, size), from 0 to :data:`MAXIMUM`.
    """
    strength = plate.strength
    light = light + _debris(light.shape[0], strength, canvas, rng)
    focused = np.stack([canvas.blur(channel, plate.focus * blur) for channel, blur in zip(light, BLUR, strict=True)])
    light = (1 - STRAY[:, None, None]) * focused + STRAY[:, None, None] * canvas.blur(light, 9.0)
    if rng.random() < 0.02 * strength:  # a rare field that is out of focus
        light = canvas.blur(light, rng.uniform(2.5, 5.0))

    centre = plate.light_centre[:, :, None, None]
    corner = FIELD_UM / np.sqrt(2)
    squared_distance = ((canvas.x - centre[:, 0]) ** 2 + (canvas.y - centre[:, 1]) ** 2) / corner**2
    illumination = np.maximum(1 - plate.light_fall[:, None, None] * squared_distance, 0)
    staining = plate.gain * np.exp(0.05 * strength * rng.standard_normal(5)) * (1 + 0.1 * strength * edge(well))
    expected = (GROUND * plate.ground)[:, None, None] * (0.5 + 0.5 * illumination)
    expected = expected + (EXPOSURE * staining)[:, None, None] * illumination * light
    expected = expected.astype(np.float32)
    variance = expected / _ELECTRONS_PER_COUNT + _READ_NOISE**2
    # A pixel collects hundreds of electrons. A normal distribution then approximates photon noise well, and is fast.
    counts = expected + np.sqrt(variance) * rng.standard_normal(expected.shape, dtype=np.float32)
    return np.clip(np.rint(counts), 0, MAXIMUM).astype(np.uint16)


def _debris(channels: int, strength: float, canvas: Canvas, rng: np.random.Generator) -> np.ndarray:
    """Draw dust and dead cells, float32 (channels, size, size): rare blobs that saturate in some of the channels."""
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
