"""Settings of a study that fit the size of a screen: stored size, splits, models and training."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

#: diameter of nuclei in stored fields for which the settings of ``conf/base`` were chosen, in pixels
DIAMETER = 9.0
#: fewer compounds cannot be divided into training, validation and test
FEWEST = 3
_TINY, _SMALL = 20, 100  # fewer compounds: nothing can be learned; no scaffold split
_FEWEST_SCAFFOLDS = 30
_LARGEST_CROP = 256
_MANY_FIELDS = 20_000


@dataclass(frozen=True)
class Storage:
    """How images are stored.

    Attributes
    ----------
    size
        Stored height and width in pixels.
    diameter
        Diameter of nuclei in stored fields, in pixels.
    reason
        Why, in one sentence.
    """

    size: tuple[int, int]
    diameter: float
    reason: str


def choose_storage(
    shapes: Sequence[tuple[int, int]], diameters: Sequence[float], size: tuple[int, int] | None = None
) -> Storage:
    """Choose the stored size so that nuclei have about the diameter of the default settings.

    Images are reduced by a whole number, so that a stored pixel is the mean of whole pixels.

    Parameters
    ----------
    shapes
        Height and width of the images of each source.
    diameters
        Diameters of nuclei in pixels of the images; of sources without nuclei there is none.
    size
        Stored size that the user gives.

    Raises
    ------
    ValueError
        If this size is larger than the smallest images.

    Examples
    --------
    >>> choose_storage([(1080, 1080)], [36.0]).size
    (270, 270)
    """
    height, width = (min(shape[axis] for shape in shapes) for axis in (0, 1))
    raw = sum(diameters) / len(diameters) if diameters else None
    largest = f"{height} x {width}"
    if size is None and raw is None:
        factor = max(1, round(min(height, width) / _LARGEST_CROP))
        size = (height // factor, width // factor)
        why = f"no nuclei were found in a few images of {largest} pixels, so the size follows from that of the images"
        return Storage(size, DIAMETER, f"{why}; the diameter of nuclei is a guess, please correct it")
    if size is None:
        assert raw is not None
        factor = max(1, round(raw / DIAMETER))
        size = (height // factor, width // factor)
        diameter = round(raw / factor, 1)
        how = f"images of {largest} pixels are reduced {factor}-fold" if factor > 1 else "images keep their size"
        then = f"so they are {diameter:g}, near the {DIAMETER:g} of conf/base"
        reason = f"nuclei are about {raw:.0f} pixels wide; {how}, {then}"
        return Storage(size, max(3.0, diameter), reason)
    if size[0] > height or size[1] > width:
        raise ValueError(
            f"the stored size {size[0]} x {size[1]} is larger than the images, {largest} pixels, but images are never "
            "enlarged: give a smaller --size, or leave it out"
        )
    ratio = size[0] / height
    diameter = round(raw * ratio, 1) if raw else DIAMETER
    return Storage(size, max(3.0, diameter), f"the size is as you have given it, for images of {largest} pixels")


@dataclass(frozen=True)
class Scale:
    """Splits, models and settings of training for the size of a screen.

    Attributes
    ----------
    splits, models
        As in ``globals.yml``.
    groups
        Groups of parameters, with their comments: ``{group: (comment, settings)}``.
    notes
        What the user should know, one sentence each.
    """

    splits: list[str]
    models: dict[str, str]
    groups: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def choose_scale(
    compounds: int,
    fields: int,
    *,
    title: str,
    side: int | None = None,
    square: bool = True,
    scaffolds: int | None = None,
) -> Scale:
    """Choose splits, models and training.

    Parameters
    ----------
    compounds
        Number of different compounds with a structure in treated wells.
    fields
        Number of treated fields.
    title
        Title of the report.
    side
        Shorter side of stored fields in pixels. None: a screen without images.
    square
        Whether stored fields are square.
    scaffolds
        Number of different scaffolds, if it is known.
    """
    splits, groups, notes = _splits(compounds, scaffolds)
    images = side is not None
    if compounds < _SMALL:
        models = {"cloome": "CLOOME"} if images else {"profiles": "Profile model"}
        models["bilinear"] = "Bilinear"
        groups["models"] = _models_of_few(compounds, side, square)
        groups["retrieval"] = (
            "pools of candidates cannot be larger than the test fold",
            {"candidates": _pool(compounds)},
        )
    else:
        models = {"cloome": "CLOOME"} if images else {}
        models |= {"profiles": "Profile model", "ridge": "Ridge", "fusion": "Fusion", "bilinear": "Bilinear"}
        groups |= _models_of_many(fields, side, square)
        if compounds < 1000:
            notes.append(f"{compounds} compounds: intervals of accuracies will be wide")
        if fields >= _MANY_FIELDS:
            notes.append(f"{fields:,} fields: train on a GPU, and see conf/paper for the encoders of the publication")
    if compounds < _TINY:
        title += " (too few compounds: no claim about accuracy)"
    groups["reporting"] = ("", {"title": title, **({"gallery_queries": 2} if compounds < _TINY else {})})
    return Scale(splits, models, groups, tuple(notes))


def _splits(compounds: int, scaffolds: int | None) -> tuple[list[str], dict[str, Any], list[str]]:
    """Splits, the group `splits` if the defaults do not fit, and notes."""
    if compounds < FEWEST:
        note = (
            f"{compounds} compounds with a structure: training, validation and test need at least {FEWEST}, so a study "
            "cannot run. The images can be ingested and looked at"
        )
        return ["random"], {}, [note]
    if compounds < _TINY:
        shares = {"train": 0.34, "validation": 0.33, "test": 0.33}
        then = "The report will be complete, but its accuracies mean nothing"
        if round(compounds * shares["test"]) < 2:
            then = "The test fold has only one, so retrieval and zero-shot classification cannot be evaluated"
        note = f"only {compounds} compounds: they are divided into thirds, so that each fold has some. {then}"
        return (
            ["random"],
            {"splits": (f"thirds: {compounds} compounds are too few for the default shares", shares)},
            [note],
        )
    if compounds < _SMALL:
        note = f"{compounds} compounds: too few for a split by scaffold, so the only split is random"
        return ["random"], {}, [note]
    if scaffolds is not None and scaffolds < _FEWEST_SCAFFOLDS:
        note = f"only {scaffolds} scaffolds: too few for a split by scaffold, so the only split is random"
        return ["random"], {}, [note]
    return ["random", "scaffold"], {}, []


def _pool(compounds: int) -> int:
    return max(2, min(100, compounds // 3 if compounds < _TINY else compounds // 5))


def _view(side: int, square: bool) -> dict[str, Any]:
    """Changes of the view of images: a square crop if fields are not square, or large."""
    if square and side <= _LARGEST_CROP:
        return {}
    return {"crop": min(_LARGEST_CROP, side // 32 * 32 or side)}


def _models_of_few(compounds: int, side: int | None, square: bool) -> tuple[str, dict[str, Any]]:
    """Small models of a short training."""
    fit: dict[str, Any] = {"batch_size": 4 if compounds < _TINY else 16, "warmup_steps": 2, "epochs": 4}
    comment = "small and short: there are too few compounds to learn much from"
    if compounds < 6:
        fit["unique_compounds"] = False
        comment += ". unique_compounds: a batch needs two fields, which may be of one compound here"
    if compounds >= _TINY:
        fit["epochs"] = 10
    if side is None:
        return comment, {"profiles": {"fit": fit}, "bilinear": {"fit": fit}}
    view = {"name": "images", **_view(side, square)}
    field = {"view": view, "encoder": {"width": 8}}
    return comment, {"cloome": {"field": field, "pretrain": None, "fit": fit}, "bilinear": {"fit": fit}}


def _models_of_many(fields: int, side: int | None, square: bool) -> dict[str, tuple[str, dict[str, Any]]]:
    if side is None:
        fusion = {"fusion": {"parts": ["profiles", "ridge"]}}
        return {"models": ("the other settings are those of conf/base", fusion)}
    view = _view(side, square)
    if not view:
        return {}
    comment = "training sees random squares of this side; the other settings are those of conf/base"
    return {"models": (comment, {"cloome": {"field": {"view": {"name": "images", **view}}}})}
