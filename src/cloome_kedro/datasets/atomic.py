"""Saving under a temporary name first, so that a killed run leaves no half-written file."""

import os
from pathlib import Path, PurePosixPath


class AtomicSave:
    """Mixin for kedro-datasets of one local file: write beside the target, then rename.

    A run that is killed while it saves would otherwise leave a file that ``--only-missing-outputs`` takes for whole.
    """

    _filepath: PurePosixPath

    def save(self, data) -> None:
        target = Path(self._filepath)
        part = target.with_name(f".{target.stem}.part{target.suffix}")
        self._filepath = PurePosixPath(part)
        try:
            super().save(data)  # type: ignore[misc]
        finally:
            self._filepath = PurePosixPath(target)
        os.replace(part, target)
