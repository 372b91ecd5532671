"""The record of trainings: one row per training, in a folder of parquet files that is read as one table."""

import json
import logging
import math
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cloome_kedro.stores import TableStore
from cloome_kedro.tracking import Tracker

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """What is trained.

    Attributes
    ----------
    step
        ``training``, ``pre-training`` or ``ridge``.
    place
        ``<split>/<model>``; parts before the last two are ignored.
    seed
        Seed of the training.
    settings : pydantic.BaseModel
        Entry of the model under ``models:``.
    examples : pandas.DataFrame
        Table of this name.
    """

    step: str
    place: str
    seed: int
    settings: Any
    examples: Any

    @property
    def split(self) -> str:
        """Name of the split, or of the namespace of a tuned model."""
        return self.place.split("/")[-2]

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.place.split("/")[-1]


@dataclass
class OpenRun:
    """A training that runs, for :meth:`RunStore.open`.

    Attributes
    ----------
    watch : callable
        Is called with every row of the history; None if nothing listens. It can be pickled.
    result
        Columns of the row that are known after the training; empty if it is not to be recorded.
    """

    watch: Any = None
    result: dict[str, Any] = field(default_factory=dict)

    def finish(self, **result: Any) -> None:
        """Set the results.

        They are the columns ``weights``, ``data_hash``, ``selected_by``, ``validation`` (a dictionary) and, of a model
        that is trained in epochs, ``epoch`` and ``epochs``; and ``reused``, whether a finished training was used.
        """
        self.result = result


@dataclass(frozen=True)
class RunStore:
    """A folder with one parquet file per training of a variant. ``pandas.read_parquet`` reads the folder as one table.

    Runs of several machines may write at the same time, because each training has a file of its own.

    Attributes
    ----------
    folder
        The folder. Its name is the variant, and the name of the folder two levels above is the screen.
    url
        Tracking URI of an MLflow server or database, where trainings are also tracked; None: nowhere.
    """

    folder: Path
    url: str | None = field(default=None, repr=False)

    @cached_property
    def tracker(self) -> Tracker:
        """What sends runs to MLflow."""
        return Tracker(self.url, self.folder.parent.parent.name)

    @property
    def variant(self) -> str:
        """Name of the variant."""
        return self.folder.name

    @contextmanager
    def open(self, training: Training) -> Iterator[OpenRun]:
        """Record a training. If the block raises an exception, no row is written.

        A training that used the results of an earlier, equal one has no row of its own if that one has a row.
        """
        from cloome_kedro import __version__
        from cloome_kedro.provenance import commit

        started = datetime.now().astimezone()
        parameters = flat(training.settings.model_dump(mode="json"))
        row = {
            "run": f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
            "started": started.isoformat(" ", "milliseconds"),
            "step": training.step,
            "split": training.split,
            "variant": self.variant,
            "seed": training.seed,
            "model": training.model,
            "version": __version__,
            "commit": commit(self.folder),
            "split_hash": str(training.examples["split_hash"].iloc[0]),
            "parameters": json.dumps(parameters, sort_keys=True),
        }
        tracked = self.tracker.start(row, parameters)
        run, clock = OpenRun(watch=tracked.epoch if tracked else None), time.monotonic()
        try:
            yield run
        except BaseException as error:
            if tracked:
                tracked.end("FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        result = dict(run.result)
        if result.pop("reused", False) and self._has(row, result.get("weights", "")):
            if tracked:
                tracked.discard()
            return
        row |= {"seconds": round(time.monotonic() - clock, 3), "epoch": math.nan, "epochs": math.nan, **result}
        if tracked:
            tracked.finish(row)
        self._write(row)

    def _write(self, row: Mapping[str, Any]) -> None:
        import pandas as pd

        from cloome_kedro.schemas import runs

        written = dict(row) | {"validation": json.dumps(row["validation"], sort_keys=True)}
        TableStore(self.folder).write(row["run"], runs.validate(pd.DataFrame([written])), row["run"])

    def _has(self, row: Mapping[str, Any], weights: str) -> bool:
        """Whether a training of the same model, seed and split gave these weights."""
        keys = {key: row[key] for key in ("step", "split", "seed", "model")} | {"weights": weights}
        earlier = read_runs(self.folder)[list(keys)].to_dict(orient="records")
        return keys in earlier


def read_runs(folder: Path) -> Any:
    """Read the rows of all trainings below a folder, the latest last; without rows if there is none.

    Files that cannot be read are left out, with a warning.

    Returns
    -------
    pandas.DataFrame
        Table ``runs`` of :mod:`cloome_kedro.schemas`.
    """
    import pandas as pd

    from cloome_kedro.schemas import empty, runs
    from cloome_kedro.stores import DamagedFile

    tables = []
    for path in sorted(Path(folder).rglob("*.parquet")):
        if path.is_file() and not path.name.startswith("."):
            try:
                tables.append(runs.validate(TableStore(path.parent).read(path.stem)))
            except DamagedFile as error:
                logger.warning("a run is left out: %s", error)
    table = pd.concat(tables, ignore_index=True) if tables else empty(runs)
    # The offset of the time zone may change, such as in summer.
    return table.sort_values("started", key=lambda text: pd.to_datetime(text, utc=True), ignore_index=True)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their dotted names. Lists stay JSON values.

    >>> flat({"fit": {"epochs": 3, "keep": ["top1"]}, "kind": "ridge"})
    {'fit.epochs': 3, 'fit.keep': ['top1'], 'kind': 'ridge'}
    """
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{name}.")
        else:
            values[f"{prefix}{name}"] = value
    return values


@contextmanager
def recorded(store: RunStore | None, training: Training) -> Iterator[OpenRun]:
    """Record a training in a store; without a store, in none."""
    if store is None:
        yield OpenRun()
    else:
        with store.open(training) as run:
            yield run
