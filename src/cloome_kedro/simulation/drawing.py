"""Drawing on a square canvas in micrometres: pixel grid, noise, spots, threads and ellipses.

A canvas of any size in pixels shows a square of the well with sides of :data:`FIELD_UM`. With 96 pixels per side, a
pixel has the size of 2 x 2 binned pixels of 0.65 um, as with a 20x objective. All images are float32 (size, size).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

#: side of a field in um
FIELD_UM = 124.8
_NOISE_SEED = 20170  # the noise bank is the same for all screens, so its seed is not that of a screen


@dataclass(frozen=True)
class Canvas:
    """A square pixel grid. :func:`canvas` makes it.

    Attributes
    ----------
    size
        Side in pixels.
    x, y
        Coordinates of the pixel centres in um, float32 (size, size). ``y`` increases from the first row to the last.
    """

    size: int
    x: np.ndarray
    y: np.ndarray

    @property
    def pixel(self) -> float:
        """Side of a pixel in um.

        >>> round(canvas(96).pixel, 2)
        1.3
        """
        return FIELD_UM / self.size

    def blur(self, image: np.ndarray, sigma: float) -> np.ndarray:
        """Blur the last two axes of an array (..., size, size) with a Gaussian, with ``sigma`` in um."""
        pixels = sigma / self.pixel
        return ndimage.gaussian_filter(image, (0,) * (image.ndim - 2) + (pixels, pixels), truncate=3, mode="nearest")

    def noise(self, wavelength: float, rng: np.random.Generator) -> np.ndarray:
        """Draw a window of smooth noise, float32 (size, size).

        On average over all windows, the mean is 0 and the variance is 1.

        Parameters
        ----------
        wavelength
            Typical distance between two maxima in um.
        rng
            Generator that chooses the window.
        """
        bank = _noise_bank(self.size, wavelength)
        top, left = rng.integers(0, len(bank) - self.size, 2)
        window = bank[top : top + self.size, left : left + self.size]
        return window.T if rng.random() < 0.5 else window

    def spots(self, x, y, sigma, amplitude) -> np.ndarray:
        """Draw round Gaussian spots and add them up.

        Parameters
        ----------
        x, y
            (n,) centres in um.
        sigma
            (n,) standard deviations in um. Values below 0.4 pixels are raised to 0.4 pixels.
        amplitude
            (n,) values at the centres.

        Returns
        -------
        float32 (size, size).
        """
        if len(x) == 0:
            return np.zeros((self.size, self.size), np.float32)
        sigma = np.maximum(sigma / self.pixel, 0.4)
        reach = int(np.ceil(2.7 * sigma.max()))
        offsets = np.arange(-reach, reach + 1)
        column, row = x / self.pixel - 0.5, y / self.pixel - 0.5
        columns, rows = (np.round(centre).astype(np.intp)[:, None] + offsets for centre in (column, row))
        across_columns = np.exp(-(((columns - column[:, None]) / sigma[:, None]) ** 2) / 2)
        across_rows = np.exp(-(((rows - row[:, None]) / sigma[:, None]) ** 2) / 2) * np.asarray(amplitude)[:, None]
        across_columns[(columns < 0) | (columns >= self.size)] = 0
        across_rows[(rows < 0) | (rows >= self.size)] = 0
        index = (np.clip(rows, 0, self.size - 1) * self.size)[:, :, None] + np.clip(columns, 0, self.size - 1)[:, None]
        return self._add(index, across_rows[:, :, None] * across_columns[:, None])

    def threads(self, x, y, amplitude) -> np.ndarray:
        """Draw points, each shared by bilinear weights among the four nearest pixels.

        A thread is a series of points whose distances are below one pixel. Points outside the outermost pixel centres
        are left out.

        Parameters
        ----------
        x, y
            Coordinates in um, arrays of one shape.
        amplitude
            Integral of the light of each point over the area in um^2, an array of the same shape. Therefore the light
            does not depend on the size of the canvas.

        Returns
        -------
        float32 (size, size).
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
        """Sum the values of each pixel: float32 (size, size). ``index`` counts pixels row by row."""
        total = np.bincount(index.ravel(), values.ravel(), self.size**2)
        return total.astype(np.float32).reshape(self.size, self.size)


@lru_cache(maxsize=8)
def canvas(size: int) -> Canvas:
    """Make the canvas with ``size`` x ``size`` pixels."""
    centres = ((np.arange(size) + 0.5) * FIELD_UM / size).astype(np.float32)
    x, y = np.meshgrid(centres, centres)
    return Canvas(size, x, y)


@lru_cache(maxsize=32)
def _noise_bank(size: int, wavelength: float) -> np.ndarray:
    """Make periodic noise with wavelengths near the given one, with three times the side of a field.

    White noise is filtered by a ring in Fourier space.
    """
    n = 3 * size
    rng = np.random.default_rng([_NOISE_SEED, size, round(1000 * wavelength)])
    frequency = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None]) * size / FIELD_UM  # cycles per um
    band = np.exp(-((np.log(np.maximum(frequency, 1e-9) * wavelength) / 0.45) ** 2) / 2)
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((n, n))) * band, (n, n))
    noise = (noise / noise.std()).astype(np.float32)
    noise.setflags(write=False)
    return noise


def ellipse_distances(x, y, centre_x, centre_y, angle, long, short) -> np.ndarray:
    """Squared distance of every pixel from the centre of every ellipse, in units of the ellipse.

    It is 0 at the centre and 1 on the outline. The distance is a quadratic form of the coordinates. A single matrix
    product therefore gives the distances for all ellipses and pixels.

    Parameters
    ----------
    x, y
        Coordinates of the pixels, float32 arrays of one shape.
    centre_x, centre_y
        (n,) centres of the ellipses.
    angle
        (n,) angle in radians from the x axis to the axis ``long``.
    long, short
        (n,) half axes.

    Returns
    -------
    float32 (n, pixels). Pixels are in the flattened order of ``x``.

    Examples
    --------
    >>> x, y = np.array([0.0, 2.0, 0.0], np.float32), np.array([0.0, 0.0, 2.0], np.float32)
    >>> ellipse_distances(x, y, *(np.array([value]) for value in (0.0, 0.0, 0.0, 2.0, 1.0)))
    array([[0., 1., 4.]], dtype=float32)
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
    """Find the nearest object of each pixel, and the two smallest distances.

    Parameters
    ----------
    distances
        (objects, pixels) float. The function overwrites this array.

    Returns
    -------
    owner
        (pixels,) int: row of the nearest object.
    nearest
        (pixels,) distance of the nearest object.
    second
        (pixels,) distance of the second nearest object; infinite if there is only one object.

    Examples
    --------
    >>> nearest_two(np.array([[1.0, 5.0], [3.0, 2.0], [4.0, 9.0]]))
    (array([0, 1]), array([1., 2.]), array([3., 5.]))
    """
    owner = distances.argmin(axis=0)
    pixels = np.arange(distances.shape[1])
    nearest = distances[owner, pixels]
    distances[owner, pixels] = np.inf
    return owner, nearest, distances.min(axis=0)
