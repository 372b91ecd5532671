"""A copy of the project, in which tests run `kedro` as a user would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Project:
    """A copy of the project's configuration in a folder of its own, so that a test's runs touch nothing else."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("conf", "notebooks", "src"):  # Kedro refuses a linked src
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy(ROOT / name, folder / name)

    def kedro(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
        """Run ``kedro`` in the copy, as a user would."""
        done = subprocess.run(
            [sys.executable, "-m", "kedro", *arguments],
            cwd=self.folder,
            env={**os.environ, "DO_NOT_TRACK": "1", "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, (
            f"kedro {' '.join(arguments)}\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
        )
        return done

    def load(self, dataset: str, env: str = "test"):
        """Load a dataset of the copy's catalog."""
        from kedro.framework.session import KedroSession
        from kedro.framework.startup import bootstrap_project

        bootstrap_project(self.folder)
        with KedroSession.create(project_path=self.folder, env=env) as session:
            return session.load_context().catalog.load(dataset)
