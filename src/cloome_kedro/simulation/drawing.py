"""Drawing on a square canvas in micrometres: the grid, tileable noise, spots, threads and ellipses.

A canvas shows :data:`FIELD_UM` micrometres of the well whatever its size in pixels (96 px = a 20x objective with
0.65 um pixels, binned twice). All images are float32 of shape (size, size).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

FIELD_UM = 124.8
_NOISE_SEED = 20170  # the bank is part of the drawing, not of an experiment: one for all screens


@dataclass(frozen=True)
class Canvas:
    """A square of ``size`` pixels and its pixel centres ``x``, ``y`` in um, float32 (size, size)."""

    size: int
    x: np.ndarray
    y: np.ndarray

    @property
    def pixel(self) -> float:
        """Side of a pixel in um."""
        return FIELD_UM / self.size

    def blur(self, image: np.ndarray, sigma: float) -> np.ndarray:
        """Gaussian blur of the last two axes, ``sigma`` in um."""
        pixels = sigma / self.pixel
        return ndimage.gaussian_filter(image, (0,) * (image.ndim - 2) + (pixels, pixels), truncate=3, mode="nearest")

    def noise(self, wavelength: float, rng: np.random.Generator) -> np.ndarray:
        """A random window of tileable noise of zero mean and unit variance whose bumps are ``wavelength`` um apart."""
        bank = _noise_bank(self.size, wavelength)
        top, left = rng.integers(0, len(bank) - self.size, 2)
        window = bank[top : top + self.size, left : left + self.size]
        return window.T if rng.random() < 0.5 else window

    def spots(self, x, y, sigma, amplitude) -> np.ndarray:
        """Sum of round Gaussian spots; all arguments are arrays of one length, lengths in um, amplitude = peak."""
        if len(x) == 0:
            return np.zeros((self.size, self.size), np.float32)
        sigma = np.maximum(sigma / self.pixel, 0.4)
        reach = int(np.ceil(2.7 * sigma.max()))
        offsets = np.arange(-reach, reach + 1)
        column, row = x / self.pixel - 0.5, y / self.pixel - 0.5
        columns, rows = (np.round(centre).astype(np.intp)[:, None] + offsets for centre in (column, row))
        across = np.exp(-(((columns - column[:, None]) / sigma[:, None]) ** 2) / 2)
        along = np.exp(-(((rows - row[:, None]) / sigma[:, None]) ** 2) / 2) * np.asarray(amplitude)[:, None]
        across[(columns < 0) | (columns >= self.size)] = 0
        along[(rows < 0) | (rows >= self.size)] = 0
        index = (np.clip(rows, 0, self.size - 1) * self.size)[:, :, None] + np.clip(columns, 0, self.size - 1)[:, None]
        return self._add(index, along[:, :, None] * across[:, None])

    def threads(self, x, y, amplitude) -> np.ndarray:
        """Points (any shape, um) set with bilinear weights; a thread is a row of points closer than a pixel.

        ``amplitude`` (same shape) is light per um^2 and point, so that the result does not depend on the canvas' size.
        """
        column, row = (np.ravel(c) / self.pixel - 0.5 for c in (x, y))
        inside = (column >= 0) & (column < self.size - 1) & (row >= 0) & (row < self.size - 1)
        column, row, light = column[inside], row[inside], np.ravel(amplitude)[inside] / self.pixel**2
        left, top = column.astype(np.intp), row.astype(np.intp)
        right_share, bottom_share = column - left, row - top
        index = top * self.size + left
        weights = [
            light * (1 - bottom_share) * (1 - right_share),
            light * (1 - bottom_share) * right_share,
            light * bottom_share * (1 - right_share),
            light * bottom_share * right_share,
        ]
        indices = [index, index + 1, index + self.size, index + self.size + 1]
        return self._add(np.concatenate(indices), np.concatenate(weights))

    def _add(self, index: np.ndarray, values: np.ndarray) -> np.ndarray:
        total = np.bincount(index.ravel(), values.ravel(), self.size**2)
        return total.astype(np.float32).reshape(self.size, self.size)


@lru_cache(maxsize=8)
def canvas(size: int) -> Canvas:
    """The canvas of ``size`` x ``size`` pixels."""
    centres = ((np.arange(size) + 0.5) * FIELD_UM / size).astype(np.float32)
    x, y = np.meshgrid(centres, centres)
    return Canvas(size, x, y)


@lru_cache(maxsize=32)
def _noise_bank(size: int, wavelength: float) -> np.ndarray:
    """Three by three fields of band-limited periodic noise: an annulus of wavelengths in Fourier space."""
    n = 3 * size
    rng = np.random.default_rng([_NOISE_SEED, size, round(1000 * wavelength)])
    frequency = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None]) * size / FIELD_UM  # cycles per um
    band = np.exp(-((np.log(np.maximum(frequency, 1e-9) * wavelength) / 0.45) ** 2) / 2)
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((n, n))) * band, (n, n))
    noise = (noise / noise.std()).astype(np.float32)
    noise.setflags(write=False)
    return noise


def ellipse_distances(x, y, centre_x, centre_y, angle, long, short) -> np.ndarray:
    """Squared distance of every pixel to every ellipse's centre, 1 on its outline: float32 (ellipses, pixels).

    A quadratic form in the pixel's coordinates, so that one matrix product serves all ellipses and pixels.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    xx = (cos / long) ** 2 + (sin / short) ** 2
    yy = (sin / long) ** 2 + (cos / short) ** 2
    xy = 2 * cos * sin * (long**-2.0 - short**-2.0)
    form = np.stack(
        [
            xx,
            xy,
            yy,
            -2 * xx * centre_x - xy * centre_y,
            -2 * yy * centre_y - xy * centre_x,
            xx * centre_x**2 + xy * centre_x * centre_y + yy * centre_y**2,
        ],
        axis=1,
    )
    x, y = x.ravel(), y.ravel()
    pixels = np.stack([x * x, x * y, y * y, x, y, np.ones_like(x)])
    return np.maximum(form.astype(np.float32) @ pixels, 0)


def nearest_two(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Owner of each pixel, its squared distance and the runner-up's, from (objects, pixels); overwrites its input."""
    owner = distances.argmin(axis=0)
    everywhere = np.arange(distances.shape[1])
    nearest = distances[owner, everywhere]
    distances[owner, everywhere] = np.inf
    return owner, nearest, distances.min(axis=0)
