"""The view ``images``: fields are cropped on the device, then their pixels, 0 to 255, are normalised."""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torchvision.transforms import InterpolationMode, v2
from tqdm import tqdm

from cloome_kedro.learning.config import at_least
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.views.base import Read, Rows, Table, View

#: values of Mito, ER, RNA, AGP, DNA; published models were trained with them as means and as standard deviations
PUBLISHED_STATISTICS = (47.1314, 40.8138, 53.7692, 46.2656, 28.7243)


@dataclass(frozen=True)
class ImageSettings:
    """Crop and normalisation. Training uses random crops, evaluation uses the centre crop.

    Attributes
    ----------
    crop
        Side of the crop in pixels. None uses the whole field.
    resized_crop_scale
        Range of the share of the area that RandomResizedCrop takes in training. None uses random crops without
        resizing.
    normalisation
        ``published``: the published statistics, as means and as standard deviations. ``dataset``: mean and standard
        deviation of each channel over training fields. ``per_image``: mean and standard deviation of each channel of
        each image.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    crop: int | None = None
    resized_crop_scale: tuple[float, float] | None = None
    normalisation: Literal["published", "dataset", "per_image"] = "dataset"

    def __post_init__(self):
        if self.crop is not None:
            at_least(self, 1, "crop")
        if (
            self.resized_crop_scale is not None
            and not 0 < self.resized_crop_scale[0] <= self.resized_crop_scale[1] <= 1
        ):
            raise ValueError(
                "ImageSettings: resized_crop_scale must be two shares of the area, the smaller one first, each above 0 "
                f"and at most 1, is {self.resized_crop_scale}"
            )

    def fit(self, table: Table, sources: Mapping[str, Any], train: np.ndarray, seed: int, progress: bool) -> "Images":
        """Make the view; for ``dataset``, measure the statistics of a sample of training fields, drawn by the seed."""
        storage = sources["plate_store"].storage(np.asarray(table["plate_file"]))
        view = Images(self.crop, self.resized_crop_scale, storage=dict(storage))
        if self.normalisation == "per_image":
            return dataclasses.replace(view, normalisation="per_image")
        if self.normalisation == "dataset":
            mean, std = channel_statistics(view.rows(table, sources).read, train, seed, progress=progress)
            return dataclasses.replace(view, mean=mean, std=std)
        return view


@dataclass(frozen=True)
class Images(View):
    """Crop and normalisation of stored fields, uint8 (N, C, H, W).

    Attributes
    ----------
    crop, resized_crop_scale
        As in :class:`ImageSettings`.
    normalisation
        ``per_channel``: (x - mean) / std with ``mean`` and ``std`` below. ``per_image``: (x - mean) / (std + 1e-7) with
        the mean and standard deviation of each channel of each image.
    mean, std
        One value per channel, for pixels from 0 to 255.
    storage
        How the fields of the training were stored: channels, intensity, scope, crop and size.
    """

    settings: ClassVar[type] = ImageSettings

    crop: int | None = None
    resized_crop_scale: tuple[float, float] | None = None
    normalisation: Literal["per_channel", "per_image"] = "per_channel"
    mean: tuple[float, ...] = PUBLISHED_STATISTICS
    std: tuple[float, ...] = PUBLISHED_STATISTICS
    storage: dict[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        """Number of channels."""
        return len(self.storage["channels"]) if self.storage else len(self.mean)

    def rows(self, table: Table, sources: Mapping[str, Any]) -> Rows:
        """Find fields in the plate store, by the columns ``plate_file`` and ``row``.

        Raises
        ------
        ValueError
            If the fields have other channels than those of the training, or the same in another order.
        """
        store, files, rows = sources["plate_store"], np.asarray(table["plate_file"]), np.asarray(table["row"])
        trained = self.storage.get("channels")
        if trained is not None and (channels := store.storage(files)["channels"]) != trained:
            raise ValueError(
                f"the model was trained on the channels {', '.join(trained)}, but the fields are stored as "
                f"{', '.join(channels)}: train the model again"
            )
        plates = {plate: store.digest(plate) for plate in dict.fromkeys(files.tolist())}
        digest = hashlib.sha256(repr(sorted(plates.items())).encode())
        digest.update("\n".join(files.tolist()).encode())
        digest.update(rows.astype(np.int64).tobytes())
        return Rows(store.reader(files, rows), np.ones(len(rows), bool), digest.hexdigest())

    def differences(self, table: Table, sources: Mapping[str, Any]) -> list[str]:
        """Say how the storage of these fields differs from the storage in training, one text per setting."""
        storage = sources["plate_store"].storage(np.asarray(table["plate_file"]))
        return [
            f"{key} is {storage.get(key)}, was {trained}"
            for key, trained in self.storage.items()
            if storage.get(key) != trained
        ]

    def __call__(self, batch: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """Take the centre crop and normalise it: uint8 (N, C, H, W) -> float32 (N, C, crop, crop)."""
        return self.normalise(self.centre(batch))

    def centre(self, images: torch.Tensor) -> torch.Tensor:
        """Take the centre crop: uint8 (N, C, H, W) -> uint8 (N, C, crop, crop)."""
        return v2.functional.center_crop(images, self._size(images))

    def augment(self, batch: torch.Tensor, seeds: np.ndarray, context: torch.Tensor | None = None) -> torch.Tensor:
        """Take a random crop of each image and normalise it: uint8 (N, C, H, W) -> float32 (N, C, crop, crop).

        The crop of an image depends only on its seed, not on the other images of the batch.
        """
        size = self._size(batch)
        if self.resized_crop_scale is not None:
            crop = v2.RandomResizedCrop(size, self.resized_crop_scale, interpolation=InterpolationMode.BICUBIC)
        elif size != list(batch.shape[-2:]):
            crop = v2.RandomCrop(size)
        else:
            return self.normalise(batch)
        crops = []
        for image, seed in zip(batch, seeds, strict=True):
            with seeded(int(seed)):
                crops.append(crop(image))
        return self.normalise(torch.stack(crops))

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise: uint8 (N, C, H, W) -> float32 of the same shape, channels last in memory."""
        x = images.to(torch.float32, memory_format=torch.channels_last)
        if self.normalisation == "per_image":
            std, mean = torch.std_mean(x, dim=(-2, -1), keepdim=True)
            return (x - mean) / (std + 1e-7)
        if images.shape[1] != len(self.mean):
            raise ValueError(
                f"images have {images.shape[1]} channels, but the normalisation has statistics of {len(self.mean)}"
            )
        return v2.functional.normalize(x, list(self.mean), list(self.std), inplace=True)

    def _size(self, images: torch.Tensor) -> list[int]:
        height, width = images.shape[-2:]
        if self.crop is None:
            return [height, width]
        if self.crop > min(height, width):
            raise ValueError(
                f"the crop of {self.crop} pixels is larger than the stored fields of {height} x {width} pixels"
            )
        return [self.crop, self.crop]


def channel_statistics(
    read: Read, fields: np.ndarray, seed: int, at_most: int = 2048, progress: bool = True
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Measure mean and standard deviation of each channel over all pixels of a sample of fields.

    Pixels are summed as integers, so the sums are exact. A channel with constant pixels gets the standard deviation 1.

    Parameters
    ----------
    read
        Positions of fields (B,) -> uint8 (B, C, H, W).
    fields : (n,) int
        Positions of fields, from which up to ``at_most`` are drawn by the seed.

    Returns
    -------
    mean, std
        One value per channel.
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
