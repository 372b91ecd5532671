"""What a few images show: the channel of nuclei, the other channels, the bit depth and the size of nuclei.

The measurements are those that a person makes by eye. Nuclei are bright, compact and round. In the channel of RNA they
are brighter than the cytoplasm around them, because of the nucleoli; in that of the endoplasmic reticulum they are
darker. Mitochondria have the finest texture.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.nuclei import segment_nuclei

#: known orders of numbered channels: what it is the order of -> channels from the first number on
ORDERS: dict[str, tuple[str, ...]] = {
    "JUMP at the Broad Institute (Opera Phenix)": ("Mito", "AGP", "RNA", "ER", "DNA"),
    "Bray et al. 2017 (ImageXpress) and LINCS": ("DNA", "ER", "RNA", "AGP", "Mito"),
}
_SIDE = 540  # pixels to which larger images are reduced, as whole blocks
_CLEAR = 1.05  # ratio from which one channel has clearly brighter nuclei than another


@dataclass(frozen=True)
class ChannelProposal:
    """Which channel each name in the files is.

    Attributes
    ----------
    channels
        ``{name in the files: channel}``, only of names that mean one of the five channels.
    reason
        Why, as a sentence for the user.
    doubt
        What speaks against it; empty: nothing.
    """

    channels: dict[str, str]
    reason: str
    doubt: str = ""


def propose_channels(fields: Sequence[Mapping[str, npt.NDArray]]) -> ChannelProposal:
    """Propose the channels of images whose names say nothing, such as 1 to 5.

    Parameters
    ----------
    fields
        ``{name of the channel in the files: (H, W) image}`` of a few fields.

    Returns
    -------
    A known order if the nuclei are in its channel of DNA, otherwise what the images show.

    Raises
    ------
    ValueError
        If there are fewer than five channels.
    """
    names = _in_order(set.intersection(*(set(field) for field in fields)))
    if len(names) < len(CHANNELS):
        raise ValueError(f"the images have the channels {', '.join(names)}; all five channels are needed")
    names = names[: len(CHANNELS)]  # bright field has the last numbers
    reduced = [{name: reduce(field[name]) for name in names} for field in fields]
    compactness = {name: np.mean([_compactness(field[name]) for field in reduced]) for name in names}
    dna = max(names, key=lambda name: compactness[name])
    shown = _by_content(reduced, names, dna)
    for label, order in ORDERS.items():
        proposed = dict(zip(names, order, strict=True))
        if proposed[dna] != "DNA":
            continue
        reason = f"the order of {label}: the nuclei are in channel {dna}"
        brightness = {channel: shown.brightness[name] for name, channel in proposed.items() if name != dna}
        if brightness["RNA"] * _CLEAR < brightness["ER"]:
            swapped = {"RNA": "ER", "ER": "RNA"}
            proposed = {name: swapped.get(channel, channel) for name, channel in proposed.items()}
            return ChannelProposal(
                proposed,
                f"nearly {reason}, but RNA and ER are the other way round",
                "the nuclei are brighter in the channel that is ER in the known order, as they are in RNA",
            )
        return ChannelProposal(proposed, reason)
    return ChannelProposal(
        shown.channels,
        "guessed from the images: DNA has round nuclei, Mito the finest texture, ER dark nuclei, AGP more texture than "
        "RNA",
        "no known order has the nuclei in this channel",
    )


@dataclass(frozen=True)
class _Shown:
    channels: dict[str, str]
    brightness: dict[str, float]


def _by_content(fields: Sequence[Mapping[str, npt.NDArray]], names: Sequence[str], dna: str) -> _Shown:
    """Channels by brightness of nuclei and by texture alone."""
    others = [name for name in names if name != dna]
    measured = [_in_and_around(field, dna, others) for field in fields]
    measured = [values for values in measured if values]
    brightness, texture = (
        {name: float(np.mean([values[name][i] for values in measured])) if measured else 0.0 for name in others}
        for i in (0, 1)
    )
    rest = list(others)
    channels = {dna: "DNA"}
    for channel, best in (
        ("Mito", lambda name: texture[name]),
        ("ER", lambda name: -brightness[name]),
        ("AGP", lambda name: texture[name]),
        ("RNA", lambda name: 0),
    ):
        chosen = max(rest, key=best)
        rest.remove(chosen)
        channels[chosen] = channel
    return _Shown({name: channels[name] for name in names}, brightness)


def _in_and_around(field: Mapping[str, npt.NDArray], dna: str, others: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Of each channel, the brightness of nuclei in comparison with a ring around them, and the texture of the ring."""
    from scipy import ndimage

    nuclei = ndimage.binary_opening(_foreground(field[dna]), iterations=2)
    inside = ndimage.binary_erosion(nuclei, iterations=2)
    distance = ndimage.distance_transform_edt(~nuclei)
    ring = (distance > 1) & (distance <= 8)
    if inside.sum() < 100 or ring.sum() < 100:
        return {}
    measured = {}
    for name in others:
        image = field[name] - np.percentile(field[name], 1)
        fine = image - ndimage.gaussian_filter(image, 3)
        around = max(float(image[ring].mean()), 1e-6)
        measured[name] = float(image[inside].mean()) / around, float(fine[ring].std()) / around
    return measured


def _compactness(image: npt.NDArray[np.float32]) -> float:
    """Share of the bright pixels that is in round objects, times the contrast, from 0 to 1."""
    from skimage.measure import label, regionprops_table

    low, high = np.percentile(image, [1, 99.9])
    if high <= low:
        return 0.0
    bright = _foreground(image)
    objects = regionprops_table(label(bright), properties=("area", "solidity", "perimeter"))
    area, perimeter = objects["area"], np.maximum(objects["perimeter"], 1)
    is_round = (area > 30) & (objects["solidity"] > 0.9) & (4 * np.pi * area / perimeter**2 > 0.7)
    scaled = np.clip((image - low) / (high - low), 0, 1)
    contrast = scaled[bright].mean() - scaled[~bright].mean() if bright.any() else 0.0
    return float(area[is_round].sum() / max(bright.sum(), 1) * contrast)


def _foreground(image: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    low, high = np.percentile(image, [1, 99.9])
    smooth = ndimage.gaussian_filter(np.clip(image, low, high), 1)
    return smooth > threshold_otsu(smooth) if np.ptp(smooth) > 0 else np.zeros(image.shape, bool)


def reduce(image: npt.NDArray, side: int = _SIDE) -> npt.NDArray[np.float32]:
    """Average whole blocks of pixels, so that the longer side has about ``side`` pixels: (H, W) float32."""
    factor = max(1, round(max(image.shape) / side))
    height, width = (size // factor for size in image.shape)
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return blocks.astype(np.float32).mean((1, 3))


def bit_depth(images: Sequence[npt.NDArray]) -> tuple[int, str]:
    """Propose the bit depth of images, and say why.

    With 12 bits, an image with a value above 4095 is rejected, so it is proposed only if values come near to 4095.

    >>> bit_depth([np.full((2, 2), 4095, np.uint16)])
    (12, 'files of 16 bits with values up to 4,095, the largest number of 12 bits')
    """
    kinds = {image.dtype for image in images}
    if kinds == {np.dtype(np.uint8)}:
        return 8, "files of 8 bits"
    if kinds != {np.dtype(np.uint16)}:
        raise ValueError(
            f"images must have 8 or 16 bits without sign, but those of the screen are "
            f"{', '.join(sorted(map(str, kinds)))}; convert them"
        )
    largest = max(int(image.max()) for image in images)
    if 2**11 <= largest < 2**12:
        is_largest = ", the largest number of 12 bits" if largest == 2**12 - 1 else ", below 4,096"
        return 12, f"files of 16 bits with values up to {largest:,}{is_largest}"
    return 16, f"files of 16 bits with values up to {largest:,}"


def nucleus_diameter(images: Sequence[npt.NDArray]) -> float | None:
    """Measure the median diameter of nuclei in images of DNA, in pixels of the images; None if there are none.

    The diameter of the round objects above Otsu's threshold is the first guess. `segment_nuclei`, with which profiles
    are measured, then segments with it, and its median is the result.
    """
    from skimage.measure import label, regionprops_table

    measured, weights = [], []
    for image in images:
        small = reduce(image)
        factor = max(image.shape) / max(small.shape)
        objects = regionprops_table(
            label(_foreground(small)), properties=("area", "solidity", "equivalent_diameter_area")
        )
        is_nucleus = (objects["area"] > 12) & (objects["solidity"] > 0.85)
        if not is_nucleus.any():
            continue
        diameter = max(3.0, float(np.median(objects["equivalent_diameter_area"][is_nucleus])))
        low, high = np.percentile(small, [0.1, 99.9])
        grey = (np.clip((small - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
        for _ in range(2):
            areas = np.bincount(segment_nuclei(grey, diameter).ravel())[1:]
            if not len(areas):
                break
            diameter = max(3.0, float(np.median(2 * np.sqrt(areas / np.pi))))
        if len(areas):
            measured.append(diameter * factor)
            weights.append(len(areas))
    if not measured:
        return None
    order = np.argsort(measured)
    total = np.cumsum(np.asarray(weights, float)[order])
    return float(np.asarray(measured)[order][np.searchsorted(total, total[-1] / 2)])


def _in_order(names: set[str]) -> list[str]:
    """Names, by the number at their end: w2 is before w10."""

    def key(name: str) -> tuple[bool, str, int]:
        number = re.search(r"\d+$", name)
        return number is None, name.rstrip("0123456789"), int(number[0]) if number else 0

    return sorted(names, key=key)
