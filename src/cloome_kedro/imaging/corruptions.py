"""Corruptions: test images as training never showed them, flipped or rotated, each field from a seed of its own.

A corruption is a function of one field and of settings that are drawn for it. `corruption` registers one by its name:

>>> @corruption(draw=lambda generator: {"gain": generator.uniform(0.5, 1)})
... def dimmer(image, gain):
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
from torchvision.transforms.v2 import functional

from cloome_kedro.registry import Registry

Stage = Literal["field", "crop"]
Draw = Callable[[np.random.Generator], dict[str, Any]]
#: ``(image, **settings) -> image``, uint8 (C, H, W), on the image's device
Change = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Corruption:
    """A way to change a field.

    Attributes
    ----------
    name : str
        Its name in the configuration.
    draw : callable
        Generator -> the settings of one field, JSON values.
    change : callable
        ``(image, **settings) -> image``: uint8 (C, H, W), the same shape, on the image's device.
    fills : bool
        Whether it can leave pixels without an image, which are then black.
    augments : tuple of str
        Augmentations of training that show such images: settings of the view ``images``.
    """

    name: str
    draw: Draw
    change: Change
    fills: bool = False
    augments: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The change's source code: other code gives other results."""
        try:
            return inspect.getsource(self.change)
        except OSError:  # typed in at a prompt
            return self.change.__code__.co_code.hex()

    def is_augmentation(self, view: dict[str, Any]) -> bool:
        """Whether a training with this view (as its checkpoint describes it) showed such images."""
        return any(view.get(key) for key in self.augments)


CORRUPTIONS: Registry[Corruption] = Registry("corruption")


def corruption(draw: Draw, *, fills: bool = False, augments: Sequence[str] = ()) -> Callable[[Change], Change]:
    """Register the decorated function as the corruption of its name; arguments are those of `Corruption`.

    With ``fills`` the function is also called on a mask, uint8 (1, H, W), to find what it leaves black.
    """

    def register(change: Change) -> Change:
        name = change.__name__
        CORRUPTIONS.add(name, Corruption(name, draw, change, fills, tuple(augments)), module=change.__module__)
        return change

    return register


def find_corruptions(names: Sequence[str]) -> list[Corruption]:
    """The corruptions of these names; ValueError with the nearest names where one is unknown."""
    return [CORRUPTIONS[name] for name in names]


def field_seed(seed: int, name: str, field_id: str) -> int:
    """The field's own seed for the corruption of this name, 63 bits; it does not depend on other fields."""
    entropy = hashlib.sha256(f"{name}\n{field_id}".encode()).digest()
    sequence = np.random.SeedSequence([seed, int.from_bytes(entropy, "big")])
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)


def draw_settings(corruption: Corruption, own_seed: int) -> dict[str, Any]:
    """Draw the settings of the field with this seed, as JSON keeps them."""
    settings = corruption.draw(np.random.default_rng(own_seed))
    try:
        return json.loads(json.dumps(settings))
    except TypeError as error:
        raise TypeError(f"corruption {corruption.name}: it draws {settings}, which are not JSON: {error}") from error


def draw_table(corruption: Corruption, field_ids: Sequence[str], seed: int) -> pd.DataFrame:
    """How each field is to be corrupted: columns field_id, corruption, seed (its own), settings (JSON)."""
    seeds = [field_seed(seed, corruption.name, field_id) for field_id in field_ids]
    settings = [json.dumps(draw_settings(corruption, own)) for own in seeds]
    return pd.DataFrame({"field_id": field_ids, "corruption": corruption.name, "seed": seeds, "settings": settings})


def corrupt(
    corruption: Corruption,
    images: torch.Tensor,
    settings: Sequence[dict[str, Any]],
    stage: Stage = "field",
    view: Callable[[torch.Tensor], torch.Tensor] = lambda images: images,
) -> tuple[torch.Tensor, np.ndarray]:
    """Corrupt stored fields and give what an encoder sees of them.

    Parameters
    ----------
    images
        uint8 (N, C, H, W), on any device.
    settings
        N of `draw_settings`.
    stage
        ``field``: the whole field is corrupted, then cut; ``crop``: it is cut, then corrupted.
    view
        The encoder's cut of uint8 images, such as a central crop.

    Returns
    -------
    images, black
        uint8 (N, C, h, w) on the same device; share of each image's pixels that were filled with black, (N,) float64.
    """
    if stage == "crop":
        images = view(images)
    changed = torch.stack([corruption.change(image, **own) for image, own in zip(images, settings, strict=True)])
    if changed.shape != images.shape or changed.dtype != images.dtype:
        raise ValueError(
            f"corruption {corruption.name} makes {changed.dtype} {tuple(changed.shape[1:])} of "
            f"{images.dtype} {tuple(images.shape[1:])}: it must keep both"
        )
    if stage == "field":
        changed = view(changed)
    if not corruption.fills:
        return changed, np.zeros(len(images))
    mask = torch.ones_like(images[0, :1])
    masks = torch.stack([corruption.change(mask, **own) for own in settings])
    if stage == "field":
        masks = view(masks)
    return changed, (masks == 0).float().mean(dim=(1, 2, 3)).cpu().numpy().astype(np.float64)


def _flips(generator: np.random.Generator) -> dict[str, Any]:
    return {"flip_horizontal": bool(generator.random() < 0.5), "flip_vertical": bool(generator.random() < 0.5)}


def _within(degrees: float) -> Draw:
    return lambda generator: {"angle": generator.uniform(-degrees, degrees)}


def _flips_within(degrees: float) -> Draw:
    return lambda generator: _flips(generator) | _within(degrees)(generator)


@corruption(draw=_flips, augments=["flips"])
def random_flip(image: torch.Tensor, flip_horizontal: bool, flip_vertical: bool) -> torch.Tensor:
    """Mirror left to right, and top to bottom, each with probability 1/2."""
    if flip_horizontal:
        image = functional.horizontal_flip(image)
    return functional.vertical_flip(image) if flip_vertical else image


@corruption(draw=_within(10), fills=True, augments=["rotation"])
def small_rotation(image: torch.Tensor, angle: float) -> torch.Tensor:
    """Turn about the centre by up to 10 degrees, counter-clockwise where positive.

    As published, pixels are the nearest ones (torchvision's default) and corners are filled with black.
    """
    return functional.rotate(image, angle, fill=[0.0])


@corruption(draw=_flips_within(10), fills=True, augments=["flips", "rotation"])
def random_flip_small_rotation(
    image: torch.Tensor, flip_horizontal: bool, flip_vertical: bool, angle: float
) -> torch.Tensor:
    """Mirror as `random_flip`, then turn as `small_rotation`."""
    return small_rotation(random_flip(image, flip_horizontal, flip_vertical), angle)


@corruption(draw=_within(180), fills=True, augments=["rotation"])
def large_rotation(image: torch.Tensor, angle: float) -> torch.Tensor:
    """Turn as `small_rotation`, by any angle."""
    return small_rotation(image, angle)


@corruption(draw=lambda generator: {"sigma": generator.uniform(0.5, 2)})
def gaussian_blur(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur by a Gaussian of 0.5 to 2 pixels, as a field slightly out of focus; it is not in the publication."""
    # 6 pixels on each side: three times the largest sigma
    return functional.gaussian_blur(image, [13, 13], [sigma, sigma])
