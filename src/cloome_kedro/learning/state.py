"""The state of a training on disk, from which a killed one goes on."""

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
    """Folder with ``<digest>.pt``, state of an unfinished training, or ``<digest>.done.pt``, a finished one's results.

    The digest is that of all that a training depends on. Changed data or settings begin another training, which leaves
    the state of the first as it is. Files are written under a temporary name and renamed.
    """

    folder: Path

    def finished(self, digest: str) -> dict[str, Any] | None:
        """Results of this training, if it ran to its end."""
        return _load(self._done(digest))

    def unfinished(self, digest: str) -> dict[str, Any] | None:
        """State to go on from, if there is one."""
        return _load(self._state(digest))

    def save(self, digest: str, state: dict[str, Any]) -> None:
        """Keep the state: tensors, numbers, text, and lists and dicts of these."""
        _save(self._state(digest), state)

    def finish(self, digest: str, results: dict[str, Any]) -> None:
        """Keep the results. The state that led to them and results of other trainings are removed."""
        _save(self._done(digest), results)
        self._state(digest).unlink(missing_ok=True)
        self._failure.unlink(missing_ok=True)
        for left in self.folder.glob(f".{digest}.*.part.pt"):  # by a process that was killed while it saved
            left.unlink(missing_ok=True)
        for other in self.folder.glob("*.done.pt"):
            if other != self._done(digest):
                other.unlink()

    def fail(self, record: dict[str, Any]) -> Path:
        """Write down where a training broke off."""
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


def _save(path: Path, content: dict[str, Any]) -> None:
    with replace_file(path) as part:
        torch.save(content, part)


def _load(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        logger.warning("%s cannot be read (%s): training begins again", path, error)
        return None
