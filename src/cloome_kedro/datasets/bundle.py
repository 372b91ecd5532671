"""Several tables and values that one node hands to others as one dataset."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.atomic import replace_folder
from cloome_kedro.datasets.described import Described


class Bundle(Described, AbstractDataset[dict[str, Any], dict[str, Any]]):
    """A folder of tables and other values, by their names: ``<name>.parquet`` for a table, ``<name>.json`` otherwise.

    Saving replaces the folder as a whole.

    Parameters
    ----------
    filepath
        The folder.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        if not self._exists():
            raise DatasetError(f"{self._filepath} is missing: run the pipeline that writes it")
        return {path.stem: _read(path) for path in sorted(self._filepath.iterdir())}

    def save(self, data: dict[str, Any]) -> None:
        with replace_folder(self._filepath) as part:
            for name, value in data.items():
                if isinstance(value, pd.DataFrame):
                    value.to_parquet(part / f"{name}.parquet", index=False)
                else:
                    (part / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _read(path: Path) -> Any:
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else json.loads(path.read_text())
    except Exception as error:  # a damaged file can raise any type
        raise DatasetError(
            f"{path} cannot be read ({type(error).__name__}: {error}): run the pipeline that writes it again"
        ) from error
