"""The state of a training on disk, from which an interrupted training continues."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cloome_kedro.atomic import replace_file

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitState:
    """Folder of the states and results of trainings.

    ``<digest>.pt`` is the state of an unfinished training, ``<digest>.done.pt`` the results of a finished one. The
    digest identifies everything that a training depends on. So changed data or settings start a new training, and the
    old state stays. Files are written under a temporary name and then renamed.

    Attributes
    ----------
    folder
        The folder.
    shared
        Whether several trainings use the results in this folder. Results of other trainings then stay.
    """

    folder: Path
    shared: bool = False

    def finished(self, digest: str) -> dict[str, Any] | None:
        """Results of this training; None if it is not finished."""
        return _load(self._done(digest), digest, {"history", "best"})

    def unfinished(self, digest: str) -> dict[str, Any] | None:
        """State from which this training continues; None if there is none."""
        return _load(self._state(digest), digest, {"model", "optimizer", "precision", "progress", "digest"})

    def files(self, digest: str) -> list[Path]:
        """Files of this training that exist."""
        return [path for path in (self._state(digest), self._done(digest)) if path.exists()]

    def save(self, digest: str, state: dict[str, Any]) -> None:
        """Save the state: tensors, numbers, text, and lists and dicts of these."""
        _save(self._state(digest), digest, state)

    def finish(self, digest: str, results: dict[str, Any]) -> None:
        """Save the results; remove the state of this training and, unless they are shared, results of others."""
        _save(self._done(digest), digest, results)
        self._state(digest).unlink(missing_ok=True)
        self._failure.unlink(missing_ok=True)
        for part in self.folder.glob(f".{digest}.*.part.pt"):  # of a process that was killed while it saved
            part.unlink(missing_ok=True)
        for other in () if self.shared else self.folder.glob("*.done.pt"):
            if other != self._done(digest):
                other.unlink()

    def fail(self, record: dict[str, Any]) -> Path:
        """Write ``failure.json``, which says where a training failed; return its path."""
        with replace_file(self._failure) as part:
            part.write_text(json.dumps(record, indent=1) + "\n")
        return self._failure

    @property
    def _failure(self) -> Path:
        return self.folder / "failure.json"

    def _state(self, digest: str) -> Path:
        return self.folder / f"{digest}.pt"

    def _done(self, digest: str) -> Path:
        return self.folder / f"{digest}.done.pt"


def _save(path: Path, digest: str, content: dict[str, Any]) -> None:
    with replace_file(path) as part:
        torch.save({**content, "digest": digest}, part)


def _load(path: Path, digest: str, entries: set[str]) -> dict[str, Any] | None:
    """Read a file with these entries; None if it is missing, damaged or of another training."""
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or not entries <= content.keys():
            raise ValueError("it does not hold the state of a training")
        if content.pop("digest", digest) != digest:
            raise ValueError("it is of another training")
    except Exception as error:
        logger.warning("%s cannot be read (%s): the training starts from the beginning", path, error)
        return None
    return content
