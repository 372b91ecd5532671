"""Classical profiles as features of fields, and vectors of unit length."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cloome_kedro.words import feature_columns


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Divide vectors (N, d) by their Euclidean lengths. Vectors of zeros stay zeros.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def standardised_profiles(
    field_profiles: pd.DataFrame, field_ids: ArrayLike, train: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Profiles of fields, each feature with mean 0 and standard deviation 1 over the training fields.

    Parameters
    ----------
    field_profiles
        Table of that name: ``field_id``, features, and ``Metadata_`` columns, which are not used.
    field_ids
        (N,) fields.
    train
        (N,) bool: whether a field is in the training fold.

    Returns
    -------
    features : numpy.ndarray
        (N, d) float32. A missing value is 0, the mean of the training fold. So are all values of a field without a
        profile. A feature without variation in the training fold is only centred.
    missing : numpy.ndarray
        (N,) bool: fields without a profile.

    Examples
    --------
    >>> profiles = pd.DataFrame({"field_id": ["a", "b", "c"], "Cells_Area": [10.0, 30.0, 40.0]})
    >>> features, missing = standardised_profiles(profiles, ["a", "b", "c", "d"], [True, True, False, False])
    >>> features[:, 0], missing
    (array([-1.,  1.,  2.,  0.], dtype=float32), array([False, False, False,  True]))
    """
    by_field = field_profiles.set_index("field_id")[feature_columns(field_profiles)]
    fields = pd.Index(np.asarray(field_ids))
    missing = ~fields.isin(by_field.index)
    values = by_field.reindex(fields).to_numpy(float, copy=True)
    measured = np.isfinite(values)
    values[~measured] = 0
    in_training = measured & np.asarray(train)[:, None]
    counts = np.maximum(in_training.sum(axis=0), 1)
    mean = np.where(in_training, values, 0).sum(axis=0) / counts
    std = np.sqrt(np.where(in_training, np.square(values - mean), 0).sum(axis=0) / counts)
    std[std < 1e-12 * np.maximum(1, np.abs(mean))] = 1
    return np.where(measured, (values - mean) / std, 0).astype(np.float32), missing
