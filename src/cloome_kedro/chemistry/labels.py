"""Join assay labels to the compounds of a screen."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from cloome_kedro.chemistry.label_tables import GivenLabels
from cloome_kedro.words import counted

#: keys by which labels are joined, the best first; the last one is that of labels which belong to no compound
KEYS = ("inchikey", "first block", "id", "none")

#: key -> its name in texts
KEY_NAMES = {
    "inchikey": "InChIKey",
    "first block": "the first block of the InChIKey",
    "id": "id or name",
    "none": "not in the screen",
}

Repeats = Literal["drop", "majority"]


class ScreenLabels(NamedTuple):
    """Labels of a screen's compounds.

    Attributes
    ----------
    labels
        One row per compound with a label: ``inchikey``, then one column per assay (1 active, 0 inactive, NaN not
        measured).
    joins
        Table ``label_joins``: one row per key of :data:`KEYS`.
    """

    labels: pd.DataFrame
    joins: pd.DataFrame


def labels_of_screen(
    given: GivenLabels,
    inchikeys: Sequence[str],
    compound_keys: pd.DataFrame,
    names: pd.Series | None = None,
    repeats: Repeats = "drop",
) -> ScreenLabels:
    """Join labels to compounds: by InChIKey, then by its first block, then by compound id or name.

    An entry of the table of labels is joined by the first key that finds a compound. The first block finds all
    stereoisomers of the screen. If a compound gets several labels of an assay, those by the best key count.

    Parameters
    ----------
    given
        Labels, see :func:`cloome_kedro.chemistry.label_tables.read_labels`.
    inchikeys
        Compounds of the screen. Missing values are ignored.
    compound_keys
        Columns ``compound_id``, ``inchikey``.
    names
        Names of compounds, with InChIKeys as index. Case does not matter. A name that several compounds have is not
        used.
    repeats
        What a label is that a compound has several times by the same key, if they contradict each other. ``drop``: not
        measured. ``majority``: the more frequent one, and not measured if both are equally frequent.
    """
    known = pd.Series(pd.Index(inchikeys).dropna().unique(), dtype=object)
    matches = _matches(given.entries, known, compound_keys, names)
    joined = given.labels.merge(matches, on="entry")
    by = ["inchikey", "assay"]
    joined = joined[joined["key"] == joined.groupby(by)["key"].transform("min")]
    merged = joined.groupby(by).agg(active=("active", "mean"), key=("key", "first"))
    contradicts = ~merged["active"].isin((0.0, 1.0))
    counts = pd.DataFrame({"key": KEYS}).assign(
        compounds=0, labels=0, contradictions=_count(merged.loc[contradicts, "key"])
    )
    if repeats == "majority":
        merged["active"] = np.sign(merged["active"] - 0.5) / 2 + 0.5
    merged = merged[merged["active"].isin((0.0, 1.0))]
    counts["labels"] = _count(merged["key"])
    counts["compounds"] = _count(merged.groupby(level="inchikey")["key"].min())
    lost = given.labels[~given.labels["entry"].isin(matches["entry"])]
    counts.loc[len(KEYS) - 1, ["compounds", "labels"]] = lost["entry"].nunique(), len(lost)
    labels = merged["active"].unstack().reindex(columns=range(len(given.assays)))
    labels.columns = pd.Index(given.assays, dtype=str)
    return ScreenLabels(labels.astype(float).rename_axis("inchikey").reset_index(), counts)


def describe_joins(given: GivenLabels, labels: pd.DataFrame, joins: pd.DataFrame) -> Iterator[tuple[str, bool]]:
    """Yield lines for the log about a table of labels, and whether a line is about a problem.

    Parameters
    ----------
    given, labels, joins
        The table of labels, and the result of :func:`labels_of_screen`.
    """
    counts = joins.set_index("key").astype(int).to_dict("index")
    if given.entries.empty:
        yield "the screen has no table of assay labels", False
        return
    joined = sum(row["labels"] for key, row in counts.items() if key != "none")
    actives = int((labels.drop(columns="inchikey") == 1).to_numpy().sum())
    by_key = ", ".join(
        f"{name} ({counted(counts[key]['compounds'], 'compound')}, {counted(counts[key]['labels'], 'label')})"
        for key, name in KEY_NAMES.items()
        if key != "none" and counts[key]["labels"]
    )
    text = (
        f"assay labels: {counted(len(labels), 'compound')} with {counted(joined, 'label')} ({actives:,} active) in "
        f"{counted(len(given.assays), 'assay')}" + (f", joined by {by_key}" if by_key else "")
    )
    if counts["none"]["compounds"]:
        text += (
            f"; {counted(counts['none']['compounds'], 'compound')} of the table with "
            f"{counted(counts['none']['labels'], 'label')} are not in the screen"
        )
    yield text, len(labels) == 0
    if contradictions := int(joins["contradictions"].sum()):
        yield (
            f"{counted(contradictions, 'label')} of compounds with several measurements contradict each other; "
            "params:labels.repeats says what counts",
            True,
        )
    if given.unclear:
        yield f"{counted(given.unclear, 'value')} of assay labels are inconclusive and count as not measured", True
    if given.bad_keys:
        yield f"{counted(given.bad_keys, 'InChIKey')} of the table of labels are malformed and are not used", True


def _count(keys: pd.Series) -> np.ndarray:
    return np.bincount(keys.to_numpy(int), minlength=len(KEYS))


def _matches(
    entries: pd.DataFrame, known: pd.Series, compound_keys: pd.DataFrame, names: pd.Series | None
) -> pd.DataFrame:
    """Columns entry, inchikey and key (position in `KEYS`): the compounds that each entry belongs to."""
    ids = compound_keys[compound_keys["inchikey"].isin(known)].drop_duplicates()
    called = pd.DataFrame({"inchikey": [], "name": []}, dtype=object)
    if names is not None:
        plain = names[names.index.isin(known)].dropna().astype(object).map(_plain)
        called = pd.DataFrame({"inchikey": plain.index, "name": plain.to_numpy(object)}).drop_duplicates()
    called = called[~called["name"].duplicated(keep=False)]
    compound, name = entries["compound"], entries["name"]
    any_name = compound.where(compound.notna(), name)  # a column of ids may hold names
    steps = [
        (0, entries["inchikey"], known, known),
        (0, entries["inchikey"], known.str[:25], known),  # an InChIKey without the protonation
        (1, entries["inchikey"].astype(object).str[:14], known.str[:14], known),
        (2, compound, ids["compound_id"], ids["inchikey"]),
        (2, any_name.map(_plain, na_action="ignore"), called["name"], called["inchikey"]),
        (2, name.map(_plain, na_action="ignore"), called["name"], called["inchikey"]),
    ]
    matches: list[pd.DataFrame] = []
    left = entries.index
    for key, given, keys, compounds in steps:
        asked = pd.DataFrame({"text": given.loc[left].to_numpy(object), "entry": left}).dropna(subset="text")
        found = asked.merge(
            pd.DataFrame({"text": keys.to_numpy(object), "inchikey": compounds.to_numpy(object)}).drop_duplicates(),
            on="text",
        )
        matches.append(found[["entry", "inchikey"]].assign(key=key))
        left = left.difference(pd.Index(found["entry"]))
    return pd.concat(matches, ignore_index=True).astype({"entry": int, "key": int})


def _plain(name: object) -> str:
    return str(name).strip().casefold()
