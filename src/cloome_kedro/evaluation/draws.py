"""Fields that represent a compound: one drawn at random, several, or the mean over all."""

import numpy as np
import pandas as pd


def draw_seed(seed: int, draw: int) -> int:
    """Seed of a draw. Draw 0 has the seed itself.

    >>> draw_seed(7, 0)
    7
    """
    return seed if draw == 0 else int(np.random.SeedSequence([seed, draw]).generate_state(1)[0])


def draw_fields(fields: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw one field per compound, all its fields equally likely.

    Parameters
    ----------
    fields
        Columns ``field_id``, ``inchikey`` and any others. The order of rows does not matter.
    seed
        Seed of the draw.

    Returns
    -------
    pandas.DataFrame
        Rows of ``fields``, one per compound, sorted by InChIKey.

    Examples
    --------
    >>> fields = pd.DataFrame({"field_id": ["s/1", "s/2", "s/3"], "inchikey": ["A", "B", "A"]})
    >>> draw_fields(fields, seed=0)["inchikey"].tolist()
    ['A', 'B']
    """
    fields = fields.sort_values(["inchikey", "field_id"], ignore_index=True)
    counts = fields.groupby("inchikey", sort=True).size().to_numpy()
    drawn = np.random.default_rng(seed).integers(0, counts)
    return fields.iloc[np.cumsum(counts) - counts + drawn].reset_index(drop=True)


def draw_queries(fields: pd.DataFrame, seed: int, draws: int = 1) -> list[pd.DataFrame]:
    """Draw one field per compound several times. Draw k uses :func:`draw_seed`, so all methods have the same draws."""
    return [draw_fields(fields, draw_seed(seed, draw)) for draw in range(draws)]


def draw_some(fields: pd.DataFrame, at_most: int, seed: int) -> np.ndarray:
    """Draw at most ``at_most`` fields per compound, all its fields equally likely.

    Parameters
    ----------
    fields
        Columns ``field_id`` and ``inchikey``. The order of rows does not matter.
    at_most
        Largest number of fields per compound. A compound with fewer fields has all of them.
    seed
        Seed of the draw.

    Returns
    -------
    numpy.ndarray
        (n,) int64 positions in ``fields``, sorted.

    Examples
    --------
    >>> fields = pd.DataFrame({"field_id": ["s/1", "s/2", "s/3"], "inchikey": ["A", "B", "A"]})
    >>> draw_some(fields, at_most=2, seed=0)
    array([0, 1, 2])
    """
    order = np.argsort(fields["field_id"].to_numpy(str), kind="stable")
    drawn = np.random.default_rng(seed).permutation(order)
    compounds = fields["inchikey"].iloc[drawn]
    place = compounds.groupby(compounds.to_numpy()).cumcount().to_numpy()
    return np.sort(drawn[place < at_most])


def mean_by_compound(vectors: np.ndarray, fields: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each compound's vectors. Means are not normalised.

    Parameters
    ----------
    vectors
        (F, d), one per row of ``fields``. To weight fields, give
        :meth:`~cloome_kedro.evaluation.embeddings.Embeddings.for_means`.
    fields
        Sorted by InChIKey, as :func:`~cloome_kedro.evaluation.retrieval.fold_fields` returns them.

    Returns
    -------
    inchikeys : numpy.ndarray
        (N,) sorted.
    means : numpy.ndarray
        (N, d) float64.

    Examples
    --------
    >>> fields = pd.DataFrame({"inchikey": ["A", "A", "B"]})
    >>> mean_by_compound(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]]), fields)[1]
    array([[0.5, 0.5],
           [2. , 2. ]])
    """
    keys, first, counts = np.unique(fields["inchikey"].to_numpy(), return_index=True, return_counts=True)
    return keys, np.add.reduceat(np.asarray(vectors, np.float64), first, axis=0) / counts[:, None]
