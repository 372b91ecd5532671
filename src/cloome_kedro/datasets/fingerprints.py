"""Save fingerprints as ``.npz`` files."""

import json
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.atomic import replace_file


class FingerprintsDataset(AbstractDataset):
    """Packed fingerprints and their settings (`cloome_kedro.learning.views.morgan.Fingerprints`).

    Loading a file cannot execute code, because pickled arrays are refused.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Any:
        from cloome_kedro.learning.views.morgan import Fingerprints

        try:
            with np.load(self._filepath, allow_pickle=False) as arrays:
                return Fingerprints(arrays["packed"], json.loads(str(arrays["settings"])))
        except (BadZipFile, EOFError, KeyError, TypeError, ValueError, zlib.error) as error:
            raise DatasetError(
                f"{self._filepath} does not hold fingerprints ({error}): run the pipeline featurization again"
            ) from error

    def save(self, data: Any) -> None:
        with replace_file(self._filepath) as part:
            np.savez(part, packed=data.packed, settings=np.array(json.dumps(data.settings)))

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
