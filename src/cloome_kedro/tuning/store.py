"""Storage of studies: trials in a database, and states of running trainings in a folder."""

import hashlib
import json
import sqlite3
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage, RetryHeartbeatStaleTrialCallback, get_storage
from optuna.trial import FrozenTrial
from sqlalchemy import Engine, event, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, ProgrammingError

from cloome_kedro.tuning.space import Point

#: largest number of times that a trial is repeated, if its process is killed
RETRIES = 2
#: user attribute: how often a trial was put back after its process on this machine was killed
KILLS = "kills"
_LOCK_SECONDS = 60  # time that a process waits for others that write to the SQLite file
_OPEN_SECONDS = 10  # the same when it is opened; creating the tables takes less than a second
_ATTEMPTS = 5  # to create the tables of the database


def failure_reason(trial: FrozenTrial) -> str:
    """Why a failed trial failed. A killed process cannot write down a reason."""
    return trial.user_attrs.get("reason", "its process was killed")


def killed_so_far(trial: FrozenTrial) -> int:
    """How often a process was killed that ran this trial, or a trial that it is a copy of."""
    return trial.user_attrs.get(KILLS, 0) + len(trial.system_attrs.get("retry_history", []))


class _Retry(RetryHeartbeatStaleTrialCallback):
    """Enqueue a copy of a trial without heartbeat, if its processes were not killed too often."""

    def __call__(self, study: optuna.Study, trial: FrozenTrial) -> None:
        if killed_so_far(trial) < RETRIES:
            super().__call__(study, trial)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide Optuna's log, and its warnings that heartbeats are experimental."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


@dataclass(frozen=True)
class StudyStore:
    """Folder of studies, and the URL of their database; by default the database is ``study.db`` in the folder."""

    folder: Path
    url: str | None = None

    @property
    def database(self) -> str:
        """URL of the database."""
        return self.url or f"sqlite:///{self.folder.absolute() / 'study.db'}"

    @property
    def safe_url(self) -> str:
        """URL of the database with a hidden password, for messages."""
        return make_url(self.database).render_as_string(hide_password=True)

    @quiet()
    def storage(self, heartbeat_seconds: int = 60) -> BaseStorage:
        """Open the database, and create it if it does not exist. Each process must open it for itself.

        Raises
        ------
        ValueError
            If the URL is not valid, the driver of the database is not installed, or the file is not a database.
        RuntimeError
            If another program keeps the file locked.
        """
        try:
            dialect = make_url(self.database).get_dialect()
            dialect.import_dbapi()
        except (ArgumentError, ImportError) as error:
            raise ValueError(
                f"credentials.yml, study_storage: {error}. The url must name a database whose driver is installed, "
                "such as postgresql+psycopg://name:password@host/database after pip install 'psycopg[binary]'"
            ) from error
        self.folder.mkdir(parents=True, exist_ok=True)
        sqlite = dialect.name == "sqlite"
        if sqlite:
            self._check_file()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                storage = RDBStorage(
                    self.database,
                    engine_kwargs={"connect_args": {"timeout": _LOCK_SECONDS}} if sqlite else {"pool_pre_ping": True},
                    heartbeat_interval=heartbeat_seconds,
                    grace_period=2 * heartbeat_seconds,
                    heartbeat_stale_trial_callback=_Retry(),
                )
                break
            except (IntegrityError, OperationalError, ProgrammingError):  # another process is creating the tables
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(0.2 * attempt)
        if sqlite:
            _lock_from_the_first_statement(storage.engine)
        return get_storage(storage)

    def _check_file(self) -> None:
        """Raise an error at once if the SQLite file is locked or not a database. Optuna would wait for minutes."""
        file = make_url(self.database).database
        if not file or not Path(file).exists():
            return
        try:
            with closing(sqlite3.connect(file, timeout=_OPEN_SECONDS, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("SELECT name FROM sqlite_master").fetchall()
                connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise ValueError(f"{file} cannot be used ({error}): check the file and its folder") from error
            raise RuntimeError(
                f"another program has kept {file} locked for {_OPEN_SECONDS} seconds: close the program, such as a "
                "database browser, then run the same command again"
            ) from error
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"{file} is not a database of studies, or is damaged ({error}): restore it, or delete it to search anew"
            ) from error

    def trials(self, study: str) -> Path:
        """Folder of the states of running trials of a study."""
        return self.folder / "trials" / _digest(study)

    def trial_folder(self, study: str, number: int, point: Point) -> Path:
        """Folder of one trial. A copy of a killed trial gets the same folder by the number of the original."""
        return self.trials(study) / f"{number}_{_digest(point)}"


def _digest(content: str | Point) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _lock_from_the_first_statement(engine: Engine) -> None:
    """Take the write lock at the beginning of every transaction.

    By default, Python's sqlite3 takes it at the first change. Two processes could then both read that a trial is
    waiting, and both take it. The two event handlers come from SQLAlchemy's documentation of its SQLite dialect,
    "Serializable isolation / Savepoints / Transactional DDL".
    """

    @event.listens_for(engine, "connect")
    def connect(connection, _):
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # close connections that were opened without these handlers
