"""Folds as a table gives them, so that published splits can be used."""

import logging
from collections.abc import Mapping

import pandas as pd

from cloome_kedro.chemistry.folds import EXAMPLES, SplitError
from cloome_kedro.words import FOLDS

logger = logging.getLogger(__name__)

_BLOCK = 14  # length of an InChIKey's first block, the hash of the connectivity


def provided_split(
    compounds: pd.DataFrame,
    pairs: pd.DataFrame,
    fractions: Mapping[str, float],
    seed: int,
    provided_folds: pd.DataFrame,
) -> pd.DataFrame:
    """Folds by InChIKey or by field.

    An InChIKey counts by its first block: a published key may be that of another charge or stereoisomer, and a block
    may be in one fold only. Compounds without a fold are left out, and rows that name nothing of the screen are
    ignored, both with a warning.

    Parameters
    ----------
    compounds, pairs, fractions, seed
        As for every split, see :mod:`cloome_kedro.chemistry.splits`; fractions and seed have no effect.
    provided_folds
        Columns ``inchikey``, ``plate``, ``well``, ``site``, ``fold``. A row gives ``inchikey``, or ``plate`` and
        ``well``, which do not count beside an ``inchikey``. Where ``site`` is null, the row means the whole well.

    Raises
    ------
    SplitError
        If a row has an unknown fold or no key, a compound is in two folds, or nothing matches; names the rows.
    """
    table = provided_folds.reset_index(drop=True)
    by_key = table["inchikey"].notna()
    _refuse(~table["fold"].isin(FOLDS), table, f"fold is none of {', '.join(FOLDS)}")
    _refuse(~by_key & (table["plate"].isna() | table["well"].isna()), table, "neither inchikey nor plate and well")

    keyed = table.assign(line=table.index, block=table["inchikey"].str[:_BLOCK])
    known = pairs[["inchikey"]].drop_duplicates().assign(block=lambda t: t["inchikey"].str[:_BLOCK])
    fields = pairs[["plate", "well", "site", "inchikey"]]
    by_well = ["plate", "well"]
    by_site = [*by_well, "site"]
    whole_well = ~by_key & table["site"].isna()
    matches = pd.concat(
        [
            keyed.loc[by_key, ["block", "fold", "line"]].merge(known, on="block"),
            keyed.loc[whole_well, [*by_well, "fold", "line"]].merge(fields, on=by_well),
            keyed.loc[~by_key & ~whole_well, [*by_site, "fold", "line"]]
            .astype({"site": int})
            .merge(fields, on=by_site),
        ]
    )
    if matches.empty:
        raise SplitError("provided folds: no row names a compound or a field of this screen")
    crossing = matches.groupby("inchikey")["fold"].nunique().loc[lambda n: n > 1].index
    if len(crossing):
        lines = {key: sorted(matches.loc[matches["inchikey"] == key, "line"].unique()) for key in crossing[:EXAMPLES]}
        named = "; ".join(f"{key}: " + ", ".join(_row(table, line) for line in rows[:4]) for key, rows in lines.items())
        raise SplitError(f"provided folds: {len(crossing)} compounds are in more than one fold: {named}")
    folds = matches.groupby("inchikey")["fold"].first().reset_index()
    if unmatched := sorted(set(table.index) - set(matches["line"])):
        examples = [_row(table, line) for line in unmatched[:3]]
        logger.warning("%d rows of provided_folds name nothing in this screen, e.g. %s", len(unmatched), examples)
    if without := pairs["inchikey"].nunique() - len(folds):
        logger.warning("%d compounds have no fold in provided_folds and are left out", without)
    return folds


def _refuse(bad: pd.Series, table: pd.DataFrame, why: str) -> None:
    if bad.any():
        rows = ", ".join(_row(table, line) for line in table.index[bad][:EXAMPLES])
        raise SplitError(f"provided folds: {why} in {int(bad.sum())} rows: {rows}")


def _row(table: pd.DataFrame, line: int) -> str:
    return f"row {line + 1} ({', '.join(str(value) for value in table.loc[line].dropna())})"
