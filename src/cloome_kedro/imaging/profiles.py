"""Profiles: the classical features of every field, plate by plate, in parallel, resumable."""

import dataclasses
import importlib.metadata
import logging

import numpy as np
import numpy.typing as npt
import pandas as pd

from cloome_kedro.imaging.config import Measurement
from cloome_kedro.imaging.features import feature_names, measure_field
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.parallel import Bar, run_tasks
from cloome_kedro.stores import TableStore, digest_of

logger = logging.getLogger(__name__)

_FORMAT = 1  # raise it when the meaning of features changes: all plates are then measured again
_FIELDS_PER_TASK = 16  # so that few plates keep many cores busy
_NUCLEI = "Nuclei_Count"


def measure_profiles(
    store: TableStore, plates: PlateStore, fields: pd.DataFrame, measurement: Measurement, *, n_jobs: int = -1
) -> pd.DataFrame:
    """Measure the plates whose profiles are missing, or whose images or settings have changed.

    Parameters
    ----------
    store
        Folder of raw profiles: for each plate field_id and float32 features, one row per field.
    plates
        Where plate files are.
    fields
        Table ``fields``.
    measurement
        What is measured.
    n_jobs
        Processes; -1 uses every core. They share the fields of a plate, too.

    Returns
    -------
    index
        Table ``profile_index``, one row per plate.
    """
    tables = {str(name): table.sort_values("row") for name, table in fields.groupby("plate_file", sort=True)}
    digests = {name: _digest(plates, name, table, measurement) for name, table in tables.items()}
    pending = {name: table for name, table in tables.items() if store.digest(name) != digests[name]}
    logger.info("profiles: %d plates to measure, %d up to date", len(pending), len(tables) - len(pending))
    parts = [
        (name, table.iloc[first : first + _FIELDS_PER_TASK])
        for name, table in pending.items()
        for first in range(0, len(table), _FIELDS_PER_TASK)
    ]
    tasks = [(plates, name, part["field_id"].tolist(), part["row"].tolist(), measurement) for name, part in parts]
    measured: list[npt.NDArray[np.float32]] = []
    # Results come in order, so that the parts of one plate come one after the other.
    for number, values in run_tasks(
        _measure_fields, tasks, Bar("measuring", "field", sizes=[len(part) for _, part in parts]), n_jobs
    ):
        name = parts[number][0]
        measured.append(values)
        if sum(map(len, measured)) == len(pending[name]):
            profiles = pd.DataFrame(np.concatenate(measured), columns=list(feature_names(measurement)))
            profiles.insert(0, "field_id", pending[name]["field_id"].to_numpy())
            store.write(name, profiles, digests[name])
            measured = []
    index = pd.DataFrame([_describe(store, name, digests[name]) for name in tables])
    logger.info("profiles: %d of %d fields have no nucleus", index["without_nuclei"].sum(), index["fields"].sum())
    return index


def count_nuclei(store: TableStore, index: pd.DataFrame) -> pd.DataFrame:
    """Nuclei found in every field.

    Parameters
    ----------
    index
        Table ``profile_index``.

    Returns
    -------
    counts
        Table ``cell_counts``: field_id, nuclei; no rows where nuclei were not measured.
    """
    columns = ["field_id", _NUCLEI]
    tables = [store.read(name, columns) for name in index["plate_file"] if _NUCLEI in store.columns(name)]
    counts = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return counts.rename(columns={_NUCLEI: "nuclei"})


def _measure_fields(
    plates: PlateStore, plate_file: str, field_ids: list[str], rows: list[int], measurement: Measurement
) -> npt.NDArray[np.float32]:
    """(fields, features); see `features.measure_field`."""
    images = plates.reader([plate_file] * len(rows), rows)
    measured = []
    for i, field_id in enumerate(field_ids):
        try:
            measured.append(measure_field(images([i])[0], measurement))
        except Exception as error:
            raise RuntimeError(f"field {field_id} cannot be measured: {error}") from error
    return np.stack(measured)


def _digest(plates: PlateStore, plate_file: str, fields: pd.DataFrame, measurement: Measurement) -> str:
    """Digest of all that a plate's profiles depend on."""
    version = importlib.metadata.version("cp-measure")
    rows = fields[["field_id", "row"]].values.tolist()
    return digest_of(_FORMAT, version, dataclasses.asdict(measurement), plates.digest(plate_file), rows)


def _describe(store: TableStore, plate_file: str, digest: str) -> dict[str, str | int]:
    names = store.columns(plate_file)
    counted = _NUCLEI in names
    count = store.read(plate_file, [_NUCLEI if counted else "field_id"])
    return {
        "plate_file": plate_file,
        "fields": len(count),
        "without_nuclei": int((count[_NUCLEI] == 0).sum()) if counted else 0,
        "features": len(names) - 1,
        "digest": digest,
    }
