"""Profiles: the classical features of every field, plate by plate, in parallel, resumable."""

import dataclasses
import hashlib
import importlib.metadata
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from cloome_kedro.atomic import replace_file
from cloome_kedro.imaging.features import ProfileSettings, feature_names, measure_field
from cloome_kedro.imaging.store import PlateStore

logger = logging.getLogger(__name__)

_FORMAT = 1  # raise it when the meaning of features changes: all plates are then measured anew
_DIGEST = b"digest"
_FIELDS_A_TASK = 16  # so that few plates keep many cores busy


@dataclass(frozen=True)
class ProfileStore:
    """Folder with ``<plate_file>.parquet`` for each plate: field_id and raw features, a row a field.

    The file's metadata has the digest of what it was made from.
    """

    folder: Path

    def path(self, plate_file: str) -> Path:
        """Path of the plate's profiles."""
        return self.folder / f"{plate_file}.parquet"

    def digest(self, plate_file: str) -> str | None:
        """What the plate's profiles were made from; None where there are none, or the file is damaged."""
        try:
            metadata = pq.read_metadata(self.path(plate_file)).metadata
        except (FileNotFoundError, pa.ArrowInvalid):
            return None
        return (metadata or {}).get(_DIGEST, b"").decode() or None

    def read(self, plate_file: str) -> pd.DataFrame:
        """field_id and float32 features of the plate's fields."""
        return pq.read_table(self.path(plate_file)).to_pandas()

    def write(self, plate_file: str, profiles: pd.DataFrame, digest: str) -> None:
        """Put the plate's profiles in place, whole."""
        table = pa.Table.from_pandas(profiles, preserve_index=False).replace_schema_metadata({_DIGEST: digest.encode()})
        with replace_file(self.path(plate_file)) as part:
            pq.write_table(table, part)


def measure_profiles(
    store: ProfileStore, plates: PlateStore, fields: pd.DataFrame, settings: ProfileSettings, *, n_jobs: int = -1
) -> pd.DataFrame:
    """Measure the plates whose profiles are missing, or whose images or settings have changed.

    Parameters
    ----------
    fields
        Table ``fields``.
    n_jobs
        Processes, as joblib counts them. They share the fields of a plate, too.

    Returns
    -------
    index
        Table ``profile_index``, a row a plate.
    """
    tables = {str(name): table.sort_values("row") for name, table in fields.groupby("plate_file", sort=True)}
    digests = {name: _digest(plates, name, table, settings) for name, table in tables.items()}
    pending = {name: table for name, table in tables.items() if store.digest(name) != digests[name]}
    logger.info("profiles: %d plates to measure, %d up to date", len(pending), len(tables) - len(pending))
    tasks = [
        (name, table.iloc[first : first + _FIELDS_A_TASK])
        for name, table in pending.items()
        for first in range(0, len(table), _FIELDS_A_TASK)
    ]
    if tasks:
        jobs = min(joblib.effective_n_jobs(n_jobs), len(tasks))
        engine = {"backend": "loky", "inner_max_num_threads": 1} if jobs > 1 else {"backend": "sequential"}
        with (
            joblib.parallel_config(**engine),
            tqdm(total=sum(map(len, pending.values())), desc="measuring", unit="field") as progress,
        ):
            # in order, so that the parts of one plate come one after the other
            measured = joblib.Parallel(n_jobs=jobs, return_as="generator")(
                joblib.delayed(_measure_fields)(plates, name, part["field_id"].tolist(), part["row"].tolist(), settings)
                for name, part in tasks
            )
            parts: list[npt.NDArray[np.float32]] = []
            for (name, _), values in zip(tasks, measured, strict=True):
                progress.update(len(values))
                parts.append(values)
                if sum(map(len, parts)) == len(pending[name]):
                    profiles = pd.DataFrame(np.concatenate(parts), columns=list(feature_names(settings)))
                    profiles.insert(0, "field_id", pending[name]["field_id"].to_numpy())
                    store.write(name, profiles, digests[name])
                    parts = []
    index = pd.DataFrame([_describe(store, name, digests[name]) for name in tables])
    logger.info("profiles: %d of %d fields have no nucleus", index["without_nuclei"].sum(), index["fields"].sum())
    return index


def count_nuclei(store: ProfileStore, index: pd.DataFrame) -> pd.DataFrame:
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
    columns = ["field_id", "Nuclei_Count"]
    counted = [name for name in index["plate_file"] if columns[1] in pq.read_schema(store.path(name)).names]
    tables = [pq.read_table(store.path(name), columns=columns).to_pandas() for name in counted]
    counts = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return counts.rename(columns={"Nuclei_Count": "nuclei"})


def _measure_fields(
    plates: PlateStore, plate_file: str, field_ids: list[str], rows: list[int], settings: ProfileSettings
) -> npt.NDArray[np.float32]:
    """(fields, features); see `features.measure_field`."""
    images = plates.reader([plate_file] * len(rows), rows)
    measured = []
    for i, field_id in enumerate(field_ids):
        try:
            measured.append(measure_field(images([i])[0], settings))
        except Exception as error:
            raise RuntimeError(f"field {field_id} cannot be measured: {error}") from error
    return np.stack(measured)


def _digest(plates: PlateStore, plate_file: str, fields: pd.DataFrame, settings: ProfileSettings) -> str:
    """Digest of all that a plate's profiles depend on."""
    content = [
        _FORMAT,
        importlib.metadata.version("cp-measure"),
        dataclasses.asdict(settings),
        plates.digest(plate_file),
        fields[["field_id", "row"]].values.tolist(),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _describe(store: ProfileStore, plate_file: str, digest: str) -> dict[str, str | int]:
    names = pq.read_schema(store.path(plate_file)).names
    counted = "Nuclei_Count" in names
    count = pq.read_table(store.path(plate_file), columns=["Nuclei_Count" if counted else "field_id"]).to_pandas()
    return {
        "plate_file": plate_file,
        "fields": len(count),
        "without_nuclei": int((count["Nuclei_Count"] == 0).sum()) if counted else 0,
        "features": len(names) - 1,
        "digest": digest,
    }
