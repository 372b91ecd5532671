"""The illumination functions of one plate: made, applied to its fields, and kept with their effect."""

import json
import logging
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cloome_kedro.atomic import replace_file
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.illumination.estimate import estimate_functions, grid_of
from cloome_kedro.imaging.illumination.functions import check_shape, divide, read_function, resized
from cloome_kedro.imaging.illumination.settings import EstimatedIllumination, Illumination
from cloome_kedro.imaging.images import area_means
from cloome_kedro.imaging.remote import local_file
from cloome_kedro.stores import DamagedFile

logger = logging.getLogger(__name__)

#: side of the mean images that are kept, in pixels; a corner is an eighth of a side, the centre is a quarter
SIDE = 32
_CORNER, _CENTRE = slice(0, SIDE // 8), slice(3 * SIDE // 8, 5 * SIDE // 8)
_MEASURED = 200  # fields of a plate in which the effect is measured
_FEWEST = 20  # with fewer fields that the estimate has not used, all fields are measured

#: values of `PlateIllumination.basis`
PROVIDED, ESTIMATED, TOO_FEW = "provided", "estimated", "too few fields"

#: rows of ``field_index`` -> (field_id, images (5, H, W) or None, reason)
ReadFields = Callable[[pd.DataFrame], Iterator[tuple[str, npt.NDArray | None, str | None]]]


@dataclass(frozen=True)
class PlateIllumination:
    """Illumination functions of a plate.

    Attributes
    ----------
    functions
        (5, h, w) float32 in the order of `CHANNELS`. Those that were estimated are smaller than the images.
    basis
        `PROVIDED`, `ESTIMATED`, or `TOO_FEW`: there are too few fields for an estimate, and all functions are 1.
    estimated_from
        field_ids of the fields from which the functions were estimated.
    """

    functions: npt.NDArray[np.float32]
    basis: str
    estimated_from: tuple[str, ...] = ()

    def gains(self, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
        """1 / functions, for images of this shape: (5, H, W) float32."""
        return np.float32(1) / resized(self.functions, shape)


def functions_of_plate(
    index: pd.DataFrame,
    settings: Illumination,
    shape: tuple[int, int],
    read: ReadFields,
    files: Sequence[str] = (),
) -> PlateIllumination:
    """Read or estimate the functions of a plate.

    Parameters
    ----------
    index
        Rows of ``field_index`` of this plate.
    settings
        Settings of the correction.
    shape
        (H, W) of the images of the plate.
    read
        Function that reads fields.
    files
        Files of the functions in the order of `CHANNELS`, if they are provided. They can be on a server.

    Raises
    ------
    ValueError
        If a file is no illumination function, or has a shape that does not fit.
    """
    if isinstance(settings, EstimatedIllumination):
        return _estimated(index, settings, shape, read)
    if not files:
        raise ValueError("storage.illumination says that illumination functions are provided, but none is given")
    functions = [read_function(local_file(path), path) for path in files]
    for function, path in zip(functions, files, strict=True):
        check_shape(function.shape, shape, path)
    return PlateIllumination(np.concatenate([resized(function[None], shape) for function in functions]), PROVIDED)


def _estimated(
    index: pd.DataFrame, settings: EstimatedIllumination, shape: tuple[int, int], read: ReadFields
) -> PlateIllumination:
    drawn = _drawn(index, settings.seed)
    names: list[str] = []
    images: list[npt.NDArray[np.float32]] = []
    while len(images) < settings.fields and len(drawn):
        some, drawn = drawn[: settings.fields - len(images)], drawn[settings.fields - len(images) :]
        for name, raw, _ in read(some):
            if raw is not None:
                names.append(name)
                images.append(area_means(raw, grid_of(shape)).astype(np.float32))
    if len(images) < settings.minimum_fields:
        return PlateIllumination(np.ones((len(CHANNELS), 1, 1), np.float32), TOO_FEW)
    return PlateIllumination(estimate_functions(np.stack(images), settings), ESTIMATED, tuple(names))


def _drawn(index: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Rows in an order that depends only on the seed and the name of the plate."""
    rng = np.random.default_rng([seed, zlib.crc32(str(index["plate"].iloc[0]).encode())])
    return index.iloc[rng.permutation(len(index))]


class Corrector:
    """Divides the fields of a plate by its functions, and measures the effect on some of them.

    The effect is measured on fields that the estimate has not used, if there are enough.

    Parameters
    ----------
    illumination
        Functions of the plate.
    index
        Rows of ``field_index`` of the plate.
    shape
        (H, W) of the images.
    seed
        Seed of the choice of measured fields.
    """

    def __init__(self, illumination: PlateIllumination, index: pd.DataFrame, shape: tuple[int, int], seed: int = 0):
        self.illumination = illumination
        self._gains = illumination.gains(shape)
        self._largest = 2 ** int(index["bit_depth"].iloc[0]) - 1
        candidates = index[~index["field_id"].isin(illumination.estimated_from)]
        self.held_out = len(candidates) >= min(_FEWEST, len(index)) and len(candidates) > 0
        chosen = _drawn(candidates if self.held_out else index, seed)["field_id"].iloc[:_MEASURED]
        self._measured = set(chosen)
        self._means: tuple[list[npt.NDArray], list[npt.NDArray]] = ([], [])

    def __call__(self, field_id: str, raw: npt.NDArray, measure: bool = False) -> npt.NDArray:
        """Correct a field, (5, H, W). With ``measure``, its means before and after count for the effect."""
        corrected = raw if self.illumination.basis == TOO_FEW else divide(raw, self._gains, self._largest)
        if measure and field_id in self._measured:
            for means, images in zip(self._means, (raw, corrected), strict=True):
                means.append(area_means(images, (SIDE, SIDE)).astype(np.float32))
        return corrected

    def effect(self) -> dict[str, npt.NDArray]:
        """Mean images and means of corners and centre, see `KeptIllumination`."""
        empty = np.zeros((0, len(CHANNELS), SIDE, SIDE), np.float32)
        before, after = (np.stack(means) if means else empty for means in self._means)
        return {
            "before": before.mean(axis=0) if len(before) else empty.sum(axis=0),
            "after": after.mean(axis=0) if len(after) else empty.sum(axis=0),
            "corners": np.stack([corners(before), corners(after)]),
            "centres": np.stack([centre(before), centre(after)]),
        }


def corners(images: npt.NDArray) -> npt.NDArray:
    """Mean of the four corners of images, (..., SIDE, SIDE) -> (...)."""
    parts = (images, images[..., ::-1, :], images[..., ::-1], images[..., ::-1, ::-1])
    return np.mean([part[..., _CORNER, _CORNER].mean(axis=(-2, -1)) for part in parts], axis=0)


def centre(images: npt.NDArray) -> npt.NDArray:
    """Mean of the centre of images, (..., SIDE, SIDE) -> (...)."""
    return images[..., _CENTRE, _CENTRE].mean(axis=(-2, -1))


@dataclass(frozen=True)
class KeptIllumination:
    """What is kept of the correction of a plate, in a file beside the plate.

    Attributes
    ----------
    functions, basis
        As in `PlateIllumination`.
    estimated_from
        Number of fields from which the functions were estimated; 0 if they were provided.
    held_out
        Whether the effect was measured on other fields.
    digest
        Digest of the plate.
    before, after
        (5, SIDE, SIDE) mean of measured fields before and after the correction, in raw grey levels.
    corners, centres
        (2, N, 5): before and after; means of corners and centre of N measured fields.
    """

    functions: npt.NDArray[np.float32]
    basis: str
    estimated_from: int
    held_out: bool
    digest: str
    before: npt.NDArray[np.float32]
    after: npt.NDArray[np.float32]
    corners: npt.NDArray[np.float32]
    centres: npt.NDArray[np.float32]


_ARRAYS = ("functions", "before", "after", "corners", "centres")


def keep(path: Path, corrector: Corrector, digest: str) -> None:
    """Write the functions of a plate and their effect."""
    illumination = corrector.illumination
    facts = {
        "basis": illumination.basis,
        "estimated_from": len(illumination.estimated_from),
        "held_out": corrector.held_out,
        "digest": digest,
    }
    with replace_file(path) as part:
        arrays = {"facts": np.array(json.dumps(facts)), "functions": illumination.functions, **corrector.effect()}
        np.savez(part, allow_pickle=False, **arrays)


def read_kept(path: Path) -> KeptIllumination:
    """Read the functions of a plate and their effect.

    Raises
    ------
    FileNotFoundError
        If there is no such file: the plate was ingested without a correction.
    DamagedFile
        If the file is damaged.
    """
    with _opened(path) as (file, facts):
        arrays: dict[str, Any] = {name: file[name] for name in _ARRAYS}
        return KeptIllumination(**arrays, **facts)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Mapping[str, npt.NDArray], dict[str, Any]]]:
    """Open the file of a plate. Its arrays are read when they are used."""
    try:
        with np.load(path, allow_pickle=False) as file:
            yield file, json.loads(str(file["facts"]))
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # NumPy and zipfile raise several types for a damaged file
        raise DamagedFile(f"{path} is damaged ({error}); run the pipeline ingestion again") from error


def is_kept(path: Path, digest: str) -> bool:
    """Whether the file of a plate is there and was written with the plate of this digest."""
    try:
        with _opened(path) as (_, facts):
            return facts["digest"] == digest
    except (FileNotFoundError, DamagedFile):
        return False


def warn_uncorrected(paths: Mapping[str, Path], settings: Illumination | None) -> None:
    """Say which plates were not corrected because they have too few fields.

    ``paths`` are the files of the plates, by the names of the plates. A plate without readable images has no file.
    """
    if not isinstance(settings, EstimatedIllumination):
        return
    kept = {}
    for name, path in paths.items():
        if path.exists():
            with _opened(path) as (_, facts):
                kept[name] = facts["basis"]
    if left := [name for name, basis in kept.items() if basis == TOO_FEW]:
        logger.warning(
            "the illumination of %d of %d plates is not corrected, because fewer than minimum_fields (%d) of their "
            "fields can be read: %s",
            *(len(left), len(kept), settings.minimum_fields, ", ".join(left[:5]) + (", ..." if len(left) > 5 else "")),
        )
