"""Answers of `Asker`, and what they say about queries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.index.worth import CandidateSet
from cloome_kedro.words import UNKNOWN_SPLIT


@dataclass(frozen=True)
class Answer:
    """What is most similar to a query.

    Attributes
    ----------
    hits
        One row per query and hit: ``query``, ``rank``, ``score``, ``worth``, the key and the metadata. ``worth`` is the
        share of test queries whose match ranked as high among as many candidates; it is empty if queries and hits are
        of the same side.
    queries
        One row per query: ``query`` (number), ``text``, ``inchikey``, ``smiles``, ``compound``, ``fold``, ``known``
        (whether it is in the screen), ``trained``. They are empty if they are not known.
    kind
        ``fields``, ``wells`` or ``compounds``: what was searched.
    direction
        ``image to compound`` or ``compound to image``. None: queries and hits are of the same side.
    candidates
        Number of rows that were searched.
    sets
        Candidate sets: how many hits must be listed so that the match is among them. Empty if none are known.
    warnings
        Sentences on queries that are unlike anything seen, and on images that look wrong.
    notes
        Sentences on what the queries are.
    """

    hits: pd.DataFrame
    queries: pd.DataFrame
    kind: str
    direction: str | None
    candidates: int
    sets: list[CandidateSet] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def trained(self) -> bool | None:
        """Whether the compound of the first query was in training; None if that is not known."""
        value = self.queries["trained"].iloc[0]
        return None if pd.isna(value) else bool(value)


def describe_queries(queries: pd.DataFrame, compounds: pd.DataFrame, info: Mapping[str, Any]) -> pd.DataFrame:
    """Complete a table of queries: names, folds, and whether the model was trained on the compound.

    Parameters
    ----------
    queries
        Column ``text``; and ``inchikey``, ``compound`` and ``fold`` as far as they are known.
    compounds
        Compounds of the index by InChIKey.
    info
        ``index.json`` of the index.
    """
    queries = queries.reindex(columns=["text", "inchikey", "smiles", "compound", "fold"]).astype(object)
    queries.insert(0, "query", np.arange(len(queries)))
    for name in ("smiles", "compound", "fold"):
        queries[name] = queries[name].where(queries[name].notna(), queries["inchikey"].map(compounds[name]))
    queries["known"] = queries["inchikey"].isin(compounds.index)
    fitted_on = set(info.get("fitted_on", ["train"]))
    trained = [bool(fitted_on & set(str(fold).split("|"))) if pd.notna(fold) else False for fold in queries["fold"]]
    is_unknown = queries["inchikey"].isna() | (info["split_hash"] == UNKNOWN_SPLIT)
    queries["trained"] = pd.Series(trained, dtype=object).where(~is_unknown, None)
    return queries


def notes_on(queries: pd.DataFrame, compounds: pd.DataFrame, are_structures: bool) -> list[str]:
    """One sentence per query: whether it is in the screen, in which fold, and whether the model was trained on it."""
    notes = []
    for row in queries.to_dict("records"):
        text, inchikey = row["text"], row["inchikey"]
        if row["trained"] is None:
            notes.append(f"{text}: it is not known whether the model was trained on its compound")
        elif row["known"] or not are_structures:
            name = row["compound"] if isinstance(row["compound"], str) else inchikey
            fold = f"{row['fold']} fold" if isinstance(row["fold"], str) else "no fold"
            seen = "the model was trained on it" if row["trained"] else "the model was not trained on it"
            notes.append(f"{text}: {name} ({inchikey}) is in the screen, {fold}: {seen}")
        else:
            relatives = [str(key) for key in compounds.index if str(key)[:14] == str(inchikey)[:14]]
            relative = f", but its stereoisomer {relatives[0]} is" if relatives else ""
            notes.append(f"{text} ({inchikey}) is not in the screen{relative}")
    return notes
