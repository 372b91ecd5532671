"""Raw profiles: the classical features of each field, measured in parallel. A stopped run can be resumed."""

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
_FIELDS_PER_TASK = 16  # less than a plate, so that a few plates keep many cores busy
_NUCLEI = "Nuclei_Count"


def measure_profiles(
    store: TableStore, plates: PlateStore, fields: pd.DataFrame, measurement: Measurement, *, n_jobs: int = -1
) -> pd.DataFrame:
    """Measure the plates whose profiles are missing, or whose images or settings have changed.

    Parameters
    ----------
    store
        Folder of raw profiles: one table per plate, one row per field, columns field_id and float32 features.
    plates
        Folder of plate files.
    fields
        Table ``fields``.
    measurement
        What is measured.
    n_jobs
        Number of processes; -1 uses all cores. Several processes can measure fields of the same plate.

    Returns
    -------
    index
        Table ``profile_index``, one row per plate.
    """
    tables = {str(name): table.sort_values("row") for name, table in fields.groupby("plate_file", sort=True)}
    digests = {name: _digest(plates, name, table, measurement) for name, table in tables.items()}
    pending = {name: table for name, table in tables.items() if not store.is_current(name, digests[name])}
    logger.info("profiles: %d plates to measure, %d up to date", len(pending), len(tables) - len(pending))
    parts = [
        (name, table.iloc[first : first + _FIELDS_PER_TASK])
        for name, table in pending.items()
        for first in range(0, len(table), _FIELDS_PER_TASK)
    ]
    tasks = [(plates, name, part["field_id"].tolist(), part["row"].tolist(), measurement) for name, part in parts]
    bar = Bar("measuring", "field", sizes=[len(part) for _, part in parts])
    plate_values: list[npt.NDArray[np.float32]] = []
    # Results arrive in the order of the tasks, so the parts of a plate are consecutive.
    for number, values in run_tasks(_measure_fields, tasks, bar, n_jobs):
        name = parts[number][0]
        plate_values.append(values)
        if sum(map(len, plate_values)) == len(pending[name]):
            profiles = pd.DataFrame(np.concatenate(plate_values), columns=list(feature_names(measurement)))
            profiles.insert(0, "field_id", pending[name]["field_id"].to_numpy())
            store.write(name, profiles, digests[name])
            plate_values = []
    index = pd.DataFrame([_describe(store, name, digests[name]) for name in tables])
    logger.info("profiles: %d of %d fields have no nucleus", index["without_nuclei"].sum(), index["fields"].sum())
    return index


def count_nuclei(store: TableStore, index: pd.DataFrame) -> pd.DataFrame:
    """Count the nuclei of each field.

    Parameters
    ----------
    store
        Folder of raw profiles.
    index
        Table ``profile_index``.

    Returns
    -------
    counts
        Table ``cell_counts``: field_id, nuclei. It is empty if nuclei were not measured.
    """
    columns = ["field_id", _NUCLEI]
    tables = [store.read(name, columns) for name in index["plate_file"] if _NUCLEI in store.columns(name)]
    counts = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return counts.rename(columns={_NUCLEI: "nuclei"})


def _measure_fields(
    plates: PlateStore, plate_file: str, field_ids: list[str], rows: list[int], measurement: Measurement
) -> npt.NDArray[np.float32]:
    """Features of some fields of a plate, (fields, features); see `features.measure_field`."""
    read = plates.reader([plate_file] * len(rows), rows)
    features = []
    for i, field_id in enumerate(field_ids):
        try:
            features.append(measure_field(read([i])[0], measurement))
        except Exception as error:
            raise RuntimeError(f"field {field_id} cannot be measured: {error}") from error
    return np.stack(features)


def _digest(plates: PlateStore, plate_file: str, fields: pd.DataFrame, measurement: Measurement) -> str:
    """Digest of everything that the profiles of a plate depend on."""
    version = importlib.metadata.version("cp-measure")
    rows = fields[["field_id", "row"]].values.tolist()
    return digest_of(_FORMAT, version, dataclasses.asdict(measurement), plates.digest(plate_file), rows)


def _describe(store: TableStore, plate_file: str, digest: str) -> dict[str, str | int]:
    """Row of the table ``profile_index`` of one plate."""
    names = store.columns(plate_file)
    has_count = _NUCLEI in names
    table = store.read(plate_file, [_NUCLEI if has_count else "field_id"])
    return {
        "plate_file": plate_file,
        "fields": len(table),
        "without_nuclei": int((table[_NUCLEI] == 0).sum()) if has_count else 0,
        "features": len(names) - 1,
        "digest": digest,
    }
