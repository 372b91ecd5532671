"""From stored uint8 fields to the encoder's input, on the batch's device: crop, then normalise floats of 0 to 255."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torchvision.transforms import InterpolationMode, v2
from tqdm import tqdm

from cloome_kedro.learning.batches import ReadFields
from cloome_kedro.learning.model import seeded

#: of Mito, ER, RNA, AGP, DNA; published checkpoints were trained with them as mean and as standard deviation
PUBLISHED_STATISTICS = (47.1314, 40.8138, 53.7692, 46.2656, 28.7243)


@dataclass(frozen=True)
class Preprocess:
    """Crop and normalisation; calling it gives the evaluation's central crop.

    Attributes
    ----------
    crop : int or None
        Side in pixels; None takes the whole field.
    resized_crop_scale : (float, float) or None
        Range of the area that RandomResizedCrop takes in training; None is a plain random crop.
    normalisation : {"per_channel", "per_image"}
        (x - mean) / std with the statistics below, or with those of each channel of each image (std + 1e-7).
    mean, std : tuple of float
        One a channel, of pixels in 0 to 255.
    """

    crop: int | None = None
    resized_crop_scale: tuple[float, float] | None = None
    normalisation: Literal["per_channel", "per_image"] = "per_channel"
    mean: tuple[float, ...] = PUBLISHED_STATISTICS
    std: tuple[float, ...] = PUBLISHED_STATISTICS

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (N, C, H, W) -> float32 (N, C, crop, crop), from the centre."""
        return self.normalise(self.centre(images))

    def centre(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (N, C, H, W) -> uint8 (N, C, crop, crop), from the centre."""
        return v2.functional.center_crop(images, self._size(images))

    def augment(self, images: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
        """uint8 (N, C, H, W) -> float32 (N, C, crop, crop), every image with a crop drawn from the seed of its own.

        So a crop does not depend on which other images are in the batch.
        """
        size = self._size(images)
        if self.resized_crop_scale is not None:
            crop = v2.RandomResizedCrop(size, self.resized_crop_scale, interpolation=InterpolationMode.BICUBIC)
        elif size != list(images.shape[-2:]):
            crop = v2.RandomCrop(size)
        else:
            return self.normalise(images)
        crops = []
        for image, seed in zip(images, seeds, strict=True):
            with seeded(int(seed)):
                crops.append(crop(image))
        return self.normalise(torch.stack(crops))

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (N, C, H, W) -> float32, normalised, channels last in memory."""
        x = images.to(torch.float32, memory_format=torch.channels_last)
        if self.normalisation == "per_image":
            std, mean = torch.std_mean(x, dim=(-2, -1), keepdim=True)
            return (x - mean) / (std + 1e-7)
        if images.shape[1] != len(self.mean):
            raise ValueError(f"images have {images.shape[1]} channels, normalisation statistics {len(self.mean)}")
        return v2.functional.normalize(x, list(self.mean), list(self.std), inplace=True)

    def _size(self, images: torch.Tensor) -> list[int]:
        height, width = images.shape[-2:]
        if self.crop is None:
            return [height, width]
        if self.crop > min(height, width):
            raise ValueError(f"a crop of {self.crop} px does not fit stored fields of {height} x {width} px")
        return [self.crop, self.crop]


def channel_statistics(
    read: ReadFields, fields: np.ndarray, seed: int, at_most: int = 2048, progress: bool = True
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation a channel over all pixels of a seeded sample of fields.

    They come from exact integer sums of uint8 pixels. A channel without any contrast gets 1 as its deviation.
    """
    sample = np.sort(np.random.default_rng(seed).permutation(fields)[:at_most])
    total, squares, pixels = np.zeros(1, np.uint64), np.zeros(1, np.uint64), 0
    batches = np.array_split(sample, -(-len(sample) // 64))
    for batch in tqdm(batches, desc="channel statistics", unit="batch", disable=not progress):
        images = read(batch).astype(np.uint32)
        total = total + images.sum((0, 2, 3), dtype=np.uint64)
        squares = squares + (images * images).sum((0, 2, 3), dtype=np.uint64)
        pixels += images[:, 0].size
    mean = total / pixels
    std = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    return tuple(mean.tolist()), tuple(np.where(std > 0, std, 1).tolist())
