"""Where a study is kept: trials in a database, what their trainings leave while they run in a folder."""

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
from sqlalchemy import Engine, event, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, ProgrammingError

from cloome_kedro.tuning.space import Point

#: how often a trial is run again whose process was killed
RETRIES = 2
_LOCK_SECONDS = 60  # how long a process waits for others that write to the SQLite file
_ATTEMPTS = 5


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's own log, and its warnings that heartbeats are experimental."""
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
    """Folder of studies, and the URL of their database where it is not ``study.db`` in the folder."""

    folder: Path
    url: str | None = None

    @property
    def database(self) -> str:
        """URL of the database."""
        return self.url or f"sqlite:///{self.folder.absolute() / 'study.db'}"

    @property
    def place(self) -> str:
        """URL of the database, without a password."""
        return make_url(self.database).render_as_string(hide_password=True)

    @quiet()
    def storage(self, heartbeat_seconds: int = 60) -> BaseStorage:
        """Open the database, made where there is none: each process for itself.

        Raises
        ------
        ValueError
            Where the URL is none, or its driver is not installed.
        """
        try:
            dialect = make_url(self.database).get_dialect()
            dialect.import_dbapi()
        except (ArgumentError, ImportError) as error:
            raise ValueError(
                f"credentials.yml, study_storage: {error}. Its url must be of a database whose driver is installed, "
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
            except (IntegrityError, OperationalError, ProgrammingError):  # another process made the tables just now
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(0.2 * attempt)
        if sqlite:
            _lock_from_the_first_statement(storage.engine)
        return get_storage(storage)

    def trials(self, study: str) -> Path:
        """Folder of what the trials of a study leave while they run."""
        return self.folder / "trials" / _digest(study)

    def trial_folder(self, study: str, number: int, point: Point) -> Path:
        """Folder of one trial: a copy of a killed trial, with the number of the original, finds it again."""
        return self.trials(study) / f"{number}_{_digest(point)}"


def _digest(content: str | Point) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _lock_from_the_first_statement(engine: Engine) -> None:
    """Begin every transaction with the write lock.

    Python's sqlite3 begins one at the first change only: two processes could both read that a trial waits, and then
    both take it. The two events are those of SQLAlchemy's documentation, "Serializable isolation / Savepoints /
    Transactional DDL" of its SQLite dialect.
    """

    @event.listens_for(engine, "connect")
    def connect(connection, _):
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # connections from before
