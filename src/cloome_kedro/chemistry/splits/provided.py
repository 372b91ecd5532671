"""Read folds from a table, so that published splits can be used."""

import logging
from collections.abc import Mapping

import pandas as pd

from cloome_kedro.chemistry.folds import EXAMPLES, SplitError
from cloome_kedro.words import FOLDS

logger = logging.getLogger(__name__)

_BLOCK = 14  # length of the first block of an InChIKey, which is a hash of the connectivity


def provided_split(
    compounds: pd.DataFrame,
    pairs: pd.DataFrame,
    fractions: Mapping[str, float],
    seed: int,
    provided_folds: pd.DataFrame,
) -> pd.DataFrame:
    """Assign compounds to the folds of a table, by InChIKey or by field.

    InChIKeys are compared by their first block, because a published key can be that of another stereoisomer or charge.
    Compounds without a fold are left out, and rows that match nothing in the screen are ignored. Both give a warning.

    Parameters
    ----------
    compounds, pairs, fractions, seed
        As for every split, see :mod:`cloome_kedro.chemistry.splits`. Fractions and seed have no effect.
    provided_folds
        Columns ``inchikey``, ``plate``, ``well``, ``site``, ``fold``. A row has ``inchikey``, or ``plate`` and
        ``well``. If it has all three, only ``inchikey`` counts. If ``site`` is null, the row is for the whole well.

    Raises
    ------
    SplitError
        If a row has an unknown fold or no key, if a compound is in two folds, or if no row matches. The message names
        the rows.
    """
    is_file = provided_folds.index.name == "line"  # the index of a table that was read as text
    places = [f"line {line}" if is_file else f"row {i}" for i, line in enumerate(provided_folds.index, 1)]
    table = provided_folds.set_axis(pd.Index(places, dtype=object))
    by_key = table["inchikey"].notna()
    _refuse(~table["fold"].isin(FOLDS), table, f"have a fold that is none of {', '.join(FOLDS)}")
    no_well = table["plate"].isna() | table["well"].isna()
    _refuse(~by_key & no_well, table, "have neither inchikey nor plate and well")

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
        raise SplitError(
            "provided folds: no row matches a compound or a field of this screen. Check the InChIKeys, or the names of "
            "plates and wells"
        )
    n_folds = matches.groupby("inchikey")["fold"].nunique()
    ambiguous = n_folds.index[n_folds > 1]
    if len(ambiguous):
        lines = {key: matches.loc[matches["inchikey"] == key, "line"].unique() for key in ambiguous[:EXAMPLES]}
        examples = "; ".join(
            f"{key}: " + ", ".join(_describe_row(table, line) for line in key_lines[:4])
            for key, key_lines in lines.items()
        )
        raise SplitError(f"provided folds: {len(ambiguous)} compounds are in more than one fold: {examples}")
    folds = matches.groupby("inchikey")["fold"].first().reset_index()
    if unmatched := table.index[~table.index.isin(matches["line"])].tolist():
        examples = ", ".join(_describe_row(table, line) for line in unmatched[:3])
        logger.warning(
            "%d rows of provided_folds match no compound or field of this screen, e.g. %s", len(unmatched), examples
        )
    if without := pairs["inchikey"].nunique() - len(folds):
        logger.warning("%d compounds have no fold in provided_folds and are left out", without)
    return folds


def _refuse(is_wrong: pd.Series, table: pd.DataFrame, problem: str) -> None:
    if is_wrong.any():
        rows = ", ".join(_describe_row(table, line) for line in table.index[is_wrong][:EXAMPLES])
        raise SplitError(f"provided folds: {int(is_wrong.sum())} rows {problem}: {rows}")


def _describe_row(table: pd.DataFrame, line: str) -> str:
    return f"{line} ({', '.join(str(value) for value in table.loc[line].dropna())})"
