"""Baselines that know where a field was and how many cells it has, but not what the cells look like.

If such a baseline scores well, a model of images may use the same information. A baseline gives the same score to all
fields that it cannot tell apart, for example to all fields on a plate. Break these ties at random: if they counted
against the match, the results would hide what the baseline knows.
"""

import logging

import numpy as np
import pandas as pd

from cloome_kedro.words import CELL_COUNT_ONLY, PLATE_ONLY, WELL_ONLY

logger = logging.getLogger(__name__)


def confounder_vectors(fields: pd.DataFrame, cell_counts: pd.DataFrame) -> dict[str, np.ndarray]:
    """Make vectors of unit length whose dot products order fields as a confounder does.

    Parameters
    ----------
    fields
        Columns ``field_id``, ``plate`` and ``well`` (A01 and so on).
    cell_counts
        Columns ``field_id`` and ``nuclei``. If a field has no count, ``Cell count only`` is left out.

    Returns
    -------
    dict
        Method -> (N, d) float, in the order of ``fields``. Dot products are

        - ``Plate only``: 1 for fields on the same plate, otherwise 0;
        - ``Well position only``: decreasing with the distance between the rows and between the columns of two wells;
        - ``Cell count only``: decreasing with the difference between two counts.

    Raises
    ------
    ValueError
        If the name of a well is not like A01.

    Examples
    --------
    >>> fields = pd.DataFrame({"field_id": ["a", "b", "c"], "plate": ["P", "P", "Q"], "well": ["A01", "A02", "H12"]})
    >>> vectors = confounder_vectors(fields, pd.DataFrame({"field_id": ["a", "b", "c"], "nuclei": [0, 50, 100]}))
    >>> list(vectors)
    ['Plate only', 'Well position only', 'Cell count only']
    >>> (vectors["Plate only"] @ vectors["Plate only"].T)[0]
    array([1., 1., 0.], dtype=float32)
    >>> (vectors["Cell count only"] @ vectors["Cell count only"].T)[0].round(2)
    array([1.  , 0.71, 0.  ])
    """
    plates, _ = pd.factorize(fields["plate"], sort=True)
    parts = fields["well"].str.extract(r"^([A-Z]{1,2})([0-9]+)$")
    if (invalid := parts.isna().any(axis=1)).any():
        first = fields[invalid].iloc[0]
        raise ValueError(f"fields: {first['field_id']} is in well {first['well']!r}, but wells have names like A01")
    rows = [sum((ord(letter) - 64) * 26**i for i, letter in enumerate(reversed(name))) for name in parts[0]]
    position = np.column_stack([rows, parts[1].astype(int)])
    vectors = {
        PLATE_ONLY: np.eye(plates.max(initial=-1) + 1, dtype=np.float32)[plates],
        WELL_ONLY: _unit_circle_vectors(position),
    }
    nuclei = cell_counts.set_index("field_id")["nuclei"].reindex(fields["field_id"]).to_numpy(float)
    if np.isnan(nuclei).any():
        missing = np.isnan(nuclei).sum()
        logger.warning(
            "%d of %d fields have no cell count: the method %s is left out", missing, len(nuclei), CELL_COUNT_ONLY
        )
    else:
        vectors[CELL_COUNT_ONLY] = _unit_circle_vectors(nuclei[:, None])
    return vectors


def _unit_circle_vectors(values: np.ndarray) -> np.ndarray:
    """Make vectors (N, 2 K) from non-negative values (N, K). Dot products decrease with the differences of the values.

    The value 0 becomes the angle 0, and the largest of all values becomes a right angle. The dot product of two vectors
    is the mean of the cosines of the K differences of their angles.
    """
    angles = values / max(values.max(initial=0), 1) * np.pi / 2
    return np.hstack([np.cos(angles), np.sin(angles)]) / np.sqrt(values.shape[1])
