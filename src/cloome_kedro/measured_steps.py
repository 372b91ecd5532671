"""What the steps of a study took when they last ran: from the records of its nodes and from its files."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloome_kedro.node_records import Record, read_record
from cloome_kedro.planning import FIXED_SECONDS, GROWTH, Measured, Sizes

if TYPE_CHECKING:
    from cloome_kedro.cli.project import Project

#: stores that a step fills, besides its outputs
_STORES = {"ingestion": ("plate_store",), "profiles": ("profile_store",), "corruption": ("corruption_stores",)}


def measured_steps(project: "Project", pipelines: Mapping[str, Any], variant: str | None = None) -> dict[str, Measured]:
    """What each step of a study took.

    Parameters
    ----------
    project
        Project and environment.
    pipelines
        Pipelines of the environment, by name.
    variant
        Variant of the study; None: the default one. The seed is 0.

    Returns
    -------
    Step of `cloome_kedro.planning.GROWTH` -> what it took. A step is left out if one of its nodes has no record.
    """
    records = dict(_records(project, variant))
    found = {}
    for step in GROWTH:
        nodes = {node.name: node for node in pipelines[step].nodes}
        known = [records[name] for name in nodes if name in records and records[name][0].measured]
        if not nodes or len(known) < len(nodes):
            continue
        of_step, date = [record for record, _ in known], datetime.fromtimestamp(max(time for _, time in known))
        peak = max((record.measured for record in of_step), key=lambda measured: measured.get("memory", 0))
        outputs = {place for record in of_step for place in record.places.values()}
        stores = {str(project.place(name, variant)) for name in _STORES.get(step, ())}
        found[step] = Measured(
            sum(record.measured["seconds"] for record in of_step),
            sum(map(_bytes, [*(project.folder / place for place in outputs), *map(Path, stores)])),
            peak.get("memory_before"),
            peak.get("memory"),
            max(record.measured["cores"] for record in of_step),
            f"measured in {project.globals['screen']} on {date:%Y-%m-%d}",
            sum(min(FIXED_SECONDS, record.measured["seconds"]) for record in of_step),
        )
    return found


def sizes(project: "Project") -> Sizes | None:
    """Size of the study; None if it has no table ``fields`` yet."""
    import pandas as pd

    if not project.place("fields").is_file():
        return None
    fields = pd.read_parquet(project.place("fields"), columns=["plate_file"])
    compounds = _rows(project.place("compounds"))
    labels = project.place("labels")
    assays = len(pd.read_parquet(labels).columns) - 1 if labels.is_file() else 0
    return Sizes(len(fields), max(compounds, 1), max(assays, 1), _pixels(project.place("plate_store")))


def _rows(path: Path) -> int:
    import pyarrow.parquet as pq

    return pq.read_metadata(path).num_rows if path.is_file() else 0


def _pixels(store: Path) -> int:
    import numpy as np

    for path in sorted(store.glob("*.npy")):
        height, width = np.load(path, mmap_mode="r").shape[-2:]
        return int(height * width)
    return 1


def _records(project: "Project", variant: str | None) -> Iterator[tuple[str, tuple[Record, float]]]:
    """Name of each node of the study -> its record and when it was written. The latest comes last."""
    paths = (project.folder / "data" / ".runs" / "nodes").glob("*.json")
    for time, path in sorted((path.stat().st_mtime, path) for path in paths):
        record = read_record(path)
        if record and all(_is_here(project, name, place, variant) for name, place in record.places.items()):
            yield path.stem.rpartition("-")[0], (record, time)


def _is_here(project: "Project", name: str, place: str, variant: str | None) -> bool:
    with suppress(KeyError):  # an older version made a dataset that the catalog does not have
        return project.folder / place == project.place(name, variant)
    return False


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
