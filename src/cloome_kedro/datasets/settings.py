"""Save parameters as YAML that can be pasted into ``conf/``."""

from typing import Any

from kedro.io import DatasetError
from kedro.utils import load_obj
from kedro_datasets.yaml import YAMLDataset

from cloome_kedro.datasets.atomic import AtomicSave


class Settings(AtomicSave, YAMLDataset):
    """Nested parameters as YAML. The file is replaced as a whole.

    Parameters
    ----------
    filepath
        The YAML file.
    group
        Class of a parameter group, ``module.Class``, for saving and loading its instances. None: nested dictionaries.
    """

    def __init__(self, *, filepath: str, group: str | None = None, **options: Any):
        super().__init__(filepath=filepath, **options)
        self._group = group

    def load(self) -> Any:
        values = super().load()
        if not isinstance(values, dict):
            raise DatasetError(f"{self._filepath} does not hold parameters: run the pipeline that writes it again")
        return values if self._group is None else load_obj(self._group).model_validate(values)

    def save(self, data: Any) -> None:
        super().save(data if self._group is None else data.model_dump(mode="json"))
