"""Tracking of trainings, searches and results by MLflow, if it is installed (the extra ``tracking``).

A server that is away never stops a training: the first failure gives a warning, and nothing more is sent. The client is
MLflow's own. The plugin kedro-mlflow connects to the server in every Kedro command and fails if the server is away, and
has one run for all trainings of a Kedro run.
"""

import logging
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: limits for requests to a server, unless the environment sets them; MLflow's own would stop a training for minutes
_LIMITS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
_STUDY, _TRIAL = "cloome.study", "cloome.trial"
_LONGEST_VALUE, _MOST_PARAMETERS, _MOST_METRICS = 500, 100, 1000  # of MLflow's requests


@dataclass
class Tracker:
    """Sends runs to MLflow. It can be pickled.

    Attributes
    ----------
    url
        Tracking URI; None: nothing is tracked. Nothing is tracked either if MLflow is not installed.
    experiment
        Name of the experiment: the screen.
    failed
        Whether a request has failed. No further one is tried.
    """

    url: str | None
    experiment: str
    failed: bool = False
    _client: Any = field(default=None, repr=False, compare=False)
    _experiment_id: str = field(default="", repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_client": None}

    @property
    def active(self) -> bool:
        """Whether runs are sent."""
        return bool(self.url) and not self.failed and find_spec("mlflow") is not None

    def send(self, request: Callable[[Any], T]) -> T | None:
        """Call a function of an MLflow client. A failure gives a warning, None, and no further requests."""
        if not self.active:
            return None
        try:
            return request(self._connected())
        except Exception as error:
            self.failed = True
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            reason = reason.replace(self.url or "", shown(self.url or ""))[:300]
            logger.warning(
                "MLflow at %s does not answer or refuses (%s). The run goes on, and is not tracked there any more; "
                "`cloome runs` lists it all the same",
                *(shown(self.url or ""), reason),
            )
            return None

    def _connected(self) -> Any:
        if self._client is None:
            for name, limit in _LIMITS.items():
                os.environ.setdefault(name, limit)
            from mlflow import MlflowClient

            for noisy in ("alembic", "mlflow.store.db.utils"):  # a new database reports each of its tables
                logging.getLogger(noisy).setLevel(logging.WARNING)
            if database := sqlite_file(self.url or ""):
                database.parent.mkdir(parents=True, exist_ok=True)
            client = MlflowClient(self.url)
            self._experiment_id = self._experiment_id or self._find_experiment(client)
            self._client = client
        return self._client

    def _find_experiment(self, client: Any) -> str:
        if (found := client.get_experiment_by_name(self.experiment)) is None:
            database = sqlite_file(self.url or "")
            place = None if database is None else (database.parent / "mlflow_artifacts").as_uri()
            try:
                return client.create_experiment(self.experiment, artifact_location=place)
            except Exception:  # another run has just created it
                if (found := client.get_experiment_by_name(self.experiment)) is None:
                    raise
        return found.experiment_id

    def start(self, row: Mapping[str, Any], parameters: Mapping[str, Any]) -> "TrackedRun | None":
        """Start the run of a training below the run of its study.

        Parameters
        ----------
        row
            Columns of the record of runs that are known before the training.
        parameters
            Parameters of the training, by their dotted names.
        """
        facts = ("run", "step", "split", "variant", "model", "seed", "version", "commit", "split_hash")
        name = " ".join(str(row[key]) for key in ("split", "model", "step"))
        tags = {name: row[name] for name in facts}
        run = self.send(lambda client: self._create(client, name, parameters, tags, self.study(client, row)))
        return None if run is None else TrackedRun(self, run)

    def study(self, client: Any, row: Mapping[str, Any]) -> str:
        """Find or create the run of a study, which is the parent of its trainings: a variant and seed."""
        name = f"{row['variant']} seed {row['seed']}"
        found = self.find(client, {_STUDY: name})
        return found[0] if found else self._create(client, name, {}, {_STUDY: name}, ended=True)

    def find(self, client: Any, tags: Mapping[str, str]) -> list[str]:
        """Find the runs that have all these tags."""
        conditions = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        return [run.info.run_id for run in client.search_runs([self._experiment_id], conditions, max_results=1000)]

    def _create(
        self,
        client: Any,
        name: str,
        parameters: Mapping[str, Any],
        tags: Mapping[str, Any],
        parent: str = "",
        ended: bool = False,
    ) -> str:
        from mlflow.entities import Param

        texts = {key: str(value) for key, value in tags.items()} | ({"mlflow.parentRunId": parent} if parent else {})
        run = client.create_run(self._experiment_id, tags=texts, run_name=name).info.run_id
        values = [Param(allowed(key), str(value)[:_LONGEST_VALUE]) for key, value in parameters.items()]
        for start in range(0, len(values), _MOST_PARAMETERS):
            client.log_batch(run, params=values[start : start + _MOST_PARAMETERS])
        if ended:
            client.set_terminated(run)
        return run

    def search(self, study: Mapping[str, Any], trials: Any, trial_epochs: Any) -> None:
        """Track the trials of a search as nested runs. Trials that are tracked already are left out.

        Parameters
        ----------
        study
            ``variant`` and ``seed`` of the study.
        trials, trial_epochs : pandas.DataFrame
            Tables of these names.
        """
        name = trials["study"].iloc[0]
        self.send(lambda client: self._send_trials(client, study, name, trials, trial_epochs))

    def _send_trials(self, client: Any, study: Mapping[str, Any], name: str, trials: Any, trial_epochs: Any) -> None:
        facts = {key: trials[key].iloc[0] for key in ("split", "tunes", "metric", "split_hash")} | {"search": name}
        if found := self.find(client, {"search": name, "split_hash": facts["split_hash"]}):
            parent = found[0]
        else:
            parent = self._create(client, f"search {name}", {}, facts, self.study(client, study), ended=True)
        known = {run.data.tags.get(_TRIAL) for run in self._children(client, parent)}
        for trial in trials[trials["state"].isin(["COMPLETE", "PRUNED", "FAIL"])].to_dict(orient="records"):
            if str(trial["number"]) in known:
                continue
            parameters = {key: value for key, value in trial.items() if "." in key and _is_known(value)}
            tags = {_TRIAL: trial["number"], "state": trial["state"], "best": trial["best"]}
            run = self._create(client, f"trial {trial['number']}", parameters, tags, parent)
            epochs = trial_epochs[trial_epochs["trial"] == trial["number"]]
            values = [(trial["metric"], value, epoch) for epoch, value in epochs[["epoch", "value"]].to_numpy()]
            log_metrics(client, run, [*values, ("value", trial["value"], 0)])
            client.set_terminated(run, "FAILED" if trial["state"] == "FAIL" else "FINISHED")

    def _children(self, client: Any, parent: str) -> list[Any]:
        condition = f"tags.`mlflow.parentRunId` = '{parent}'"
        return list(client.search_runs([self._experiment_id], condition, max_results=10_000))

    def results(self, study: Mapping[str, Any], files: Mapping[Path, str], metrics: Mapping[str, float]) -> None:
        """Add tables, figures and final metrics to the run of a study.

        Parameters
        ----------
        study
            ``variant`` and ``seed`` of the study.
        files
            File -> its folder among the artifacts.
        metrics
            Metrics by name.
        """

        def add(client: Any) -> None:
            run = self.study(client, study)
            for path, folder in files.items():
                client.log_artifact(run, str(path), folder or None)
            log_metrics(client, run, [(name, value, 0) for name, value in metrics.items()])

        self.send(add)

    def final_metrics(self, weights: str, split: str, metrics: Mapping[str, float]) -> None:
        """Add final metrics to the trainings on a split that gave the evaluated weights."""

        def add(client: Any) -> None:
            for run in self.find(client, {"weights": weights, "split": split}):
                log_metrics(client, run, [(name, value, 0) for name, value in metrics.items()])

        self.send(add)


@dataclass
class TrackedRun:
    """A training that MLflow tracks. It can be pickled."""

    tracker: Tracker
    run: str

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Send a row of the history."""
        values = [(name, value, row["epoch"]) for name, value in row.items() if name not in ("epoch", "step")]
        self.tracker.send(lambda client: log_metrics(client, self.run, values))

    def finish(self, row: Mapping[str, Any]) -> None:
        """Send the results of the training, and end the run."""

        def request(client: Any) -> None:
            for key in ("weights", "data_hash", "selected_by"):
                client.set_tag(self.run, key, row[key])
            best = [(f"best_{name}", value, 0) for name, value in row["validation"].items()]
            log_metrics(client, self.run, [*best, ("best_epoch", row["epoch"], 0), ("seconds", row["seconds"], 0)])
            client.set_terminated(self.run)

        self.tracker.send(request)

    def end(self, status: str) -> None:
        """End the run of a training that has failed or was interrupted."""
        self.tracker.send(lambda client: client.set_terminated(self.run, status))

    def discard(self) -> None:
        """Delete the run, because an equal training is tracked already."""
        self.tracker.send(lambda client: client.delete_run(self.run))


def log_metrics(client: Any, run: str, values: Iterable[tuple[str, Any, float]]) -> None:
    """Log metrics that are finite numbers: name, value and epoch."""
    import time

    from mlflow.entities import Metric

    now = int(1000 * time.time())
    metrics = [Metric(allowed(name), float(value), now, int(step)) for name, value, step in values if _is_known(value)]
    for start in range(0, len(metrics), _MOST_METRICS):
        client.log_batch(run, metrics=metrics[start : start + _MOST_METRICS])


def _is_known(value: Any) -> bool:
    try:
        return value is not None and math.isfinite(value)
    except TypeError:
        return value == value and str(value) != "<NA>"


def allowed(name: str) -> str:
    """Name with only the characters that MLflow allows in names.

    >>> allowed("image → compound: top-1 (full pool)"), allowed("AUC > 0.9")
    ('image to compound: top-1 full pool', 'AUC above 0.9')
    """
    plain = name.replace("→", "to").replace(">", "above").replace("(", "").replace(")", "")
    return re.sub(r"[^\w\-. :/]", "_", plain, flags=re.ASCII)


def sqlite_file(url: str) -> Path | None:
    """File of an SQLite database; None for other URIs.

    >>> sqlite_file("sqlite:////data/mlflow.db").as_posix(), sqlite_file("http://localhost:5000")
    ('/data/mlflow.db', None)
    """
    return Path(url.removeprefix("sqlite:///")).absolute() if url.startswith("sqlite:///") else None


def shown(url: str) -> str:
    """Text of a URI without its user and password.

    >>> shown("https://me:secret@host:5000/path"), shown("sqlite:///mlflow.db")
    ('https://host:5000/path', 'sqlite:///mlflow.db')
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.netloc else url
