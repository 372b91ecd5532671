"""Fields that a user gives, as an array or as files: check them, and convert them to the stored form."""

import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.channels import CHANNELS, canonical
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.images import read_field, to_stored
from cloome_kedro.imaging.intensity import pooled_thresholds
from cloome_kedro.imaging.readers import BadField, read_image

#: the image files of one field: one per channel in the order of `CHANNELS`, or ``{channel: file}``
Files = Sequence[str | Path] | Mapping[str, str | Path]
#: fields as an array (N, 5, H, W), or the image files of each field
Fields = np.ndarray | Iterable[Files]
#: threshold of each channel, in the order of `CHANNELS` or by channel
Thresholds = Sequence[float] | np.ndarray | Mapping[str, float]

_ORDER = ", ".join(CHANNELS)
_BRIGHT = 32  # of 255; stored fields have brighter pixels


@dataclass(frozen=True)
class GivenFields:
    """Fields that are read one by one.

    Attributes
    ----------
    read
        Number of a field -> (5, H, W) uint8 or uint16. It raises `BadField` for a bad field.
    number
        Number of fields.
    shape
        (H, W) of the first field.
    bits
        8 or 16 per pixel.
    are_stored
        Whether the fields are in the stored form: neither cropped nor resized again.
    """

    read: Callable[[int], npt.NDArray]
    number: int
    shape: tuple[int, int]
    bits: int
    are_stored: bool


def open_fields(fields: Fields) -> GivenFields:
    """Check the form of fields.

    Raises
    ------
    ValueError
        If an array has another shape, a field lacks a channel, the names of files contradict the order of the channels,
        or the first file cannot be read.
    TypeError
        If the argument is neither an array of uint8 or uint16 nor sequences or mappings of files.
    """
    if isinstance(fields, np.ndarray):
        return _of_array(fields)
    if isinstance(fields, str | Path | Mapping) or not isinstance(fields, Iterable):
        raise TypeError(f"fields must be one array (N, {len(CHANNELS)}, H, W) or a list of fields, not {fields!r:.100}")
    return _of_files([_paths(row, group) for row, group in enumerate(fields)])


def stored_reader(
    given: GivenFields, storage: Storage, thresholds: Thresholds | None = None, plate: GivenFields | None = None
) -> Callable[[npt.NDArray[np.integer]], npt.NDArray[np.uint8]]:
    """Return a function from B numbers of fields to fields as ingestion stores them, uint8 (B, 5, H, W).

    Parameters
    ----------
    given
        The fields.
    storage
        How fields are stored. It is not applied to an array of uint8. Images of 8 bits need no thresholds.
    thresholds
        Thresholds of the plate, if the plate has one per channel.
    plate
        All fields of the plate, from which thresholds are made.

    Raises
    ------
    ValueError
        If images are smaller than the storage needs; if the plate has one threshold per channel, and neither or both of
        ``thresholds`` and ``plate`` are given; or if they are given although each field has its own thresholds.
    """
    if not given.number:
        return lambda rows: np.zeros((0, len(CHANNELS), 1, 1), np.uint8)
    if given.are_stored:
        if storage.size not in (None, given.shape):
            _warn(
                f"uint8 fields are used as they are, with (height, width) {given.shape}, but the training fields were "
                f"stored with {storage.size}"
            )
        return lambda rows: np.stack([given.read(row) for row in rows])
    storage.stored_shape(given.shape)
    numbers = plate_thresholds(storage, thresholds, plate) if given.bits > 8 else None
    return lambda rows: to_stored(np.stack([given.read(row) for row in rows]), storage, numbers)[0]


class ContrastCheck:
    """Looks at stored fields while they are read, and warns afterwards if they seem to be scaled wrongly."""

    def __init__(self, read: Callable[[npt.NDArray[np.integer]], npt.NDArray[np.uint8]]):
        self._read = read
        self._brightest = 0
        self._flat: list[tuple[int, int]] = []  # field and channel

    def __call__(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        images = self._read(rows)
        if images.size:
            low, high = images.min(axis=(2, 3)), images.max(axis=(2, 3))
            self._brightest = max(self._brightest, int(high.max()))
            self._flat += [(int(rows[i]), int(channel)) for i, channel in np.argwhere(low == high)]
        return images

    def warn(self) -> None:
        """Warn of what was seen so far."""
        if self._flat:
            row, channel = min(self._flat)  # threads may read batches in another order
            _warn(
                f"{len(self._flat)} images have the same value in all pixels, the first is channel {CHANNELS[channel]} "
                f"of field {row}: their embeddings mean little"
            )
        if 0 < self._brightest < _BRIGHT:
            _warn(
                f"the brightest pixel of all fields is {self._brightest} of 255: images of more than 8 bits must be "
                "given as uint16, so that they are scaled as in training"
            )


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)


def _of_array(array: npt.NDArray) -> GivenFields:
    if array.dtype.kind != "u" or array.dtype.itemsize > 2:
        raise TypeError(
            f"an array of fields must be uint8 (as stored) or uint16 (as the microscope gives it), not {array.dtype}"
        )
    if array.ndim != 4 or array.shape[1] != len(CHANNELS) or 0 in array.shape[2:]:
        hint = "; for one field, give field[None]" if array.shape[:1] == (len(CHANNELS),) and array.ndim == 3 else ""
        raise ValueError(f"the shape of fields must be (N, {len(CHANNELS)}, H, W), not {array.shape}{hint}")

    def read(row: int) -> npt.NDArray:
        if not array[row].any():
            raise BadField(f"field {row}: every pixel of all five channels is 0")
        return array[row].astype(f"u{array.dtype.itemsize}", copy=False)  # in the byte order of this machine

    eight = array.dtype.itemsize == 1
    return GivenFields(read, len(array), array.shape[2:], 8 if eight else 16, are_stored=eight)


def _of_files(files: list[list[str]]) -> GivenFields:
    if not files:
        return GivenFields(lambda row: np.zeros((len(CHANNELS), 1, 1), np.uint8), 0, (1, 1), 8, are_stored=True)
    try:
        first = read_image(files[0][0])
    except BadField as error:
        raise BadField(f"field 0: {error}") from error
    shape, bits = first.shape[:2], 8 if first.dtype == np.uint8 else 16

    def read(row: int) -> npt.NDArray:
        try:
            return read_field([(path, None) for path in files[row]], bits, shape)
        except BadField as error:
            raise BadField(f"field {row}: {error}") from error

    return GivenFields(read, len(files), shape, bits, are_stored=False)


def _paths(row: int, group: Files) -> list[str]:
    """Files of a field in the order of `CHANNELS`."""
    if isinstance(group, Mapping):
        files = by_channel(group, f"field {row}")
    elif isinstance(group, str | bytes | os.PathLike | np.ndarray) or not isinstance(group, Iterable):
        raise TypeError(
            f"fields must be one array (N, {len(CHANNELS)}, H, W), or N sequences of five image files each, or N "
            f"mappings {{channel: file}}; field {row} is {group!r:.100}"
        )
    else:
        files = list(group)
        if len(files) != len(CHANNELS):
            raise ValueError(f"field {row} has {len(files)} files; it needs one each for {_ORDER}")
    for path in files:
        if not isinstance(path, str | Path):
            raise TypeError(f"field {row}: the path of a file must be a text or a Path, not {path!r:.100}")
    paths = [os.path.expanduser(path) for path in files]
    if len(set(paths)) < len(paths):
        raise ValueError(f"field {row}: the file {max(paths, key=paths.count)} is given for several channels")
    if not isinstance(group, Mapping):
        _check_names(row, paths)
    return paths


def _check_names(row: int, paths: list[str]) -> None:
    """Raise ValueError if the name of a file says that it shows another channel than that of its place."""
    names = [os.path.splitext(os.path.basename(path))[0] for path in paths]
    words = [[word for word in re.split(r"[^A-Za-z0-9]+", name) if word] for name in names]
    # Names of channels can have two words, such as Ph_golgi.
    terms = [{*parts, *map("".join, pairwise(parts))} for parts in words]
    in_all = set.intersection(*terms)  # such as the name of the plate
    for path, expected, term in zip(paths, CHANNELS, terms, strict=True):
        named = {channel for word in term - in_all if (channel := canonical(word))}
        if named and expected not in named:
            raise ValueError(
                f"field {row}: {os.path.basename(path)} stands in the place of {expected}, but its name says "
                f"{' or '.join(sorted(named))}; the order is {_ORDER}. Or give {{'DNA': file, ...}}, which is not "
                "compared with the names of files"
            )


def by_channel(values: Mapping, what: str) -> list:
    """Values of a mapping from names of channels, in the order of `CHANNELS`; ``what`` names it in errors."""
    channels = [canonical(str(name)) for name in values]
    if sorted(map(str, channels)) != sorted(CHANNELS):
        raise ValueError(f"{what} has the channels {', '.join(map(str, values))}; it needs one each for {_ORDER}")
    found = dict(zip(channels, values.values(), strict=True))
    return [found[channel] for channel in CHANNELS]


def plate_thresholds(
    storage: Storage, thresholds: Thresholds | None, plate: GivenFields | None
) -> npt.NDArray[np.int64] | None:
    """Return the threshold of each channel, (5,): those that are given, or those of all fields of the plate.

    None if the storage has no thresholds of plates. ValueError as in :func:`stored_reader`.
    """
    if storage.scope != "plate":
        if thresholds is not None or plate is not None:
            raise ValueError(
                "the training fields of this model have their own thresholds each: leave out `thresholds` and "
                "`plate_fields`"
            )
        return None
    if (thresholds is None) == (plate is None):
        raise ValueError(
            "the training fields of this model were scaled by thresholds of their plate. Give either `thresholds`, the "
            "columns threshold_<channel> of the table `fields`, or `plate_fields`, the raw images of all fields of the "
            "plate. If `fields` are all fields of one plate, give plate_fields=fields"
        )
    if thresholds is not None:
        return _checked(by_channel(thresholds, "thresholds") if isinstance(thresholds, Mapping) else thresholds)
    assert plate is not None
    if plate.bits == 8 or not plate.number:
        raise ValueError(f"plate_fields must be raw images of 16 bits; they are {plate.number} fields of {plate.bits}")

    def read(row: int) -> npt.NDArray:
        try:
            return plate.read(row)
        except BadField as error:
            raise BadField(f"plate_fields, {error}") from error

    fields = map(read, range(plate.number))
    return pooled_thresholds(fields, len(CHANNELS), storage.intensity_values.outlier_percent)


def _checked(thresholds: Sequence[float] | np.ndarray) -> npt.NDArray[np.int64]:
    numbers = np.asarray(thresholds)
    if numbers.shape != (len(CHANNELS),) or numbers.dtype.kind not in "iuf":
        raise ValueError(f"thresholds must be five numbers, for {_ORDER}, not {thresholds!r:.200}")
    if not ((numbers >= 0) & (numbers < 2**16)).all():  # also refuses NaN
        raise ValueError(f"thresholds must be from 0 to 65535, not {numbers.tolist()}")
    return numbers.astype(np.int64)
