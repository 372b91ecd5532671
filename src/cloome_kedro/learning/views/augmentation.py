"""Augmentation of batches of images. The draws of an image depend only on its seed, not on the batch or the device.

The functions process a whole batch at once. Their random numbers come from the generator SplitMix64 (Steele, Lea and
Flood 2014, OOPSLA), since drawing from a generator of torch for each image takes longer than the changes of the images.
"""

import numpy as np
import torch

from cloome_kedro.learning.views.windows import BOX_DRAWS, cut_windows, random_boxes, random_corners, resize_windows

# Which numbers of an image each augmentation takes. An augmentation that is switched on does not change the others.
_FLIPS, _TURNS, _CUT, _JITTER = slice(0, 2), slice(2, 3), slice(3, 5), 5
_FIRST_OF_CROP = -BOX_DRAWS  # crops take the numbers before the seed


def row_uniforms(seeds: np.ndarray, count: int, first: int = 1) -> np.ndarray:
    """Draw numbers from 0 to 1 (excluded) for each row, by SplitMix64 that starts from the seed of the row.

    Parameters
    ----------
    seeds : (N,) int
        One seed per row, at least 0.
    count
        Numbers per row.
    first
        Place of the first number in the sequence of the generator. Places below 1 are those before the seed.

    Returns
    -------
    (N, count) float64
    """
    with np.errstate(over="ignore"):  # unsigned numbers of 64 bits wrap around, as intended
        steps = np.arange(first, first + count).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = np.asarray(seeds).astype(np.uint64)[:, None] + steps
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(11)) * 2.0**-53


def cropped(
    images: torch.Tensor,
    seeds: np.ndarray,
    size: tuple[int, int],
    *,
    scale: tuple[float, float] | None = None,
    flips: bool = False,
    quarter_turns: bool = False,
) -> torch.Tensor:
    """Take a random crop of each image, and mirror and rotate it at random: (N, C, H, W) -> (N, C, *size).

    Parameters
    ----------
    images
        uint8, on any device.
    seeds : (N,) int
        One seed per image.
    size
        Height and width of the crops. They must be equal for quarter turns.
    scale
        Range of the share of the area that a crop has before it is resized, as RandomResizedCrop of torchvision does.
        None: crops are not resized, and all positions have the same probability.
    flips
        Mirror left to right with probability 1/2, and independently top to bottom with probability 1/2.
    quarter_turns
        Rotate, after the flips, by 0, 90, 180 or 270 degrees counter-clockwise with equal probabilities.

    Raises
    ------
    ValueError
        If crops that are not square must be turned.
    """
    shape = (images.shape[-2], images.shape[-1])
    if quarter_turns and size[0] != size[1]:
        raise ValueError(
            f"quarter_turns needs square images, but these have {size[0]} x {size[1]} pixels: set `crop` of the view, "
            "or `quarter_turns: false`"
        )
    if scale is None and shape == size and not flips and not quarter_turns:
        return images
    if scale is not None:
        boxes = random_boxes(row_uniforms(seeds, BOX_DRAWS, _FIRST_OF_CROP), shape, scale)
        images = resize_windows(images, boxes, size)
        if not flips and not quarter_turns:
            return images
        shape = size
    tops, lefts = crop_corners(seeds, shape, size)
    return cut_windows(images, tops, lefts, size, _orientations(seeds, flips, quarter_turns))


def crop_corners(seeds: np.ndarray, shape: tuple[int, int], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """First row and column of the random crop of each image, in pixels: two arrays (N,) int64.

    Crops of images that are crops already are these images, and are turned in the same way.

    Parameters
    ----------
    seeds : (N,) int
        One seed per image.
    shape, size
        Height and width of images, and of crops.
    """
    room = (shape[0] - size[0], shape[1] - size[1])
    return random_corners(row_uniforms(seeds, 2, _FIRST_OF_CROP), room)


def _orientations(seeds: np.ndarray, flips: bool, quarter_turns: bool) -> np.ndarray:
    """How each image is mirrored and turned, as :func:`windows.cut_windows` takes it: (N,) int64."""
    draws = row_uniforms(seeds, 3)
    left_right, up_down = (draws[:, _FLIPS] < 0.5).T if flips else np.zeros((2, len(seeds)), bool)
    quarters = (4 * draws[:, _TURNS][:, 0]).astype(int) if quarter_turns else np.zeros(len(seeds), int)
    # There are eight results: the image or its transpose, each mirrored or not along each axis. A turn by 90 degrees is
    # the transpose, mirrored top to bottom. A turn by 180 degrees mirrors both axes. Mirrors before a transposition
    # mirror the other axis after it.
    transposed = quarters % 2 == 1
    first, second = np.where(transposed, (left_right, up_down), (up_down, left_right))  # axes of height and width
    first, second = first ^ np.isin(quarters, (1, 2)), second ^ np.isin(quarters, (2, 3))
    return 4 * transposed + 2 * first + second


def gains(seeds: np.ndarray, channels: int, strength: float) -> np.ndarray:
    """Draw the factor of each channel of each image: exp(u), with u uniform from -strength to strength.

    Returns
    -------
    (N, channels) float32
    """
    draws = row_uniforms(seeds, _JITTER + channels)[:, _JITTER:]
    return np.exp(strength * (2 * draws - 1)).astype(np.float32)


def cut_out(images: torch.Tensor, seeds: np.ndarray, share: float) -> torch.Tensor:
    """Set a square of each image to 0 in all channels, in place (DeVries and Taylor 2017, arXiv:1708.04552).

    In contrast to that publication, the square is always completely inside the image.

    Parameters
    ----------
    images
        (N, C, H, W) float32 on any device.
    seeds : (N,) int
        One seed per image. All positions of the square have the same probability.
    share
        Side of the square as a share of the shorter side of the image. It is rounded to pixels, at least one.
    """
    height, width = images.shape[-2:]
    side = max(1, round(share * min(height, width)))
    starts = (row_uniforms(seeds, _JITTER)[:, _CUT] * (height - side + 1, width - side + 1)).astype(np.int64)
    square = torch.from_numpy(starts[:, :, None] + np.arange(side)).to(images.device)
    image = torch.arange(len(images), device=images.device)[:, None, None]
    images.permute(0, 2, 3, 1)[image, square[:, 0, :, None], square[:, 1, None, :]] = 0
    return images
