"""Checks of the folds of a split, and the hash that identifies a split."""

import hashlib
from collections.abc import Sequence

import pandas as pd

from cloome_kedro.words import FOLDS

EXAMPLES = 5  # largest number of examples in an error message


class SplitError(ValueError):
    """The folds of a split leak, are empty or cannot be read from a table."""


def check_folds(folds: pd.DataFrame, compounds: pd.DataFrame, split: str, together: Sequence[str]) -> None:
    """Raise an error if the folds of a split leak or are incomplete.

    Parameters
    ----------
    folds
        Columns ``inchikey``, ``fold``.
    compounds
        Columns ``inchikey`` and those in ``together``. It has a row for every compound of ``folds``.
    split
        Name of the split, for error messages.
    together
        Columns of ``compounds``. All compounds with the same value in such a column must be in the same fold.

    Raises
    ------
    SplitError
        If compounds that belong together are in different folds, a fold is empty or unknown, or a compound is unknown
        or occurs twice. The message gives examples.
    """
    if (repeated := folds["inchikey"].duplicated()).any():
        raise SplitError(f"{split} split: compound {folds.loc[repeated, 'inchikey'].iloc[0]} occurs twice in the folds")
    if unknown_folds := sorted(set(folds["fold"]) - set(FOLDS)):
        raise SplitError(f"{split} split: there is no fold {unknown_folds[0]!r}, only {', '.join(FOLDS)}")
    members = folds.merge(compounds[["inchikey", *together]], on="inchikey", how="left", indicator=True)
    if unknown := members.loc[members["_merge"] == "left_only", "inchikey"].tolist():
        raise SplitError(
            f"{split} split: {len(unknown)} compounds are not in the compound table, e.g. {unknown[:EXAMPLES]}"
        )
    for column in together:
        n_folds = members.groupby(column)["fold"].nunique()
        if leaking := n_folds.index[n_folds > 1].tolist():
            examples = "; ".join(
                f"{value}: {_places(members[members[column] == value])}" for value in leaking[:EXAMPLES]
            )
            raise SplitError(f"{split} split: {len(leaking)} {column}s are in more than one fold: {examples}")
    if empty := set(FOLDS) - set(folds["fold"]):
        raise SplitError(
            f"{split} split: none of the {len(folds)} compounds is in {' or '.join(sorted(empty))}. Use more compounds "
            "or other fractions"
        )


def _places(members: pd.DataFrame) -> str:
    return ", ".join(f"{row.inchikey} in {row.fold}" for row in members.head(4).itertuples())


def split_hash(folds: pd.DataFrame) -> str:
    """Hash of a split: the first 16 hexadecimal digits of the SHA-256 of its sorted lines ``inchikey,fold``."""
    lines = sorted(f"{key},{fold}" for key, fold in zip(folds["inchikey"], folds["fold"], strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
