"""Storage of studies: trials in a database, and states of running trainings in a folder."""

import hashlib
import json
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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
_LOCK_SECONDS = 60  # time that a process waits for others that write to the SQLite file
_ATTEMPTS = 5  # to create the tables of the database


def failure_reason(trial: FrozenTrial) -> str:
    """Why a failed trial failed. A killed process cannot write down a reason."""
    return trial.user_attrs.get("reason", "its process was killed")


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
            If the URL is not valid, or the driver of the database is not installed.
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
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                storage = RDBStorage(
                    self.database,
                    engine_kwargs={"connect_args": {"timeout": _LOCK_SECONDS}} if sqlite else {"pool_pre_ping": True},
                    heartbeat_interval=heartbeat_seconds,
                    grace_period=2 * heartbeat_seconds,
                    heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
                )
                break
            except (IntegrityError, OperationalError, ProgrammingError):  # another process is creating the tables
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(0.2 * attempt)
        if sqlite:
            _lock_from_the_first_statement(storage.engine)
        return get_storage(storage)

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
