"""Train, validation and test folds by compound.

Compounds are never split one by one but by *group*, since near-identical structures on both sides of a split make a
test easier than the question it stands for: stereoisomers (one first InChIKey block) always stay together, under a
scaffold split also compounds of one Bemis-Murcko scaffold.
"""

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

FOLDS = ("train", "validation", "test")
BLOCK = 14  # length of an InChIKey's first block, the hash of the connectivity
EXAMPLES = 5  # how many offenders an error names


class SplitError(ValueError):
    """Folds that leak, are empty, or cannot be read from a table."""


def random_split(compounds: pd.DataFrame, fractions: Mapping[str, float], seed: int) -> pd.DataFrame:
    """Folds at random, stereoisomers together.

    Parameters
    ----------
    compounds
        Columns `inchikey`, `block`.
    fractions
        Share of the compounds for each of `FOLDS`.
    seed
        Of the draws. The order of the rows does not matter.

    Returns
    -------
    `inchikey`, `fold`, by InChIKey.
    """
    compounds = compounds.sort_values("inchikey")
    return _folds(compounds, _assign(pd.factorize(compounds["block"])[0], fractions, seed))


def scaffold_split(compounds: pd.DataFrame, fractions: Mapping[str, float], seed: int) -> pd.DataFrame:
    """Like `random_split`, but compounds of one `scaffold` stay together, too.

    A group is a connected component of "same block or same scaffold", since tautomers can share a block and differ in
    scaffold. A group may land in every fold that it fits into. The common alternative, the largest groups to training
    and what remains to test, would fill the test fold with singletons and thus measure something else.
    """
    compounds = compounds.sort_values("inchikey")
    blocks, _ = pd.factorize(compounds["block"])
    scaffolds, _ = pd.factorize(compounds["scaffold"])
    offset = blocks.max(initial=-1) + 1
    nodes = offset + scaffolds.max(initial=-1) + 1  # blocks and scaffolds; a compound is the edge between its two
    edges = coo_array((np.ones(len(compounds)), (blocks, offset + scaffolds)), shape=(nodes, nodes))
    _, component = connected_components(edges, directed=False)
    return _folds(compounds, _assign(component[blocks], fractions, seed))


def provided_split(table: pd.DataFrame, pairs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Folds as a table gives them, by InChIKey or by field, so that published splits can be used.

    An InChIKey counts by its first block: a published key may be that of another charge or stereoisomer, and a block
    may be in one fold only.

    Parameters
    ----------
    table
        Columns `inchikey`, `plate`, `well`, `site`, `fold`. A row gives `inchikey`, or `plate` and `well` (which do
        not count beside an `inchikey`); where `site` is null, the whole well.
    pairs
        Columns `plate`, `well`, `site`, `inchikey`: the screen's treated fields.

    Returns
    -------
    folds
        `inchikey`, `fold`, by InChIKey. Compounds without a fold are left out.
    unmatched
        Rows of the table that name nothing in `pairs`, as text.

    Raises
    ------
    SplitError
        If a row has an unknown fold or no key, a compound is in two folds, or nothing matches; names the rows.
    """
    table = table.reset_index(drop=True)
    by_key = table["inchikey"].notna()
    _refuse(~table["fold"].isin(FOLDS), table, f"fold is none of {', '.join(FOLDS)}")
    _refuse(~by_key & (table["plate"].isna() | table["well"].isna()), table, "neither inchikey nor plate and well")

    keyed = table.assign(line=table.index, block=table["inchikey"].str[:BLOCK])
    compounds = pairs[["inchikey"]].drop_duplicates().assign(block=lambda t: t["inchikey"].str[:BLOCK])
    fields = pairs[["plate", "well", "site", "inchikey"]]
    well, site = ["plate", "well"], ["plate", "well", "site"]
    whole_well = ~by_key & table["site"].isna()
    matches = pd.concat(
        [
            keyed.loc[by_key, ["block", "fold", "line"]].merge(compounds, on="block"),
            keyed.loc[whole_well, [*well, "fold", "line"]].merge(fields, on=well),
            keyed.loc[~by_key & ~whole_well, [*site, "fold", "line"]].astype({"site": int}).merge(fields, on=site),
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
    unmatched = sorted(set(table.index) - set(matches["line"]))
    return folds, [_row(table, line) for line in unmatched]


def check_folds(folds: pd.DataFrame, compounds: pd.DataFrame, kind: str) -> None:
    """Refuse folds that leak.

    Parameters
    ----------
    folds
        `inchikey`, `fold`.
    compounds
        `inchikey`, `block`, `scaffold` of at least those compounds.
    kind
        ``"scaffold"`` also forbids that a scaffold crosses folds; an acyclic compound is its own scaffold.

    Raises
    ------
    SplitError
        If a block (or scaffold) has compounds in two folds, a fold is empty, or a compound is unknown; with examples.
    """
    known = folds.merge(compounds[["inchikey", "block", "scaffold"]], on="inchikey", how="left")
    if unknown := known.loc[known["block"].isna(), "inchikey"].tolist():
        raise SplitError(
            f"{kind} split: {len(unknown)} compounds are not in the compound table, e.g. {unknown[:EXAMPLES]}"
        )
    for column in ("block", "scaffold") if kind == "scaffold" else ("block",):
        counts = known.groupby(column)["fold"].nunique()
        if crossing := counts.index[counts > 1].tolist():
            examples = "; ".join(
                f"{group}: "
                + ", ".join(f"{r.inchikey} in {r.fold}" for r in known[known[column] == group].head(4).itertuples())
                for group in crossing[:EXAMPLES]
            )
            raise SplitError(f"{kind} split: {len(crossing)} {column}s cross folds: {examples}")
    if empty := set(FOLDS) - set(folds["fold"]):
        raise SplitError(
            f"{kind} split: no compound of {len(folds)} is in {' or '.join(sorted(empty))}; give more compounds or "
            "other fractions"
        )


def split_hash(folds: pd.DataFrame) -> str:
    """Name of a split: first 16 hex digits of SHA-256 over its sorted ``inchikey,fold`` lines."""
    lines = sorted(f"{key},{fold}" for key, fold in zip(folds["inchikey"], folds["fold"], strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _assign(groups: np.ndarray, fractions: Mapping[str, float], seed: int) -> np.ndarray:
    """Fold number of each compound: each group, the large ones first, to a fold that it fits into.

    The fold is drawn with the odds of the places left in each, so a group of any size is as likely in a fold as the
    fold's share, and the small groups at the end fill the folds up. A group that fits nowhere goes where most is
    missing, so no fold exceeds its share by more than two thirds of a group.
    """
    rng = np.random.default_rng(seed)
    share = np.array([fractions[fold] for fold in FOLDS], dtype=float)
    missing = share / share.sum() * len(groups)
    sizes = np.bincount(groups)
    fold_of = np.empty(len(sizes), dtype=int)
    for group in np.argsort(-sizes, kind="stable"):
        # half a compound of tolerance: a share need not be a whole number of compounds
        places = np.where(missing + 0.5 >= sizes[group], missing, 0)
        fold = rng.choice(len(FOLDS), p=places / places.sum()) if places.any() else np.argmax(missing)
        fold_of[group] = fold
        missing[fold] -= sizes[group]
    return fold_of[groups]


def _folds(compounds: pd.DataFrame, fold_numbers: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"inchikey": compounds["inchikey"].to_numpy(), "fold": np.array(FOLDS)[fold_numbers]})


def _refuse(bad: pd.Series, table: pd.DataFrame, why: str) -> None:
    if bad.any():
        rows = ", ".join(_row(table, line) for line in table.index[bad][:EXAMPLES])
        raise SplitError(f"provided folds: {why} in {int(bad.sum())} rows: {rows}")


def _row(table: pd.DataFrame, line: int) -> str:
    return f"row {line + 1} ({', '.join(str(value) for value in table.loc[line].dropna())})"
