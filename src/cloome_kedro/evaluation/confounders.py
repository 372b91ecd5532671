"""Baselines that know where a field was and how many cells it has, but not what the cells look like.

A model of images may have found in the same way what these baselines find. All fields of a plate tie, as do all fields
of a well position or with a number of cells: break ties at random, since counted against the match they would hide what
is known.
"""

import logging

import numpy as np
import pandas as pd

from cloome_kedro.words import CELL_COUNT_ONLY, PLATE_ONLY, WELL_ONLY

logger = logging.getLogger(__name__)


def confounder_vectors(fields: pd.DataFrame, cell_counts: pd.DataFrame) -> dict[str, np.ndarray]:
    """Vectors of unit length whose dot products order fields as the confounder does.

    Parameters
    ----------
    fields
        Columns field_id, plate, well (A01 and so on).
    cell_counts
        Columns field_id, nuclei; may be empty, and then there is no ``Cell count only``.

    Returns
    -------
    dict
        Method -> (N, d) float, in the order of ``fields``. ``Plate only``: 1 on the same plate, else 0.
        ``Well position only``: falls with the distance of rows and with that of columns. ``Cell count only``: falls
        with the difference of counts.

    Raises
    ------
    ValueError
        If a well's name is not like A01.
    """
    plates, _ = pd.factorize(fields["plate"], sort=True)
    parts = fields["well"].str.extract(r"^([A-Z]{1,2})([0-9]+)$")
    if (unnamed := parts.isna().any(axis=1)).any():
        first = fields[unnamed].iloc[0]
        raise ValueError(f"fields: {first['field_id']} is in well {first['well']!r}; a well is named like A01")
    rows = [sum((ord(letter) - 64) * 26**i for i, letter in enumerate(reversed(name))) for name in parts[0]]
    position = np.column_stack([rows, parts[1].astype(int)])
    vectors = {
        PLATE_ONLY: np.eye(plates.max(initial=-1) + 1, dtype=np.float32)[plates],
        WELL_ONLY: _by_angle(position),
    }
    nuclei = cell_counts.set_index("field_id")["nuclei"].reindex(fields["field_id"]).to_numpy(float)
    if np.isnan(nuclei).any():
        missing = np.isnan(nuclei).sum()
        logger.warning(
            "%d of %d fields have no cell count: the method %s is left out", missing, len(nuclei), CELL_COUNT_ONLY
        )
    else:
        vectors[CELL_COUNT_ONLY] = _by_angle(nuclei[:, None])
    return vectors


def _by_angle(values: np.ndarray) -> np.ndarray:
    """(N, K) numbers from 0 up -> (N, 2 K): mean cosine of the K differences; the largest number is a right angle."""
    angles = values / max(values.max(initial=0), 1) * np.pi / 2
    return np.hstack([np.cos(angles), np.sin(angles)]) / np.sqrt(values.shape[1])
