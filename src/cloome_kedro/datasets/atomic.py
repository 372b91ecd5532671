"""Save single-file datasets of kedro-datasets under a temporary name first."""

from pathlib import Path, PurePosixPath

from cloome_kedro.atomic import replace_file


class AtomicSave:
    """Mixin for kedro-datasets that save one local file: it writes a temporary file, then renames it.

    Otherwise a run that is killed while it saves would leave an incomplete file, which a run with
    ``--only-missing-outputs`` would not write again.
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
