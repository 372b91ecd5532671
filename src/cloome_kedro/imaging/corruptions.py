"""Corruptions of test images, such as flips and rotations, which training did not show.

A corruption is a function of one field and of settings that are drawn for this field. Each field has its own seed. The
decorator `corruption` registers a function under its name. The source code of a corruption, with its decorator and its
docstring, is part of the digest of its embeddings: after an edit, its fields are embedded again.

>>> @corruption(draw=lambda generator: {"gain": generator.uniform(0.5, 1)})
... def half_to_full_brightness(image, gain):
...     return (image * gain).to(image.dtype)
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from cloome_kedro.registry import Registry

Stage = Literal["field", "crop"]
#: whether training has shown images that are changed by a corruption
Seen = Literal["no", "partly", "yes"]
Draw = Callable[[np.random.Generator], dict[str, Any]]
#: ``(image, **settings) -> image``, uint8 (C, H, W), on the image's device
Change = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Corruption:
    """A function that changes a field, and how its settings are drawn.

    Attributes
    ----------
    name : str
        Name in the configuration.
    draw : callable
        ``generator -> settings`` of one field, as JSON values.
    change : callable
        ``(image, **settings) -> image``. Both images are uint8 (C, H, W) on the same device.
    fills : bool
        Whether the function can leave pixels without image content. These pixels are black.
    augments : tuple of str
        Settings of the view ``images`` that are augmentations of the same kind. If all are set, training shows images
        that are changed like this. If some are set, training shows a part of the corruption.
    partly : tuple of str
        Further settings of this view, each of which shows a part of the corruption.
    """

    name: str
    draw: Draw
    change: Change
    fills: bool = False
    augments: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Source code of ``change``. The digest contains it, so an edit makes earlier results outdated."""
        try:
            return inspect.getsource(self.change)
        except OSError:  # a function typed at a prompt has no source file
            return self.change.__code__.co_code.hex()

    def seen_in_training(self, view: dict[str, Any]) -> Seen:
        """Tell whether a model with this view saw such images in training: no, partly or yes.

        Parameters
        ----------
        view
            Settings of the view, as the checkpoint describes them.
        """
        if self.augments and all(view.get(key) for key in self.augments):
            return "yes"
        return "partly" if any(view.get(key) for key in (*self.augments, *self.partly)) else "no"


CORRUPTIONS: Registry[Corruption] = Registry("corruption")


def corruption(
    draw: Draw, *, fills: bool = False, augments: Sequence[str] = (), partly: Sequence[str] = ()
) -> Callable[[Change], Change]:
    """Register the decorated function as a corruption, under the name of the function.

    Parameters
    ----------
    draw, fills, augments, partly
        See `Corruption`. With ``fills``, the function is also called on a mask, uint8 (1, H, W), to find the pixels
        that it leaves black.
    """

    def register(change: Change) -> Change:
        name = change.__name__
        entry = Corruption(name, draw, change, fills, tuple(augments), tuple(partly))
        CORRUPTIONS.add(name, entry, module=change.__module__)
        return change

    return register


def find_corruptions(names: Sequence[str]) -> list[Corruption]:
    """Return the corruptions with these names.

    Raises
    ------
    ValueError
        If a name is unknown. The message gives the nearest names.
    """
    return [CORRUPTIONS[name] for name in names]


def field_seed(seed: int, name: str, field_id: str) -> int:
    """Compute the seed of one field for the corruption with this name, a number of 63 bits.

    It does not depend on other fields.
    """
    entropy = hashlib.sha256(f"{name}\n{field_id}".encode()).digest()
    sequence = np.random.SeedSequence([seed, int.from_bytes(entropy, "big")])
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)


def draw_settings(corruption: Corruption, seed: int) -> dict[str, Any]:
    """Draw the settings of the field with this seed, see `field_seed`.

    Raises
    ------
    TypeError
        If the settings are not JSON values.
    """
    settings = corruption.draw(np.random.default_rng(seed))
    try:
        return json.loads(json.dumps(settings))
    except TypeError as error:
        raise TypeError(
            f"corruption {corruption.name}: `draw` returns {settings}, which is not JSON ({error}); return a dict of "
            "numbers, strings, booleans or lists of them"
        ) from error


def draw_table(corruption: Corruption, field_ids: Sequence[str], seed: int) -> pd.DataFrame:
    """Draw how each field is corrupted.

    Parameters
    ----------
    corruption
        The corruption.
    field_ids
        The fields.
    seed
        Seed of the run. The seed of each field is computed from it.

    Returns
    -------
    One row per field: ``field_id``, ``corruption`` (its name), ``seed`` (of the field), ``settings`` (JSON).
    """
    seeds = [field_seed(seed, corruption.name, field_id) for field_id in field_ids]
    settings = [json.dumps(draw_settings(corruption, seed_of_field)) for seed_of_field in seeds]
    return pd.DataFrame({"field_id": field_ids, "corruption": corruption.name, "seed": seeds, "settings": settings})


def corrupt(
    corruption: Corruption,
    images: torch.Tensor,
    settings: Sequence[dict[str, Any]],
    stage: Stage = "field",
    view: Callable[[torch.Tensor], torch.Tensor] = lambda images: images,
) -> tuple[torch.Tensor, np.ndarray]:
    """Corrupt stored fields, and crop them as an encoder would.

    Parameters
    ----------
    corruption
        The corruption.
    images
        Stored fields, uint8 (N, C, H, W), on any device.
    settings
        Settings of each field, see `draw_settings`.
    stage
        ``field``: the whole field is corrupted, then cropped. ``crop``: the field is cropped, then corrupted.
    view
        Function that crops uint8 images as the encoder does.

    Returns
    -------
    images
        uint8 (N, C, h, w) on the same device.
    black
        Share of each image's pixels that the corruption filled with black, (N,) float64.

    Raises
    ------
    ValueError
        If the corruption changes the dtype or the shape of images.
    """
    if stage == "crop":
        images = view(images)
    changed = torch.stack([corruption.change(image, **drawn) for image, drawn in zip(images, settings, strict=True)])
    if changed.shape != images.shape or changed.dtype != images.dtype:
        raise ValueError(
            f"corruption {corruption.name} changes {images.dtype} {tuple(images.shape[1:])} to "
            f"{changed.dtype} {tuple(changed.shape[1:])}; keep the dtype and the shape of the image"
        )
    if stage == "field":
        changed = view(changed)
    if not corruption.fills:
        return changed, np.zeros(len(images))
    mask = torch.ones_like(images[0, :1])
    masks = torch.stack([corruption.change(mask, **drawn) for drawn in settings])
    if stage == "field":
        masks = view(masks)
    return changed, (masks == 0).float().mean(dim=(1, 2, 3)).cpu().numpy().astype(np.float64)


def _flips(generator: np.random.Generator) -> dict[str, Any]:
    return {"flip_horizontal": bool(generator.random() < 0.5), "flip_vertical": bool(generator.random() < 0.5)}


def _angle_within(degrees: float) -> Draw:
    return lambda generator: {"angle": generator.uniform(-degrees, degrees)}


def _flips_and_angle_within(degrees: float) -> Draw:
    return lambda generator: _flips(generator) | _angle_within(degrees)(generator)


# A half turn is both flips together. So quarter turns show a part of the flips, and flips a part of all rotations.


@corruption(draw=_flips, augments=["flips"], partly=["quarter_turns"])
def random_flip(image: torch.Tensor, flip_horizontal: bool, flip_vertical: bool) -> torch.Tensor:
    """Mirror left to right with probability 1/2, and independently top to bottom with probability 1/2."""
    from torchvision.transforms.v2 import functional  # its import takes longer than the start of a short run

    if flip_horizontal:
        image = functional.horizontal_flip(image)
    return functional.vertical_flip(image) if flip_vertical else image


@corruption(draw=_angle_within(10), fills=True)
def small_rotation(image: torch.Tensor, angle: float) -> torch.Tensor:
    """Rotate about the centre by an angle of at most 10 degrees. Positive angles are counter-clockwise.

    As published, interpolation is by nearest neighbour, the default of torchvision, and empty corners are black.
    """
    from torchvision.transforms.v2 import functional

    return functional.rotate(image, angle, fill=[0.0])


@corruption(draw=_flips_and_angle_within(10), fills=True, partly=["flips", "quarter_turns"])
def random_flip_small_rotation(
    image: torch.Tensor, flip_horizontal: bool, flip_vertical: bool, angle: float
) -> torch.Tensor:
    """Mirror as in `random_flip`, then rotate as in `small_rotation`."""
    return small_rotation(random_flip(image, flip_horizontal, flip_vertical), angle)


@corruption(draw=_angle_within(180), fills=True, partly=["quarter_turns", "flips"])
def large_rotation(image: torch.Tensor, angle: float) -> torch.Tensor:
    """Rotate as in `small_rotation`, but by any angle."""
    return small_rotation(image, angle)


@corruption(draw=lambda generator: {"sigma": generator.uniform(0.5, 2)})
def gaussian_blur(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur with a Gaussian whose standard deviation is 0.5 to 2 pixels, as if the field were slightly out of focus.

    The publication does not have this corruption.
    """
    from torchvision.transforms.v2 import functional

    # The kernel reaches 6 pixels to each side, which is three times the largest standard deviation.
    return functional.gaussian_blur(image, [13, 13], [sigma, sigma])
