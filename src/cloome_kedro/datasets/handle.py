"""Handle datasets: a folder that a node fills step by step, so that a stopped run loses nothing."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro.utils import load_obj


class HandleDataset(AbstractDataset):
    """A folder. Loading makes it and gives the handle that it is read and written through.

    Nodes take the handle as an input and return tables or models; what follows depends on those.

    Parameters
    ----------
    filepath
        The folder.
    handle
        Class of the handle, ``module.Class``, which is made from the folder's path and, where there are credentials,
        their ``url``.
    credentials
        ``url``: a database that several machines reach, for handles that take one.
    """

    def __init__(
        self,
        *,
        filepath: str,
        handle: str,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        self._filepath = Path(filepath)
        self._handle = handle
        self._url = None if credentials is None else (credentials.get("url"),)
        self.metadata = metadata

    def load(self) -> Any:
        self._filepath.mkdir(parents=True, exist_ok=True)
        return load_obj(self._handle)(self._filepath.absolute(), *(self._url or ()))

    def save(self, data: Any) -> None:
        raise DatasetError(f"{self._filepath} is written through its handle")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "handle": self._handle}
