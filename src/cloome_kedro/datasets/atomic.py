"""kedro-datasets of one file, saved under a temporary name first."""

from pathlib import Path, PurePosixPath

from cloome_kedro.atomic import replace_file


class AtomicSave:
    """Mixin for kedro-datasets of one local file: write beside the target, then rename.

    A run that is killed while it saves would otherwise leave a file that ``--only-missing-outputs`` takes for whole.
    """

    _filepath: PurePosixPath

    def save(self, data) -> None:
        target = self._filepath
        with replace_file(Path(target)) as part:
            self._filepath = PurePosixPath(part)
            try:
                super().save(data)  # type: ignore[misc]
            finally:
                self._filepath = target
