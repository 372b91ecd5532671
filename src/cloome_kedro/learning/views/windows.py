"""Windows of a batch of images: cut out, mirrored and turned, or resized, for the whole batch at once."""

from typing import NamedTuple

import numpy as np
import torch

#: draws of one image in :func:`random_boxes`
BOX_DRAWS = 22
_ATTEMPTS, _RATIOS = 10, (3 / 4, 4 / 3)  # defaults of torchvision's RandomResizedCrop


class Boxes(NamedTuple):
    """A window of each image in pixels: four arrays (N,) int64."""

    top: np.ndarray
    left: np.ndarray
    height: np.ndarray
    width: np.ndarray


def random_corners(draws: np.ndarray, room: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Corner of a window of each image. All positions have the same probability.

    Parameters
    ----------
    draws : (N, 2) float64
        Uniform from 0 to 1 (excluded).
    room
        Height and width of the image, less those of the window.

    Returns
    -------
    tops, lefts : (N,) int64
    """
    corners = (draws * (room[0] + 1, room[1] + 1)).astype(np.int64)
    return corners[:, 0], corners[:, 1]


def random_boxes(draws: np.ndarray, shape: tuple[int, int], scale: tuple[float, float]) -> Boxes:
    """Windows of random areas and shapes, with the distribution of torchvision's RandomResizedCrop.

    Up to ten windows are drawn, and the first that fits into the image is taken. If none fits, it is the largest one in
    the centre whose sides have a ratio from 3/4 to 4/3.

    Parameters
    ----------
    draws : (N, BOX_DRAWS) float64
        Uniform from 0 to 1 (excluded).
    shape
        Height and width of the images.
    scale
        Range of the share of the area. The logarithm of the ratio of the sides is uniform from log 3/4 to log 4/3.
    """
    height, width = shape
    attempts = draws[:, : 2 * _ATTEMPTS].reshape(len(draws), _ATTEMPTS, 2)
    areas = height * width * (scale[0] + (scale[1] - scale[0]) * attempts[:, :, 0])
    low, high = np.log(_RATIOS)
    ratios = np.exp(low + (high - low) * attempts[:, :, 1])
    widths, heights = np.rint(np.sqrt(areas * ratios)), np.rint(np.sqrt(areas / ratios))
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first = fits.argmax(1)[:, None]
    whole_ratio = min(max(width / height, _RATIOS[0]), _RATIOS[1])
    largest = min(height, round(width / whole_ratio)), min(width, round(height * whole_ratio))
    found = fits.any(1)
    h, w = (
        np.where(found, np.take_along_axis(sides, first, 1)[:, 0], side).astype(np.int64)
        for sides, side in zip((heights, widths), largest, strict=True)
    )
    room = np.stack([height - h, width - w], axis=1)
    corners = np.where(found[:, None], (draws[:, 2 * _ATTEMPTS :] * (room + 1)).astype(np.int64), room // 2)
    return Boxes(corners[:, 0], corners[:, 1], h, w)


def cut_windows(
    images: torch.Tensor, tops: np.ndarray, lefts: np.ndarray, size: tuple[int, int], orientations: np.ndarray
) -> torch.Tensor:
    """Cut a window out of each image, and mirror or transpose it, in one gather.

    Parameters
    ----------
    images
        (N, C, H, W) on any device.
    tops, lefts : (N,) int64
        First row and column of each window.
    size
        (h, w): height and width of the windows. They must be equal if windows are transposed.
    orientations : (N,) int64
        The sum of 4 (transpose), then 2 (mirror top to bottom) and 1 (mirror left to right).

    Returns
    -------
    (N, C, h, w) of the same dtype
    """
    if images.device.type == "cpu":
        return _copied(images, tops, lefts, size, orientations)
    return _gathered(images, tops, lefts, size, orientations)


def _gathered(
    images: torch.Tensor, tops: np.ndarray, lefts: np.ndarray, size: tuple[int, int], orientations: np.ndarray
) -> torch.Tensor:
    """See `cut_windows`. A pixel (y, x) of a window is at ``start + down * y + right * x`` of its image."""
    (height, width), row = size, images.shape[-1]
    transposed = orientations & 4 > 0
    down, right = np.where(transposed, 1, row), np.where(transposed, row, 1)
    from_bottom, from_right = orientations & 2 > 0, orientations & 1 > 0
    start = tops * row + lefts + from_bottom * down * (height - 1) + from_right * right * (width - 1)
    numbers = np.stack([start, np.where(from_bottom, -down, down), np.where(from_right, -right, right)])
    start, down, right = torch.from_numpy(numbers).to(images.device, non_blocking=True)[:, :, None, None]
    y, x = (torch.arange(length, device=images.device) for length in size)
    places = (start + down * y[:, None] + right * x).flatten(1)
    places = places[:, None].expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, places).unflatten(2, size)


def _copied(
    images: torch.Tensor, tops: np.ndarray, lefts: np.ndarray, size: tuple[int, int], orientations: np.ndarray
) -> torch.Tensor:
    """See `cut_windows`. NumPy copies whole rows of a window, several times quicker than torch gathers its pixels."""
    windows = np.lib.stride_tricks.sliding_window_view(images.numpy(), size, axis=(2, 3))  # type: ignore[call-overload]
    kinds = np.unique(orientations)
    result = np.empty((*images.shape[:2], *size), windows.dtype) if len(kinds) > 1 else None
    for kind in kinds:
        turned = windows.swapaxes(-1, -2) if kind & 4 else windows
        turned = turned[..., :: -1 if kind & 2 else 1, :: -1 if kind & 1 else 1]
        rows = np.flatnonzero(orientations == kind)
        chosen = turned[rows, :, tops[rows], lefts[rows]]
        if result is None:
            return torch.from_numpy(chosen)
        result[rows] = chosen
    return torch.from_numpy(result)


def resize_windows(images: torch.Tensor, boxes: Boxes, side: tuple[int, int]) -> torch.Tensor:
    """Cut a window out of each image and resize it to ``side``, by antialiased bicubic interpolation.

    uint8 (N, C, H, W) on any device -> uint8 (N, C, *side). Values on a GPU can differ by one grey level from those on
    a CPU.
    """
    from torchvision.transforms import InterpolationMode, v2

    if images.device.type != "cpu":
        return _resampled(images, boxes, side)
    # torchvision's kernel for uint8 takes single windows, and it is faster on a CPU than any operation on a batch
    places = zip(images, *(numbers.tolist() for numbers in boxes), strict=True)
    return torch.stack(
        [v2.functional.resized_crop(image, *box, list(side), InterpolationMode.BICUBIC) for image, *box in places]
    )


def _resampled(images: torch.Tensor, boxes: Boxes, side: tuple[int, int]) -> torch.Tensor:
    """See `resize_windows`: a weighted sum of pixels along the width, then one along the height."""
    channels, height = images.shape[1:3]
    values = torch.zeros(len(images), channels, height, side[1], device=images.device)
    for places, weights in zip(*_taps(boxes.left, boxes.width, side[1], images.device), strict=True):
        places = places[:, None, None].expand(-1, channels, height, -1)
        values.addcmul_(images.gather(3, places).float(), weights[:, None, None])
    result = torch.zeros(len(images), channels, *side, device=images.device)
    for places, weights in zip(*_taps(boxes.top, boxes.height, side[0], images.device), strict=True):
        places = places[:, None, :, None].expand(-1, channels, -1, side[1])
        result.addcmul_(values.gather(2, places), weights[:, None, :, None])
    return result.round_().clamp_(0, 255).to(torch.uint8)


def _taps(
    starts: np.ndarray, lengths: np.ndarray, length: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Source pixels along one axis of each output pixel, and their weights: two tensors (taps, N, length).

    Keys' cubic kernel with a = -1/2, as wide as an output pixel where images shrink, as in Pillow and torch.
    """
    scale = (lengths / length)[:, None]
    stretch = np.maximum(scale, 1)
    centres = scale * (np.arange(length) + 0.5)
    first = np.maximum((centres - 2 * stretch + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + 2 * stretch + 0.5).astype(np.int64), lengths[:, None])
    places = first + np.arange((last - first).max())[:, None, None]
    x = np.abs((places + 0.5 - centres) / stretch)
    weights = np.where(x < 1, (1.5 * x - 2.5) * x**2 + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0))
    weights = np.where(places < last, weights, 0)
    weights /= weights.sum(0)
    places = starts[:, None] + np.minimum(places, lengths[:, None] - 1)
    return torch.from_numpy(places).to(device), torch.from_numpy(weights.astype(np.float32)).to(device)
