"""Save embeddings and methods as folders of arrays."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.atomic import replace_folder
from cloome_kedro.datasets.described import Described
from cloome_kedro.evaluation.embeddings import Embeddings
from cloome_kedro.evaluation.methods import Method, Methods
from cloome_kedro.pooling import ATTENTION


class EmbeddingsDataset(Described, AbstractDataset[Embeddings, Embeddings]):
    """A folder with ``vectors.npy``, ``keys.parquet`` (column ``key``, one row per vector) and ``meta.json``.

    Embeddings with logits also have ``logits.npy``, one number per vector.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Embeddings:
        return _read(self._filepath)

    def save(self, data: Embeddings) -> None:
        with replace_folder(self._filepath) as part:
            _write(data, part)

    def _exists(self) -> bool:
        return (self._filepath / "meta.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class OptionalEmbeddings(EmbeddingsDataset):
    """Embeddings that a study may not have made yet: loading returns None if there are none. They are read only."""

    def load(self) -> Embeddings | None:  # type: ignore[override]
        return super().load() if self._exists() else None

    def save(self, data: Embeddings) -> None:
        raise DatasetError(f"{self._filepath} is read only here: the pipeline embedding writes it")


class MethodsDataset(Described, AbstractDataset[Methods, Methods]):
    """A folder with ``methods.json``, which lists the methods, and one folder per method with its embeddings.

    The folders are numbered from 0, in the order of the list.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Methods:
        with _named(self._filepath):
            entries = json.loads((self._filepath / "methods.json").read_text())
            methods: Methods = {}
            for number, entry in enumerate(entries):
                folder = self._filepath / str(number)
                compounds = _read(folder / "compounds") if entry["compounds"] else None
                methods[entry["name"]] = Method(
                    _read(folder / "fields"), compounds, tuple(entry["tasks"]), entry["ties"], entry["normalised"]
                )
            return methods

    def save(self, data: Methods) -> None:
        with replace_folder(self._filepath) as part:
            entries = []
            for number, (name, method) in enumerate(data.items()):
                _write(method.fields, part / str(number) / "fields")
                if method.compounds is not None:
                    _write(method.compounds, part / str(number) / "compounds")
                entries.append(
                    {
                        "name": name,
                        "compounds": method.compounds is not None,
                        "tasks": method.tasks,
                        "ties": method.ties,
                        "normalised": method.normalised,
                    }
                )
            (part / "methods.json").write_text(json.dumps(entries, indent=1) + "\n")

    def _exists(self) -> bool:
        return (self._filepath / "methods.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Name the folder in errors that its content causes."""
    try:
        yield
    except DatasetError:
        raise
    except Exception as error:  # a damaged file can raise any type
        raise DatasetError(
            f"{folder} cannot be read ({type(error).__name__}: {error}): run the pipeline that writes it again"
        ) from error


def _read(folder: Path) -> Embeddings:
    with _named(folder):
        keys = pd.read_parquet(folder / "keys.parquet")
        meta = json.loads((folder / "meta.json").read_text())
        vectors = np.load(folder / "vectors.npy", allow_pickle=False)
        has_logits = (folder / "logits.npy").exists() or meta.get("pooling") == ATTENTION
        logits = np.load(folder / "logits.npy", allow_pickle=False) if has_logits else None
        return Embeddings(keys["key"].to_numpy(), vectors, meta, logits)


def _write(embeddings: Embeddings, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "vectors.npy", embeddings.vectors, allow_pickle=False)
    if embeddings.logits is not None:
        np.save(folder / "logits.npy", embeddings.logits, allow_pickle=False)
    pd.DataFrame({"key": embeddings.keys}).to_parquet(folder / "keys.parquet")
    (folder / "meta.json").write_text(json.dumps(embeddings.meta, indent=1, sort_keys=True) + "\n")
