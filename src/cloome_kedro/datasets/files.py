"""Load or save several tables or texts of a folder at once."""

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.atomic import replace_file
from cloome_kedro.datasets.described import Described


class TableFiles(Described, AbstractDataset[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]):
    """All tables of a folder that match a pattern, as a dictionary from path to table. They are read only.

    Files with the suffix ``.parquet`` are read as parquet. Others are read as text, and no cell is converted: a plate
    007 stays 007. The paths are relative to the folder.

    Parameters
    ----------
    filepath
        The folder.
    pattern
        Glob pattern of the files, relative to the folder.
    missing
        What to do if no file matches, for the error message.
    """

    def __init__(
        self,
        *,
        filepath: str,
        pattern: str,
        missing: str,
        metadata: dict[str, Any] | None = None,
    ):
        self._filepath = Path(filepath)
        self._pattern = pattern
        self._missing = missing
        self.metadata = metadata

    def load(self) -> dict[str, pd.DataFrame]:
        if not (paths := self._paths()):
            raise DatasetError(f"{self._filepath} has no table that matches {self._pattern}: {self._missing}")
        return {path.relative_to(self._filepath).as_posix(): self._read(path) for path in paths}

    def save(self, data) -> None:
        raise DatasetError(f"{self._filepath}/{self._pattern}: these tables are read only")

    def _paths(self) -> list[Path]:
        return sorted(path for path in self._filepath.glob(self._pattern) if not path.name.startswith("."))

    def _read(self, path: Path) -> pd.DataFrame:
        from cloome_kedro.imaging.tables import read_table

        try:
            return pd.read_parquet(path) if path.suffix == ".parquet" else read_table(path)
        except Exception as error:
            raise DatasetError(f"{path} cannot be read: {error}") from error

    def places(self) -> list[Path]:
        """All files that match."""
        return self._paths()

    def _exists(self) -> bool:
        return bool(self._paths())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "pattern": self._pattern}


class TextFiles(Described, AbstractDataset[dict[str, str], dict[str, str]]):
    """All texts of a folder that match one of several patterns, by their paths relative to the folder.

    They are read only. Without a matching file, the dictionary is empty.

    Parameters
    ----------
    filepath
        The folder.
    patterns
        Glob patterns of the files, relative to the folder.
    """

    def __init__(self, *, filepath: str, patterns: list[str], metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self._patterns = patterns
        self.metadata = metadata

    def load(self) -> dict[str, str]:
        return {path.relative_to(self._filepath).as_posix(): path.read_text() for path in self.places()}

    def places(self) -> list[Path]:
        """All files that match."""
        return sorted({path for pattern in self._patterns for path in self._filepath.glob(pattern)})

    def save(self, data) -> None:
        raise DatasetError(f"{self._filepath}: texts that match {', '.join(self._patterns)} are read only")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "patterns": self._patterns}


class TableFolder(Described, AbstractDataset[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]):
    """A folder of tables as CSV, by their names. All cells are text.

    Saving replaces the tables as a whole: CSV files of other names are removed.

    Parameters
    ----------
    filepath
        The folder, which has no other CSV files.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def save(self, data: dict[str, pd.DataFrame]) -> None:
        self._filepath.mkdir(parents=True, exist_ok=True)
        for name, table in data.items():
            with replace_file(self._filepath / f"{name}.csv") as part:
                table.to_csv(part, index=False, lineterminator="\n")
        for path in self._filepath.glob("*.csv"):
            if path.stem not in data:
                path.unlink()

    def load(self) -> dict[str, pd.DataFrame]:
        paths = sorted(self._filepath.glob("*.csv"))
        return {path.stem: pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths}

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
