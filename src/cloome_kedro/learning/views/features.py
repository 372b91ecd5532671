"""Features of fields or compounds as a matrix beside the columns that say of what each row is."""

from dataclasses import dataclass

import numpy as np

from cloome_kedro.learning.views.base import Table


@dataclass(frozen=True)
class Features:
    """Rows of numbers, each of a field, a well or a compound.

    Attributes
    ----------
    metadata : pandas.DataFrame or dict of arrays
        One row per row of ``values``. Keys have the names ``field_id``, ``screen``, ``plate``, ``well``, ``site`` and
        ``inchikey``, as far as the table has them; further columns have the names of the file.
    names : tuple of str
        Names of the features.
    values : numpy.ndarray
        (rows, features) float32. A value that is missing is NaN.
    source : str
        Name of the file or dataset, for messages.
    """

    metadata: Table
    names: tuple[str, ...]
    values: np.ndarray
    source: str

    def __post_init__(self):
        if self.values.dtype != np.float32 or self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise ValueError(
                f"{self.source}: an array of {self.values.dtype} and shape {self.values.shape} is no table of "
                f"{len(self.names)} features of float32"
            )
        for name in self.metadata:
            if len(self.metadata[name]) != len(self.values):
                raise ValueError(
                    f"{self.source}: the column {name} has {len(self.metadata[name])} rows, the features "
                    f"{len(self.values)}"
                )

    def __len__(self) -> int:
        return len(self.values)
