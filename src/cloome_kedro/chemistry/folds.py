"""Folds of compounds: what they must fulfil, and the hash that names them."""

import hashlib
from collections.abc import Sequence

import pandas as pd

from cloome_kedro.words import FOLDS

EXAMPLES = 5  # how many offenders an error names


class SplitError(ValueError):
    """Folds that leak, are empty, or cannot be read from a table."""


def check_folds(folds: pd.DataFrame, compounds: pd.DataFrame, split: str, together: Sequence[str]) -> None:
    """Refuse folds that leak.

    Parameters
    ----------
    folds
        ``inchikey``, ``fold``.
    compounds
        ``inchikey``, ``block``, ``scaffold`` of at least those compounds.
    split
        Named in messages.
    together
        Columns of ``compounds``: no value of them may be in two folds.

    Raises
    ------
    SplitError
        If a value crosses folds, a fold is empty or unknown, or a compound is unknown or there twice; with examples.
    """
    if (twice := folds["inchikey"].duplicated()).any():
        raise SplitError(f"{split} split: compound {folds.loc[twice, 'inchikey'].iloc[0]} is there twice")
    if other := sorted(set(folds["fold"]) - set(FOLDS)):
        raise SplitError(f"{split} split: there is no fold {other[0]!r}, only {', '.join(FOLDS)}")
    known = folds.merge(compounds[["inchikey", *together]], on="inchikey", how="left", indicator=True)
    if unknown := known.loc[known["_merge"] == "left_only", "inchikey"].tolist():
        raise SplitError(
            f"{split} split: {len(unknown)} compounds are not in the compound table, e.g. {unknown[:EXAMPLES]}"
        )
    for column in together:
        counts = known.groupby(column)["fold"].nunique()
        if crossing := counts.index[counts > 1].tolist():
            examples = "; ".join(
                f"{group}: "
                + ", ".join(f"{r.inchikey} in {r.fold}" for r in known[known[column] == group].head(4).itertuples())
                for group in crossing[:EXAMPLES]
            )
            raise SplitError(f"{split} split: {len(crossing)} {column}s cross folds: {examples}")
    if empty := set(FOLDS) - set(folds["fold"]):
        raise SplitError(
            f"{split} split: no compound of {len(folds)} is in {' or '.join(sorted(empty))}; give more compounds or "
            "other fractions"
        )


def split_hash(folds: pd.DataFrame) -> str:
    """Name of a split: first 16 hex digits of SHA-256 over its sorted ``inchikey,fold`` lines."""
    lines = sorted(f"{key},{fold}" for key, fold in zip(folds["inchikey"], folds["fold"], strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
