"""Windows of a batch of images: the same on all devices, and as torchvision would take them one by one."""

import numpy as np
import pytest
import torch
from torchvision.transforms import InterpolationMode, v2

from cloome_kedro.learning.views import windows
from cloome_kedro.learning.views.augmentation import row_uniforms
from cloome_kedro.learning.views.windows import BOX_DRAWS, Boxes, cut_windows, random_boxes, random_corners

COUNT = 64


def random_images(shape, dtype=torch.uint8):
    return torch.randint(0, 256, (COUNT, 5, *shape), generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize(
    ("shape", "size", "kinds"),
    [((12, 15), (8, 8), 8), ((15, 12), (8, 8), 8), ((9, 12), (6, 7), 4), ((9, 9), (9, 9), 8), ((9, 12), (5, 5), 1)],
)
def test_both_ways_of_cutting_give_slices(shape, size, kinds, dtype):
    """One is for a CPU, the other for a GPU. Both are compared with slices of torch."""
    images, rng = random_images(shape, dtype), np.random.default_rng(1)
    tops, lefts = (rng.integers(0, length - side + 1, COUNT) for length, side in zip(shape, size, strict=True))
    orientations = rng.integers(0, kinds, COUNT)
    expected = []
    for image, top, left, kind in zip(images, tops, lefts, orientations, strict=True):
        window = image[:, top : top + size[0], left : left + size[1]]
        window = window.transpose(1, 2) if kind & 4 else window
        expected.append(window.flip([axis for axis, bit in ((1, 2), (2, 1)) if kind & bit]))
    for cut in (windows._copied, windows._gathered, cut_windows):
        found = cut(images, tops, lefts, size, orientations)
        assert found.dtype == dtype
        assert torch.equal(found, torch.stack(expected))


def test_corners_are_uniform():
    tops, lefts = random_corners(row_uniforms(np.arange(60_000), BOX_DRAWS, -BOX_DRAWS)[:, :2], (2, 3))
    counts = np.bincount(4 * tops + lefts, minlength=12)
    assert len(counts) == 12
    np.testing.assert_allclose(counts, 5000, rtol=0.06)


@pytest.mark.parametrize("shape", [(200, 200), (150, 200), (60, 200), (200, 60)])
@pytest.mark.parametrize("scale", [(0.05, 0.2), (0.8, 1.0)])
def test_boxes_have_the_distribution_of_torchvision(shape, scale):
    """Quantiles of each number, also where several attempts, or the fallback, are needed."""
    count = 4000
    found = random_boxes(row_uniforms(np.arange(count), BOX_DRAWS, -BOX_DRAWS), shape, scale)
    transform, image = v2.RandomResizedCrop(8, scale), torch.empty(5, *shape, dtype=torch.uint8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = [transform.make_params([image]) for _ in range(count)]
    for name in Boxes._fields:
        expected = np.array([params[name] for params in drawn])
        levels = [0.05, 0.25, 0.5, 0.75, 0.95]
        quantiles = np.quantile(getattr(found, name), levels), np.quantile(expected, levels)
        np.testing.assert_allclose(*quantiles, atol=0.06 * max(np.ptp(expected), 20), err_msg=name)
        assert getattr(found, name).min() >= 0
    assert (found.top + found.height <= shape[0]).all()
    assert (found.left + found.width <= shape[1]).all()


@pytest.mark.parametrize("side", [(24, 24), (70, 50), (8, 8)])
def test_both_ways_of_resizing_agree_to_a_grey_level(side):
    """Reduced, enlarged, and reduced to a sixth. torchvision rounds twice, and its weights have 16 bits."""
    images = random_images((48, 64))[:12]
    smooth = torch.nn.functional.avg_pool2d(images.float(), 3, 1, 1).to(torch.uint8)
    boxes = random_boxes(row_uniforms(np.arange(12), BOX_DRAWS, -BOX_DRAWS), (48, 64), (0.3, 1.0))
    exact = torch.stack(
        [
            v2.functional.resized_crop(image, *box, list(side), InterpolationMode.BICUBIC)
            for image, *box in zip(smooth.double(), *(numbers.tolist() for numbers in boxes), strict=True)
        ]
    )
    found = windows._resampled(smooth, boxes, side)
    assert found.dtype == torch.uint8
    assert (found.double() - exact.clamp(0, 255)).abs().max() < 0.51, "half a level is the rounding"
    other = windows.resize_windows(smooth, boxes, side)
    assert (found.int() - other.int()).abs().max() <= 1
