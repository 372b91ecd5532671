"""Save fingerprints and other structural features as ``.npz`` files."""

import json
import zlib
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from kedro.io import AbstractDataset, DatasetError

from cloome_kedro.atomic import replace_file
from cloome_kedro.datasets.described import Described


class _Arrays(Described, AbstractDataset):
    """Arrays with their settings. Loading a file cannot execute code, because pickled arrays are refused."""

    content = ""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None):
        self._filepath = Path(filepath)
        self.metadata = metadata

    @abstractmethod
    def _made_of(self, arrays: Mapping[str, np.ndarray], settings: dict[str, Any]) -> Any:
        """Make the data from its arrays and settings."""

    def load(self) -> Any:
        try:
            with np.load(self._filepath, allow_pickle=False) as arrays:
                return self._made_of(arrays, json.loads(str(arrays["settings"])))
        except (BadZipFile, EOFError, KeyError, TypeError, ValueError, zlib.error) as error:
            raise DatasetError(
                f"{self._filepath} does not hold {self.content} ({error}): run the pipeline featurization again"
            ) from error

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class FingerprintsDataset(_Arrays):
    """Packed fingerprints and their settings (`cloome_kedro.learning.views.morgan.Fingerprints`)."""

    content = "fingerprints"

    def _made_of(self, arrays: Mapping[str, np.ndarray], settings: dict[str, Any]) -> Any:
        from cloome_kedro.learning.views.morgan import Fingerprints

        return Fingerprints(arrays["packed"], settings)

    def save(self, data: Any) -> None:
        with replace_file(self._filepath) as part:
            np.savez(part, packed=data.packed, settings=np.array(json.dumps(data.settings)))


class StructureFeaturesDataset(_Arrays):
    """Sets of structural features (`cloome_kedro.learning.views.structures.StructureFeatures`), compressed."""

    content = "structural features"

    def _made_of(self, arrays: Mapping[str, np.ndarray], settings: dict[str, Any]) -> Any:
        from cloome_kedro.learning.views.structures import StructureFeatures

        return StructureFeatures(settings, {name: arrays[f"set {name}"] for name in settings})

    def save(self, data: Any) -> None:
        arrays: dict[str, Any] = {f"set {name}": values for name, values in data.values.items()}
        with replace_file(self._filepath) as part:
            np.savez_compressed(part, settings=np.array(json.dumps(data.sets)), **arrays)
