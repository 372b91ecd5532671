"""Handle datasets: folders that a node fills step by step, so that a stopped run loses nothing."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro.utils import load_obj

from cloome_kedro.datasets.described import Described


class HandleDataset(Described, AbstractDataset):
    """A folder that nodes read and write through a handle, which loading returns.

    Loading also makes the folder if it is missing. A node takes the handle as an input and returns a table or a model.
    Later nodes depend on this output, because Kedro does not allow the same dataset as input and output of a node.

    Parameters
    ----------
    filepath
        The folder.
    handle
        Class of the handle, ``module.Class``. Its arguments are the path of the folder and, if there are credentials,
        their ``url``.
    is_cache
        Whether the folder only saves time, or is a log: what it holds does not change any output of a node. Otherwise a
        change of the folder means that nodes which load it run again.
    credentials
        ``url`` of a database that several machines can reach, for handles that use a database; or None.
    """

    #: nodes write into the folder after loading it
    is_store = True

    def __init__(
        self,
        *,
        filepath: str,
        handle: str,
        is_cache: bool = False,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        self._filepath = Path(filepath)
        self._handle = handle
        self.is_cache = is_cache
        self._urls = [] if credentials is None else [credentials.get("url")]
        self.metadata = metadata

    def load(self) -> Any:
        self._filepath.mkdir(parents=True, exist_ok=True)
        return load_obj(self._handle)(self._filepath.absolute(), *self._urls)

    def save(self, data: Any) -> None:
        raise DatasetError(f"{self._filepath} cannot be saved: nodes write into it through its handle")

    def places(self) -> list[Path] | None:
        """The folder; None if the handle uses a database elsewhere."""
        return None if any(self._urls) else [self._filepath]

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "handle": self._handle}
