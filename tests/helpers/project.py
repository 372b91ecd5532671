"""A copy of the project, in which tests run `kedro` as a user would."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from kedro.io import DataCatalog

import warm_python

ROOT = Path(__file__).parents[2]


class Project:
    """A copy of the project's configuration in a folder of its own, so that a test's runs touch nothing else."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._catalogs: dict[str, DataCatalog] = {}  # by environment: it takes a second to make one
        for name in ("conf", "notebooks", "src"):  # Kedro refuses a linked src
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.egg-info"))
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(ROOT / name, folder / name)

    def kedro(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
        """Run ``kedro`` in the copy, as a user would."""
        environment = {**os.environ, "DO_NOT_TRACK": "1", "COLUMNS": "200", **environment}
        self._catalogs.clear()  # settings may have changed
        done = warm_python.run("kedro", *arguments, folder=self.folder, environment=environment)
        assert not check or done.returncode == 0, (
            f"kedro {' '.join(arguments)}\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
        )
        return done

    def start(self, *arguments: str) -> warm_python.Started:
        """Start ``kedro`` in the copy, in the background."""
        environment = {**os.environ, "DO_NOT_TRACK": "1"}
        return warm_python.Started("kedro", *arguments, folder=self.folder, environment=environment)

    def environment(self, name: str, globals: dict, *parameters: dict) -> str:
        """Write an environment: ``test`` with other global settings, and with nested changes of its parameters."""
        test, folder = self.folder / "conf" / "test", self.folder / "conf" / name
        values = {kind: yaml.safe_load((test / f"{kind}.yml").read_text()) for kind in ("globals", "parameters")}
        values["globals"] |= globals
        for changes in parameters:
            values["parameters"] = merged(values["parameters"], changes)
        folder.mkdir()
        for kind, content in values.items():
            (folder / f"{kind}.yml").write_text(yaml.safe_dump(content, sort_keys=False))
        return name

    def take_screen(self, study: "Project") -> None:
        """Copy the screen of a study and what is made of it before training."""
        for layer in ("01_raw", "02_intermediate", "03_primary", "04_feature", "05_model_input"):
            shutil.copytree(study.folder / "data" / layer, self.folder / "data" / layer)

    def load(self, dataset: str, env: str = "test"):
        """Load a dataset of the copy's catalog."""
        if env not in self._catalogs:
            self._catalogs[env] = self._catalog(env)
        return self._catalogs[env].load(dataset)

    def _catalog(self, env: str) -> DataCatalog:
        from kedro.framework.session import KedroSession
        from kedro.framework.startup import bootstrap_project

        bootstrap_project(self.folder)
        with KedroSession.create(project_path=self.folder, env=env) as session:
            return session.load_context().catalog


def merged(values: Any, changes: Any) -> Any:
    """Settings with nested changes.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "d": {"e": 4}}})
    {'a': {'b': 3, 'c': 2, 'd': {'e': 4}}}
    """
    if not isinstance(values, dict) or not isinstance(changes, dict):
        return changes
    return values | {name: merged(values.get(name), change) for name, change in changes.items()}
