"""Plates: from raw images to plate files, in parallel, resumable."""

import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm.auto import tqdm

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.images import BadField, area_average, centre_crop, read_field, statistics, usual_shape
from cloome_kedro.imaging.index import REJECTED, check_rejected
from cloome_kedro.imaging.intensity import pooled_thresholds, to_uint8
from cloome_kedro.imaging.store import PlateStore

logger = logging.getLogger(__name__)

_FORMAT = 1  # raise it when the meaning of plate files changes: all plates are then made anew
_PATHS = [f"path_{channel}" for channel in CHANNELS]
_ANNOTATION = ["field_id", "screen", "plate", "well", "site", "compound_id", "concentration_um", "control"]
_STATISTICS = [
    f"{statistic}_{channel}" for statistic in ("threshold", "saturated", "mean", "std", "focus") for channel in CHANNELS
]


@dataclass(frozen=True)
class PlateSettings:
    """How raw images become stored fields.

    Intensities are scaled first, over the whole image, then it is cropped and resized: thresholds are those of the
    published data whatever is stored, and averaging keeps the few clipped pixels from deciding over a small image.
    """

    outlier_percent: float = 0.0028
    scale: int = 256
    scope: Literal["field", "plate"] = "field"
    crop: int | None = None
    size: tuple[int, int] | None = None

    def stored_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Shape of a stored field, from that of its images.

        Raises
        ------
        ValueError
            If the images are smaller than crop or size: nothing is enlarged.
        """
        after_crop = (self.crop, self.crop) if self.crop else shape
        after_resize = self.size or after_crop
        for name, small, large in (("crop", after_crop, shape), ("size", after_resize, after_crop)):
            if small[0] > large[0] or small[1] > large[1]:
                raise ValueError(f"{name} {small} in params:ingestion is larger than the images, {large}")
        return after_resize

    def to_stored(
        self, raw: npt.NDArray, thresholds: npt.NDArray | None = None
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """Raw images (..., H, W) as they are stored, and the thresholds used (see `intensity.to_uint8`)."""
        images, used = to_uint8(raw, self.outlier_percent, self.scale, thresholds)
        images = centre_crop(images, self.crop) if self.crop else images
        return area_average(images, self.size) if self.size else images, used


def ingest_plates(
    store: PlateStore,
    index: pd.DataFrame,
    settings: PlateSettings,
    *,
    rejected_index: pd.DataFrame | None = None,
    max_rejected_fraction: float = 0.05,
    n_jobs: int = -1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make the plate files that are missing or whose inputs or settings changed.

    Parameters
    ----------
    index
        Table ``field_index``.
    rejected_index
        Fields set aside before; they count towards ``max_rejected_fraction``.
    n_jobs
        Processes, as joblib counts them.

    Returns
    -------
    fields, rejected
        Tables with the columns of ``fields`` and ``rejected_fields``.

    Raises
    ------
    ValueError
        If more than ``max_rejected_fraction`` of the fields is rejected, or plates would be stored in different shapes.
    """
    rejected_index = pd.DataFrame(columns=REJECTED) if rejected_index is None else rejected_index
    total = len(index) + len(rejected_index)
    plates = {store.name(str(plate)): fields for plate, fields in index.groupby("plate", sort=True)}
    digests = {name: _digest(fields, settings) for name, fields in plates.items()}
    pending = [name for name in plates if not store.is_current(name, digests[name])]
    current = [name for name in plates if name not in set(pending)]
    shapes = {name: usual_shape(list(plates[name][_PATHS[0]])) for name in pending}
    _check_stored_shapes(store, shapes, current, settings)
    logger.info("plates: %d to ingest, %d up to date", len(pending), len(current))

    rejected = pd.concat([rejected_index, *(_rejected(store, name, plates[name]) for name in current)])
    check_rejected(rejected, total, max_rejected_fraction)
    if pending:
        jobs = min(joblib.effective_n_jobs(n_jobs), len(pending))
        engine = {"backend": "loky", "inner_max_num_threads": 1} if jobs > 1 else {"backend": "sequential"}
        with (
            joblib.parallel_config(**engine),
            tqdm(total=sum(len(plates[name]) for name in pending), desc="ingesting", unit="field") as progress,
        ):
            finished = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(
                joblib.delayed(_ingest_named)(store, name, plates[name], settings, digests[name], shapes[name])
                for name in pending
            )
            for name in finished:
                progress.update(len(plates[name]))
                rejected = pd.concat([rejected, _rejected(store, name, plates[name])])
                check_rejected(rejected, total, max_rejected_fraction)
    tables = [_fields(store, name, fields) for name, fields in plates.items()]
    fields = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return fields, rejected.sort_values(["plate", "well", "site"], ignore_index=True)


def ingest_plate(
    store: PlateStore,
    plate_file: str,
    index: pd.DataFrame,
    settings: PlateSettings,
    digest: str,
    shape: tuple[int, int] | None = None,
) -> None:
    """Write one plate, field by field; bad fields go into its record with the reason.

    Parameters
    ----------
    index
        Rows of ``field_index`` of this plate.
    digest
        What the record is to say about inputs and settings.
    shape
        (H, W) that all images of the plate must have; None: no image of it can be read.
    """
    index = index.sort_values(["well", "site"])
    bit_depth = int(index["bit_depth"].iloc[0])
    thresholds = _plate_thresholds(index, settings, shape) if settings.scope == "plate" and bit_depth > 8 else None
    rows = []
    with store.writer(plate_file, digest) as writer:
        for field_id, raw, reason in _read(index, shape):
            values = np.full(len(_STATISTICS), np.nan)
            row = -1
            if raw is not None:
                image, used = settings.to_stored(raw, thresholds)
                row = writer.append(image)
                described = statistics(image)
                saturated = _saturated(raw, bit_depth)
                values = np.concatenate([used, saturated, described["mean"], described["std"], described["focus"]])
            rows.append((field_id, row, reason, *values))
        writer.commit(pd.DataFrame(rows, columns=["field_id", "row", "reason", *_STATISTICS]))


def _ingest_named(store, plate_file, *arguments) -> str:
    ingest_plate(store, plate_file, *arguments)
    return plate_file


def _read(index: pd.DataFrame, shape: tuple[int, int] | None) -> Iterator[tuple[str, npt.NDArray | None, str | None]]:
    """Read the fields of a plate one by one: (field_id, images, None) or (field_id, None, why not)."""
    for field_id, bit_depth, *paths in index[["field_id", "bit_depth", *_PATHS]].itertuples(index=False):
        try:
            yield field_id, read_field(paths, bit_depth, shape), None
        except BadField as error:
            yield field_id, None, str(error)


def _plate_thresholds(index: pd.DataFrame, settings: PlateSettings, shape) -> npt.NDArray[np.int64]:
    """Threshold of each channel over all good fields of the plate, exact: the plate is read twice."""
    fields = (raw for _, raw, _ in _read(index, shape) if raw is not None)
    return pooled_thresholds(fields, len(CHANNELS), settings.outlier_percent)


def _saturated(raw: npt.NDArray, bit_depth: int) -> npt.NDArray[np.float64]:
    """Share of pixels at the camera's largest value, per channel."""
    return (raw >= 2**bit_depth - 1).mean(axis=(1, 2))


def _digest(index: pd.DataFrame, settings: PlateSettings) -> str:
    """Digest of all that a plate file depends on; files by name, size and time, so that a moved screen stays valid."""
    files = [
        (field_id, bit_depth, [(os.path.basename(path), *_stamp(path)) for path in paths])
        for field_id, bit_depth, *paths in index.sort_values(["well", "site"])[
            ["field_id", "bit_depth", *_PATHS]
        ].itertuples(index=False)
    ]
    content = json.dumps([_FORMAT, CHANNELS, dataclasses.asdict(settings), files])
    return hashlib.sha256(content.encode()).hexdigest()


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (-1, -1)
    return status.st_size, status.st_mtime_ns


def _check_stored_shapes(store: PlateStore, shapes, current: list[str], settings: PlateSettings) -> None:
    """Refuse, before work, plates that could not be read together afterwards."""
    stored = {name: store.shape(name) for name in current}
    for name, shape in shapes.items():
        if shape:
            try:
                stored[name] = settings.stored_shape(shape)
            except ValueError as error:
                raise ValueError(f"plate {name}: {error}; choose a smaller one") from error
    first: dict[tuple[int, ...], str] = {}
    for name, stored_shape in stored.items():
        if stored_shape:
            first.setdefault(tuple(stored_shape), name)
    if len(first) > 1:
        found = ", ".join(f"{shape} in plate {name}" for shape, name in first.items())
        raise ValueError(f"plates would be stored in different shapes: {found}; set `size` in params:ingestion")


def _fields(store: PlateStore, plate_file: str, index: pd.DataFrame) -> pd.DataFrame:
    record = store.record(plate_file)
    record = record[record["row"] >= 0].drop(columns="reason").assign(plate_file=plate_file)
    fields = record.merge(index[_ANNOTATION], on="field_id", validate="one_to_one")
    return fields[[*_ANNOTATION, "plate_file", "row", *_STATISTICS]]


def _rejected(store: PlateStore, plate_file: str, index: pd.DataFrame) -> pd.DataFrame:
    record = store.record(plate_file)
    record = record.loc[record["row"] < 0, ["field_id", "reason"]].assign(stage="image")
    return record.merge(index[_ANNOTATION], on="field_id", validate="one_to_one")[REJECTED]
