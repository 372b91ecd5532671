"""What shows a compound: one field drawn from its own, or the mean over all of them."""

import numpy as np
import pandas as pd


def draw_seed(seed: int, draw: int) -> int:
    """Seed of a draw: draw 0 is that of the seed itself."""
    return seed if draw == 0 else int(np.random.SeedSequence([seed, draw]).generate_state(1)[0])


def draw_fields(fields: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw one field for each compound, all its fields equally likely.

    Parameters
    ----------
    fields
        Columns field_id, inchikey and any others; the order of rows does not matter.
    seed
        Of the draw.

    Returns
    -------
    pd.DataFrame
        Rows of ``fields``, one a compound, sorted by InChIKey.
    """
    fields = fields.sort_values(["inchikey", "field_id"], ignore_index=True)
    counts = fields.groupby("inchikey", sort=True).size().to_numpy()
    drawn = np.random.default_rng(seed).integers(0, counts)
    return fields.iloc[np.cumsum(counts) - counts + drawn].reset_index(drop=True)


def draw_queries(fields: pd.DataFrame, seed: int, draws: int = 1) -> list[pd.DataFrame]:
    """Draw fields several times, the same for all methods that are compared: draw k by :func:`draw_seed`."""
    return [draw_fields(fields, draw_seed(seed, draw)) for draw in range(draws)]


def draw_some(fields: pd.DataFrame, at_most: int, seed: int) -> np.ndarray:
    """Draw up to so many fields of each compound, all its fields equally likely.

    Parameters
    ----------
    fields
        Columns field_id and inchikey; the order of rows does not matter.
    at_most
        Fields of a compound.
    seed
        Of the draw.

    Returns
    -------
    np.ndarray
        (n,) int64 positions in ``fields``, sorted.
    """
    order = np.argsort(fields["field_id"].to_numpy(str), kind="stable")
    drawn = np.random.default_rng(seed).permutation(order)
    place = fields["inchikey"].iloc[drawn].groupby(fields["inchikey"].iloc[drawn].to_numpy()).cumcount()
    return np.sort(drawn[place.to_numpy() < at_most])


def mean_by_compound(vectors: np.ndarray, fields: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each compound's vectors, before any normalisation.

    Parameters
    ----------
    vectors
        (F, d), one a row of ``fields``.
    fields
        Sorted by InChIKey, as :func:`~cloome_kedro.evaluation.retrieval.fold_fields` gives them.

    Returns
    -------
    InChIKeys (N,), sorted, and means (N, d) float64.
    """
    keys, first, counts = np.unique(fields["inchikey"].to_numpy(), return_index=True, return_counts=True)
    return keys, np.add.reduceat(np.asarray(vectors, np.float64), first, axis=0) / counts[:, None]
