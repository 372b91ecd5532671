"""A hyperparameter study as a handle."""

from pathlib import Path
from typing import Any

from cloome_kedro.datasets.handle import HandleDataset


class StudyDataset(HandleDataset):
    """Folder of a study: a `cloome_kedro.tuning.store.StudyStore`.

    Trials are kept in ``study.db`` there, or where the ``url`` of ``credentials`` says: in a database that several
    machines reach. What trainings leave while they run lies in the folder in either case.
    """

    def __init__(
        self, *, filepath: str, credentials: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
    ):
        super().__init__(filepath=filepath, metadata=metadata)
        self._url = (credentials or {}).get("url")

    def handle(self, folder: Path):
        from cloome_kedro.tuning.store import StudyStore

        return StudyStore(folder.absolute(), self._url)
