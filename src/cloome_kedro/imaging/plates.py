"""Ingestion of plates: from raw images to plate files, in parallel. A stopped run can be resumed."""

import logging
import os
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.illumination.functions import check_files
from cloome_kedro.imaging.illumination.plate import Corrector, functions_of_plate, is_kept, keep, warn_uncorrected
from cloome_kedro.imaging.illumination.provided import Functions
from cloome_kedro.imaging.images import Planes, empty_field, read_field, statistics, to_stored, usual_shape
from cloome_kedro.imaging.index import REJECTED, check_rejected
from cloome_kedro.imaging.intensity import pooled_thresholds
from cloome_kedro.imaging.readers import BadField, stamp
from cloome_kedro.imaging.remote import Remote, get_remote, read_ahead, set_remote
from cloome_kedro.imaging.stacks import parse
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.parallel import Bar, run_tasks
from cloome_kedro.stores import digest_of

logger = logging.getLogger(__name__)

_FORMAT = 2  # raise it when the content of plate files changes: all plates are then ingested again
_ANNOTATION = ["field_id", "screen", "plate", "well", "site", "compound_id", "concentration_um", "control"]
_STATISTICS = [
    f"{statistic}_{channel}" for statistic in ("threshold", "saturated", "mean", "std", "focus") for channel in CHANNELS
]


def ingest_plates(
    store: PlateStore,
    index: pd.DataFrame,
    rejected_index: pd.DataFrame,
    storage: Storage,
    *,
    functions: Functions | None = None,
    max_rejected_fraction: float = 0.05,
    n_jobs: int = -1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write the plate files that are missing, or whose images or settings have changed.

    Parameters
    ----------
    store
        Folder of plate files.
    index
        Table ``field_index``.
    rejected_index
        Fields that were rejected before. They count towards ``max_rejected_fraction``.
    storage
        How raw images become stored fields.
    functions
        Illumination functions of each plate, if ``storage.illumination`` says that they are provided.
    max_rejected_fraction
        Largest share of rejected fields. With more, the run stops.
    n_jobs
        Number of processes; -1 uses all cores.

    Returns
    -------
    fields, rejected
        Tables with the columns of ``fields`` and ``rejected_fields``.

    Raises
    ------
    ValueError
        If too many fields are rejected, if the plates would be stored in different shapes, or if a file of
        ``functions`` holds something else. Shapes and functions are checked before the first plate is written.
    """
    total = len(index) + len(rejected_index)
    plates = {store.name(str(plate)): fields for plate, fields in index.groupby("plate", sort=True)}
    files = {name: [] if functions is None else functions[_plate(fields)] for name, fields in plates.items()}
    digests = {name: _digest(fields, storage, files[name]) for name, fields in plates.items()}
    pending = [name for name in plates if not _is_current(store, name, digests[name], storage)]
    current = [name for name in plates if name not in set(pending)]
    shapes = {name: usual_shape(field_planes(plates[name], CHANNELS[:1])[0]) for name in pending}
    _check_stored_shapes(store, shapes, current, storage)
    check_files(files, shapes)
    logger.info("plates: %d to ingest, %d up to date", len(pending), len(current))

    rejected = pd.concat([rejected_index, *(_rejected(store, name, plates[name]) for name in current)])
    check_rejected(rejected, total, max_rejected_fraction)
    tasks = [
        (get_remote(), store, name, plates[name], storage, digests[name], shapes[name], files[name]) for name in pending
    ]
    bar = Bar("ingesting", "field", sizes=[len(plates[name]) for name in pending])
    for number, _ in run_tasks(_ingest_plate, tasks, bar, n_jobs, ordered=False):
        rejected = pd.concat([rejected, _rejected(store, pending[number], plates[pending[number]])])
        check_rejected(rejected, total, max_rejected_fraction)
    kept = {_plate(fields): store.illumination(name) for name, fields in plates.items()}
    warn_uncorrected(kept, storage.illumination)
    tables = [_fields(store, name, fields) for name, fields in plates.items()]
    fields = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return fields, rejected.sort_values(["plate", "well", "site"], ignore_index=True)


def _ingest_plate(remote: Remote, *arguments) -> None:
    """Call `ingest_plate` in a process that has to know how files on a server are read."""
    if remote != get_remote():
        set_remote(remote)
    ingest_plate(*arguments)


def ingest_plate(
    store: PlateStore,
    plate_file: str,
    index: pd.DataFrame,
    storage: Storage,
    digest: str,
    shape: tuple[int, int] | None = None,
    files: Sequence[str] = (),
) -> None:
    """Write one plate, field by field. Rejected fields are in its record, with the reason.

    Parameters
    ----------
    store
        Folder of plate files.
    plate_file
        Name of the plate in the store.
    index
        Rows of ``field_index`` of this plate.
    storage
        How raw images become stored fields.
    digest
        Digest of inputs and settings. It is written into the record.
    shape
        (H, W) that all images of the plate must have. None: no image of the plate can be read.
    files
        Illumination functions of the plate, if they are provided.
    """
    index = index.sort_values(["well", "site"])
    bit_depth = int(index["bit_depth"].iloc[0])
    corrector = _corrector(index, storage, shape, files)
    thresholds = None
    if storage.scope == "plate" and bit_depth > 8:
        thresholds = _plate_thresholds(index, storage, shape, corrector)
    record = []
    storage_notes = {"channels": list(CHANNELS), **storage.notes()}
    with store.writer(plate_file, digest, storage_notes) as writer:
        for field_id, raw, reason in _read(index, shape):
            values = np.full(len(_STATISTICS), np.nan)
            row = -1
            if raw is not None:
                saturated = _saturated(raw, bit_depth)
                corrected = corrector(field_id, raw, measure=True) if corrector else raw
                image, used_thresholds = to_stored(corrected, storage, thresholds)
                row = writer.append(image)
                image_statistics = statistics(image)
                values = np.concatenate(
                    [used_thresholds, saturated, *(image_statistics[name] for name in ("mean", "std", "focus"))]
                )
            record.append((field_id, row, reason, *values))
        if corrector:
            keep(store.illumination(plate_file), corrector, digest)
        else:
            store.illumination(plate_file).unlink(missing_ok=True)
        writer.commit(pd.DataFrame(record, columns=["field_id", "row", "reason", *_STATISTICS]))


def _corrector(
    index: pd.DataFrame, storage: Storage, shape: tuple[int, int] | None, files: Sequence[str]
) -> Corrector | None:
    """What corrects the illumination of the plate; None if it is not corrected or no image can be read."""
    if storage.illumination is None or shape is None:
        return None
    functions = functions_of_plate(index, storage.illumination, shape, lambda fields: _read(fields, shape), files)
    return Corrector(functions, index, shape)


def _plate(fields: pd.DataFrame) -> str:
    return str(fields["plate"].iloc[0])


def _is_current(store: PlateStore, name: str, digest: str, storage: Storage) -> bool:
    """Whether the plate is current, and its illumination functions are kept if it was corrected."""
    if not store.is_current(name, digest):
        return False
    return storage.illumination is None or store.shape(name) is None or is_kept(store.illumination(name), digest)


def field_planes(index: pd.DataFrame, channels: Sequence[str] = CHANNELS) -> list[list[Planes]]:
    """File and page of each field, or several of them with a stack: one list per channel."""
    return [_planes_of_channel(index, channel) for channel in channels]


def _planes_of_channel(index: pd.DataFrame, channel: str) -> list[Planes]:
    first = [
        (path, None if pd.isna(plane) else int(plane))
        for path, plane in zip(index[f"path_{channel}"], index[f"plane_{channel}"], strict=True)
    ]
    if f"more_{channel}" not in index:
        return list(first)
    more = index[f"more_{channel}"]
    return [image if pd.isna(text) else [image, *parse(text)] for image, text in zip(first, more, strict=True)]


def _read(index: pd.DataFrame, shape: tuple[int, int] | None) -> Iterator[tuple[str, npt.NDArray | None, str | None]]:
    """Read the fields of a plate one by one: (field_id, images, None), or (field_id, None, reason) of a bad field."""
    channels = list(zip(*field_planes(index), strict=True))
    field_ids, bit_depths = index["field_id"].to_list(), index["bit_depth"].to_list()

    def read(prepared: tuple[int, npt.NDArray | None]) -> tuple[str, npt.NDArray | None, str | None]:
        number, field = prepared
        try:
            return field_ids[number], read_field(channels[number], bit_depths[number], shape, field), None
        except BadField as error:
            return field_ids[number], None, str(error)

    paths = [_paths(planes) for planes in channels]
    # this thread allocates the fields, since it frees them: their memory is kept for the next ones only in one thread
    return read_ahead(paths, read, lambda number: (number, shape and empty_field(bit_depths[number], shape)))


def _paths(channels: Sequence[Planes]) -> list[str]:
    """Files of a field."""
    return [path for planes in channels for path, _ in (planes if isinstance(planes, list) else [planes])]


def _plate_thresholds(
    index: pd.DataFrame, storage: Storage, shape: tuple[int, int] | None, corrector: Corrector | None
) -> npt.NDArray[np.int64]:
    """Threshold of each channel over all good fields of the plate. For this the plate is read once more."""
    raw_fields = ((field_id, raw) for field_id, raw, _ in _read(index, shape) if raw is not None)
    fields = (corrector(field_id, raw) if corrector else raw for field_id, raw in raw_fields)
    return pooled_thresholds(fields, len(CHANNELS), storage.intensity_values.outlier_percent)


def _saturated(raw: npt.NDArray, bit_depth: int) -> npt.NDArray[np.float64]:
    """Share of pixels with the largest value of the bit depth, by channel."""
    largest = 2**bit_depth - 1
    counts = [np.count_nonzero(image >= largest) if image.max() >= largest else 0 for image in raw]
    return np.array(counts) / raw[0].size


def _digest(index: pd.DataFrame, storage: Storage, functions: Sequence[str] = ()) -> str:
    """Digest of everything that a plate file depends on.

    Files count by name, size and time of modification, but not by folder, so that a moved screen stays valid.
    """
    index = index.sort_values(["well", "site"])
    files = [
        (field_id, int(bit_depth), [_file(planes) for planes in channels])
        for field_id, bit_depth, *channels in zip(
            index["field_id"], index["bit_depth"], *field_planes(index), strict=True
        )
    ]
    functions_of_plate = [[_file((path, None)) for path in functions]] if functions else []
    return digest_of(_FORMAT, CHANNELS, storage.notes(), files, *functions_of_plate)


def _file(planes: Planes) -> tuple | list:
    """Name, page, size and time of modification of an image, or of each image of a stack."""
    if isinstance(planes, list):
        return [_file(plane) for plane in planes]
    path, plane = planes
    return (os.path.basename(path), plane, *stamp(path))


def _check_stored_shapes(
    store: PlateStore, shapes: dict[str, tuple[int, int] | None], current: list[str], storage: Storage
) -> None:
    """Raise ValueError before the ingestion if the plates would be stored in different shapes."""
    stored: dict[str, tuple[int, ...] | None] = {name: store.shape(name) for name in current}
    for name, shape in shapes.items():
        if shape:
            try:
                stored[name] = storage.stored_shape(shape)
            except ValueError as error:
                raise ValueError(f"plate {name}: {error}; choose a smaller one") from error
    first_plates: dict[tuple[int, ...], str] = {}
    for name, stored_shape in stored.items():
        if stored_shape:
            first_plates.setdefault(tuple(stored_shape), name)
    if len(first_plates) > 1:
        shapes_and_plates = ", ".join(f"{shape} in plate {name}" for shape, name in first_plates.items())
        raise ValueError(
            f"plates would be stored in different shapes: {shapes_and_plates}; set `storage.size` in params:ingestion"
        )


def _fields(store: PlateStore, plate_file: str, index: pd.DataFrame) -> pd.DataFrame:
    """Rows of the table ``fields`` of one plate."""
    record = store.record(plate_file)
    record = record[record["row"] >= 0].drop(columns="reason").assign(plate_file=plate_file)
    fields = record.merge(index[_ANNOTATION], on="field_id", validate="one_to_one")
    return fields[[*_ANNOTATION, "plate_file", "row", *_STATISTICS]]


def _rejected(store: PlateStore, plate_file: str, index: pd.DataFrame) -> pd.DataFrame:
    """Rows of the table ``rejected_fields`` of one plate."""
    record = store.record(plate_file)
    record = record.loc[record["row"] < 0, ["field_id", "reason"]].assign(stage="image")
    return record.merge(index[_ANNOTATION], on="field_id", validate="one_to_one")[REJECTED]
