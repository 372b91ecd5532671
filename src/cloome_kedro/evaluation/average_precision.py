"""Mean average precision of replicates and of mechanisms, by copairs.

A query well ranks other wells by cosine. Average precision is the mean of the precision at the ranks of its matches: 1
if all matches come first. p values are by permutation of the ranks. Source: Kalinin et al., A versatile information
retrieval framework for evaluating profile strength and similarity, Nature Communications 16, 5181 (2025).
"""

import logging

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.precision_summary import (
    MECHANISMS,
    REPLICATES,
    MeanAveragePrecision,
    Settings,
    is_available,
    rank_by_copairs,
    summarise,
    without_queries,
)
from cloome_kedro.words import counted

__all__ = [
    "MECHANISMS",
    "REPLICATES",
    "MeanAveragePrecision",
    "is_available",
    "mechanism_precision",
    "replicate_precision",
    "well_means",
]

logger = logging.getLogger(__name__)

_MOST_WELLS = 50  # wells of a compound: more are drawn at random, since the number of pairs is quadratic
_MOST_COMPOUNDS = 4000  # compounds with a mechanism: the same


def well_means(fields: pd.DataFrame, vectors: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Average the vectors of the fields of each well.

    Parameters
    ----------
    fields
        Columns ``plate`` and ``well``, one row per field. Other columns must be constant in a well.
    vectors
        (N, d) of these fields. Fields with a value that is not finite are left out.

    Returns
    -------
    wells : pandas.DataFrame
        One row per well with a usable field, in the order of plates and wells.
    means : numpy.ndarray
        (W, d) float64.
    """
    usable = np.isfinite(vectors).all(axis=1)
    fields, vectors = fields[usable].reset_index(drop=True), np.asarray(vectors, float)[usable]
    numbers = fields.groupby(["plate", "well"], sort=True, observed=True).ngroup().to_numpy()
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    if not len(starts):
        return fields, vectors
    means = np.add.reduceat(vectors[order], starts, axis=0) / np.bincount(numbers)[:, None]
    return fields.iloc[order[starts]].reset_index(drop=True), means


def replicate_precision(
    wells: pd.DataFrame,
    vectors: np.ndarray,
    *,
    across_plates: bool | None = None,
    null_size: int = 10_000,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> MeanAveragePrecision:
    """Rank the other wells of a compound among the control wells of the query's plate.

    Parameters
    ----------
    wells
        Columns ``plate``, ``well``, ``inchikey`` (it may be missing in controls) and ``control``, one row per well.
    vectors
        (N, d) of these wells, see :func:`well_means`. Rows of zeros, or with a value that is not finite, are left out.
    across_plates
        True: only wells on other plates match. False: all other wells of the compound match. None: true if most
        compounds with several wells are on several plates.
    null_size
        Number of random rankings behind a p value.
    confidence, resamples
        Level of the interval, and number of resamples of compounds.
    seed
        Seed of p values, intervals and draws of wells.

    Returns
    -------
    MeanAveragePrecision
        Without groups if no compound has two wells, or no plate has controls.

    Raises
    ------
    ModuleNotFoundError
        If copairs is not installed.

    Notes
    -----
    If the similarities of a match and of another well are equal, the match comes first.
    """
    wells, vectors = _usable(wells, vectors)
    treated = (~wells["control"].astype(bool) & wells["inchikey"].notna()).to_numpy()
    several = wells[treated].groupby("inchikey")["plate"].agg(["size", "nunique"])
    several = several[several["size"] > 1]
    if across_plates is None:
        across_plates = len(several) > 0 and (several["nunique"] > 1).mean() > 0.5
    others = "wells of the same compound on other plates" if across_plates else "other wells of the same compound"
    protocol = f"{others}, ranked among the control wells of the query's plate"
    generator = np.random.default_rng(seed)
    chosen = wells[treated & wells["inchikey"].isin(several.index)]
    if (drawn := _at_most(chosen["inchikey"], _MOST_WELLS, generator)) is not None:
        logger.info(
            "mean average precision: %s per compound are drawn where there are more",
            counted(_MOST_WELLS, "well"),
        )
        chosen = chosen.loc[drawn]
    rows = np.sort(np.concatenate([chosen.index, np.flatnonzero(wells["control"].astype(bool))])).astype(int)
    part = wells.loc[rows]
    names = pd.Index(sorted(chosen["inchikey"].unique()))
    is_control = part["control"].astype(bool).to_numpy()
    numbers = np.arange(len(part))
    pairs = pd.DataFrame(
        {
            # Codes, because copairs writes names into SQL. Controls differ from one another in `kind`, and treated
            # wells do not, so that the only pairs that differ in both columns are of a treated well and a control.
            "compound": np.where(is_control, -1, names.get_indexer(part["inchikey"])),
            "kind": np.where(is_control, numbers, -1),
            "plate": pd.factorize(part["plate"])[0],
        }
    )
    rules = {
        "pos_sameby": ["compound", "kind"],
        "pos_diffby": ["plate"] if across_plates else [],
        "neg_sameby": ["plate"],
        "neg_diffby": ["compound", "kind"],
    }
    if not len(names) or not is_control.any():
        return without_queries(REPLICATES, protocol)
    scores = rank_by_copairs(pairs, vectors[rows], rules)
    if scores is None:
        return without_queries(REPLICATES, protocol)
    scores = scores[scores["compound"] >= 0].assign(by=lambda table: table["compound"])
    settings = Settings(null_size, confidence, resamples, seed)
    return summarise(REPLICATES, protocol, scores, names, names, settings)


def mechanism_precision(
    wells: pd.DataFrame,
    vectors: np.ndarray,
    *,
    null_size: int = 10_000,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> MeanAveragePrecision:
    """Rank the other compounds of a mechanism among all compounds with another known mechanism.

    A compound is represented by the mean vector of its wells.

    Parameters
    ----------
    wells
        Columns ``inchikey``, ``moa`` and ``control``, one row per well. Mechanisms of a compound are separated by
        ``|``. Controls, and wells without a mechanism, are left out.
    vectors, null_size, confidence, resamples, seed
        As in :func:`replicate_precision`.

    Returns
    -------
    MeanAveragePrecision
        Without groups if no mechanism has two compounds, or there is only one mechanism.

    Raises
    ------
    ModuleNotFoundError
        If copairs is not installed.
    """
    protocol = "other compounds of the same mechanism, ranked among all compounds with another mechanism"
    wells, vectors = _usable(wells, vectors)
    used = (~wells["control"].astype(bool) & wells["inchikey"].notna() & wells["moa"].notna()).to_numpy()
    wells, vectors = wells[used], vectors[used]
    codes, keys = pd.factorize(wells["inchikey"], sort=True)
    if not len(keys):
        return without_queries(MECHANISMS, protocol)
    sums = np.zeros((len(keys), vectors.shape[1]))
    np.add.at(sums, codes, vectors)
    compounds, means = _usable(
        pd.DataFrame({"moa": wells["moa"].groupby(codes).first().to_numpy(), "inchikey": keys}),
        sums / np.bincount(codes)[:, None],
    )
    if len(compounds) > _MOST_COMPOUNDS:
        logger.info("mean average precision of mechanisms: %d of %d compounds are drawn", _MOST_COMPOUNDS, len(keys))
        rows = np.sort(np.random.default_rng(seed).choice(len(compounds), _MOST_COMPOUNDS, replace=False))
        compounds, means = compounds.iloc[rows].reset_index(drop=True), means[rows]
    lists = [sorted({part.strip() for part in str(entry).split("|")}) for entry in compounds["moa"]]
    names = pd.Index(sorted({part for entry in lists for part in entry}))
    numbers = {name: number for number, name in enumerate(names)}
    coded = [[numbers[part] for part in entry] for entry in lists]
    has_other = _has_other_mechanism(coded, len(names))
    coded = [entry for entry, keep in zip(coded, has_other, strict=True) if keep]
    if not coded:
        return without_queries(MECHANISMS, protocol)
    pairs = pd.DataFrame({"compound": np.arange(len(coded)), "by": coded})
    rules = {"pos_sameby": ["by"], "pos_diffby": [], "neg_sameby": [], "neg_diffby": ["by"]}
    several = any(len(entry) > 1 for entry in coded)
    if not several:
        pairs["by"] = [entry[0] for entry in coded]
    scores = rank_by_copairs(pairs, means[has_other], rules, "by" if several else None)
    if scores is None:
        return without_queries(MECHANISMS, protocol)
    settings = Settings(null_size, confidence, resamples, seed)
    return summarise(MECHANISMS, protocol, scores, names, compounds["inchikey"].to_numpy()[has_other], settings)


def _usable(table: pd.DataFrame, vectors: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Leave out rows whose vector has no direction."""
    vectors = np.asarray(vectors, float)
    usable = np.isfinite(vectors).all(axis=1) & (np.abs(vectors).max(axis=1, initial=0) > 0)
    if not usable.all():
        logger.warning(
            "mean average precision: %d of %d vectors are zero or not finite. They are left out",
            *((~usable).sum(), len(usable)),
        )
    return table[usable].reset_index(drop=True), vectors[usable]


def _at_most(keys: pd.Series, number: int, generator: np.random.Generator) -> pd.Index | None:
    """Index of at most ``number`` rows of each key, drawn at random; None if no key has more."""
    if not len(keys) or keys.value_counts().max() <= number:
        return None
    shuffled = keys.iloc[generator.permutation(len(keys))]
    return shuffled[(shuffled.groupby(shuffled).cumcount() < number).to_numpy()].index


def _has_other_mechanism(coded: list[list[int]], size: int) -> np.ndarray:
    """Whether a compound shares no mechanism with at least one other compound."""
    has = np.zeros((len(coded), size), np.float32)
    for row, entry in enumerate(coded):
        has[row, entry] = 1
    return (has @ has.T == 0).any(axis=1)
