"""The view ``images``: fields are cropped and augmented on the device, and their pixels, 0 to 255, are normalised."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from cloome_kedro.learning.config import at_least
from cloome_kedro.learning.views.augmentation import crop_corners, cropped, cut_out, gains
from cloome_kedro.learning.views.base import Corners, Rows, Table, View, Windows
from cloome_kedro.learning.views.pixel_statistics import channel_statistics, statistics_of_plates

#: values of Mito, ER, RNA, AGP, DNA; published models were trained with them as means and as standard deviations
PUBLISHED_STATISTICS = (47.1314, 40.8138, 53.7692, 46.2656, 28.7243)


@dataclass(frozen=True)
class ImageSettings:
    """Crop, normalisation and augmentation. Training uses random crops, evaluation uses the centre crop.

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
        each image. ``controls``: robust mean and deviation of each channel over the control wells of the field's plate,
        from the table ``plate_statistics``.
    flips
        Whether training mirrors images left to right with probability 1/2, and top to bottom with probability 1/2.
    quarter_turns
        Whether training rotates images by 0, 90, 180 or 270 degrees with equal probabilities. Images must be square.
    intensity_jitter
        Training multiplies the pixels of each channel of each image by exp(u), before the normalisation. u is uniform
        from ``-intensity_jitter`` to ``intensity_jitter``. 0 does nothing.
    cutout
        Training sets a square of each image to 0 in all channels, after the normalisation: 0 is the mean pixel. This is
        the side of the square as a share of the shorter side of the crop. None cuts nothing out.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    crop: int | None = None
    resized_crop_scale: tuple[float, float] | None = None
    normalisation: Literal["published", "dataset", "per_image", "controls"] = "dataset"
    flips: bool = False
    quarter_turns: bool = False
    intensity_jitter: float = 0.0
    cutout: float | None = None

    def __post_init__(self):
        at_least(self, 0, "intensity_jitter")
        if self.cutout is not None and not 0 < self.cutout < 1:
            raise ValueError(
                f"ImageSettings: cutout must be a share of the side of the image, above 0 and below 1, is {self.cutout}"
            )
        if self.intensity_jitter and self.normalisation == "per_image":
            raise ValueError(
                "ImageSettings: intensity_jitter has no effect with the normalisation per_image, which divides each "
                "image by its own deviation: set it to 0, or choose another normalisation"
            )
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
        """Make the view; for ``dataset``, measure the statistics of a sample of training fields, drawn by the seed.

        Raises
        ------
        ValueError
            If the fields do not fit the settings, such as fields that are not square and ``quarter_turns``.
        """
        storage = sources["plate_store"].storage(np.asarray(table["plate_file"]))
        augmentation = {name: getattr(self, name) for name in ("flips", "quarter_turns", "intensity_jitter", "cutout")}
        view = Images(self.crop, self.resized_crop_scale, storage=dict(storage), **augmentation)
        if self.quarter_turns:  # raises now what the first batch would raise
            field = torch.from_numpy(view.rows(table, sources).read(train[:1]))
            cropped(field, np.zeros(1, np.uint32), view._size(field.shape), quarter_turns=True)
        if self.normalisation in ("per_image", "controls"):
            return dataclasses.replace(view, normalisation=self.normalisation)
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
        the mean and standard deviation of each channel of each image. ``controls``: (x - mean) / std with statistics of
        the controls of each image's plate, which are the context of the rows. A deviation of 0 counts as 1.
    mean, std
        One value per channel, for pixels from 0 to 255. Only ``per_channel`` uses them.
    flips, quarter_turns, intensity_jitter, cutout
        As in :class:`ImageSettings`.
    storage
        How the fields of the training were stored: channels, intensity, scope, crop and size.
    """

    settings: ClassVar[type] = ImageSettings

    crop: int | None = None
    resized_crop_scale: tuple[float, float] | None = None
    normalisation: Literal["per_channel", "per_image", "controls"] = "per_channel"
    mean: tuple[float, ...] = PUBLISHED_STATISTICS
    std: tuple[float, ...] = PUBLISHED_STATISTICS
    storage: dict[str, Any] = field(default_factory=dict)
    flips: bool = False
    quarter_turns: bool = False
    intensity_jitter: float = 0.0
    cutout: float | None = None

    @property
    def inputs(self) -> int:
        """Number of channels."""
        return len(self.storage["channels"]) if self.storage else len(self.mean)

    @property
    def version(self) -> int:
        """0: whole fields; 1: crops are drawn for all images of a batch together."""
        return int(self.crop is not None or self.resized_crop_scale is not None)

    def rows(self, table: Table, sources: Mapping[str, Any]) -> Rows:
        """Find fields in the plate store, by the columns ``plate_file`` and ``row``.

        With the normalisation ``controls``, the context of the rows is mean and deviation of the plate's controls:
        (n, 2, channels) float32.

        Raises
        ------
        ValueError
            If the fields have other channels than those of the training, or the same in another order, or if
            ``plate_statistics`` lacks a plate.
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
        context = None
        if self.normalisation == "controls":
            channels = store.storage(files)["channels"]
            context = statistics_of_plates(sources["plate_statistics"], files, channels)
            digest.update(context.tobytes())
        place = np.empty(len(rows), np.int64)
        place[np.lexsort((rows, files.astype(str)))] = np.arange(len(rows))
        reader = store.reader(files, rows)
        # other stores may read whole fields only
        windows = Windows(reader.shape, reader.windows) if hasattr(reader, "windows") else None
        return Rows(reader, np.ones(len(rows), bool), digest.hexdigest(), context, place, windows)

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
        return self.normalise(self.centre(batch), context)

    def centre(self, images: torch.Tensor) -> torch.Tensor:
        """Take the centre crop: uint8 (N, C, H, W) -> uint8 (N, C, crop, crop)."""
        from torchvision.transforms.v2 import functional  # its import takes longer than the start of a short run

        return functional.center_crop(images, list(self._size(images.shape)))

    def augment(self, batch: torch.Tensor, seeds: np.ndarray, context: torch.Tensor | None = None) -> torch.Tensor:
        """Take a random crop of each image, augment and normalise it: uint8 (N, C, H, W) -> float32 (N, C, crop, crop).

        The draws of an image depend only on its seed, not on the other images of the batch.
        """
        images = cropped(
            *(batch, seeds, self._size(batch.shape)),
            scale=self.resized_crop_scale,
            flips=self.flips,
            quarter_turns=self.quarter_turns,
        )
        factors = None
        if self.intensity_jitter:
            factors = torch.from_numpy(gains(seeds, images.shape[1], self.intensity_jitter)).to(images.device)
        inputs = self.normalise(images, context, factors)
        return inputs if self.cutout is None else cut_out(inputs, seeds, self.cutout)

    def normalise(
        self, images: torch.Tensor, context: torch.Tensor | None = None, factors: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Normalise: uint8 (N, C, H, W) -> float32 of the same shape, channels last in memory.

        Parameters
        ----------
        images
            Cropped fields.
        context
            (N, 2, C): statistics of the plates, for the normalisation ``controls``.
        factors
            (N, C): pixels are multiplied by these numbers first.
        """
        # bytes are interleaved and then made floats, since strided copies of floats take longer
        x = torch.stack(images.unbind(1), -1).float().permute(0, 3, 1, 2)
        mean, std = (values[:, :, None, None] for values in self._statistics(x, context))
        if factors is not None:  # (f x - mean) / std without a pass over the pixels
            factors = factors[:, :, None, None]
            mean, std = mean / factors, std / factors
        return x.sub_(_as_rows(mean, x)).div_(_as_rows(std, x))

    def _statistics(self, x: torch.Tensor, context: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation that normalise images (N, C, H, W): (N, C) each, or (1, C) if all images have the same."""
        if self.normalisation == "controls":
            if context is None:
                raise ValueError("the normalisation controls needs the statistics of each image's plate as the context")
            mean, std = context.unbind(1)
        elif self.normalisation == "per_image":
            std, mean = torch.std_mean(x, dim=(-2, -1))
            std += 1e-7
        elif x.shape[1] == len(self.mean):
            mean, std = torch.tensor([self.mean, self.std], device=x.device)[:, None]
        else:
            raise ValueError(
                f"images have {x.shape[1]} channels, but the normalisation has statistics of {len(self.mean)}"
            )
        return mean, std.where(std > 0, 1)

    def window(self, shape: tuple[int, ...], seeds: np.ndarray) -> Corners | None:
        """Say which part of each field :meth:`augment` crops."""
        size = self._size(shape)
        if self.resized_crop_scale is not None or size == shape[-2:]:
            return None
        return *crop_corners(seeds, (shape[-2], shape[-1]), size), size

    def _size(self, shape: Sequence[int]) -> tuple[int, int]:
        height, width = shape[-2:]
        if self.crop is None:
            return height, width
        if self.crop > min(height, width):
            raise ValueError(
                f"the crop of {self.crop} pixels is larger than the stored fields of {height} x {width} pixels"
            )
        return self.crop, self.crop


def _as_rows(values: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Repeat (N, C, 1, 1) along a row of images, channels last: operations then loop over rows, not over channels."""
    return values.expand(-1, -1, 1, images.shape[-1]).contiguous(memory_format=torch.channels_last)
