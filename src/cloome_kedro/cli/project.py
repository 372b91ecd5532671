"""The project in which a command is called: its settings, and the places of its datasets."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@contextmanager
def quiet_kedro() -> Iterator[None]:
    """Keep Kedro's log out of the results of a command. Later messages of all loggers go to the error output."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        logging.basicConfig(force=True, stream=sys.stderr, level=logging.WARNING, format="%(message)s")


@dataclass(frozen=True)
class Project:
    """A project with one of its environments.

    Attributes
    ----------
    folder
        Folder of the project.
    globals
        Settings of ``globals.yml``.
    loader
        Configuration of the environment.
    """

    folder: Path
    globals: Mapping[str, Any]
    loader: Any
    _resolver: Any

    @classmethod
    def find(cls, env: str) -> "Project":
        """Find the project of the current folder.

        Raises
        ------
        ValueError
            If there is no project, or no such environment.
        """
        with quiet_kedro():
            return cls._find(env)

    @classmethod
    def _find(cls, env: str) -> "Project":
        from kedro.io import CatalogConfigResolver
        from kedro.utils import find_kedro_project

        from cloome_kedro.config_loader import ConfigLoader
        from cloome_kedro.settings import CONFIG_LOADER_ARGS

        folder = find_kedro_project(Path.cwd())
        if folder is None or not (folder / "conf").is_dir():
            raise ValueError(f"{Path.cwd()} is in no project: run the command in the folder of the project")
        conf = folder / "conf"
        if not (conf / env).is_dir():
            known = sorted(path.name for path in conf.iterdir() if path.is_dir())
            raise ValueError(f"there is no environment {env}; there are: {', '.join(known)}")
        # The names of variants and seeds are put into the paths later.
        names = {"variant": "<variant>", "seed": "<seed>"}
        options: dict[str, Any] = dict(CONFIG_LOADER_ARGS)
        loader = ConfigLoader(str(conf), env=env, runtime_params=names, **options)
        entries = {
            name: {key: entry[key] for key in ("type", "filepath") if key in entry}
            for name, entry in loader["catalog"].items()
            if not name.startswith("_")
        }
        return cls(folder, loader["globals"], loader, CatalogConfigResolver(entries, {}))

    def place(self, dataset: str, variant: str | None = None, seed: int | str = 0) -> Path:
        """Path of a dataset. The default variant is the preset of the environment."""
        path = str(self._resolver.resolve_pattern(dataset)["filepath"])
        return self.folder / path.replace("<variant>", variant or self.globals["preset"]).replace("<seed>", str(seed))
