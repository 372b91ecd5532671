"""Who is asked about and who answers in zero-shot classification, before any vectors are looked at.

A :class:`Plan` serves all methods. It is small: queries with equal excluded keys share their references, and only what
is unusual about these is written down.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

#: what references may not share with a query, and the columns that say so
EXCLUSIONS = {"well": ["plate", "well"], "plate": ["plate"], "compound": ["inchikey"]}

ShownBy = Literal["field", "mean"]
Pool = Literal["full", "same plate"]


@dataclass
class Plan:
    """Which fields are queries, and which are the references of which query; made by :func:`plan_zero_shot`.

    A *shelf* holds the fields that can stand for one class: all of the class, or those on one plate (pool
    ``same plate``). References 0 ... S - 1 are the usual ones of the S shelves, the others replace one of them for some
    queries.

    Attributes
    ----------
    order
        (N,) rows of the given table in the order of field_id. Rows below are of the table in that order.
    fields
        The table so sorted: field_id, inchikey, label.
    queries, match, pool
        (Q,) rows of the queries, the references of their classes, and their pools.
    shown_by
        ``field``: a reference is a field; ``mean``: the mean of a shelf's fields without some.
    shelves
        (N,) rows, shelf by shelf, each in the seeded order.
    starts
        (S + 1,) where in ``shelves`` each begins.
    replacements
        Reference S + i: its shelf, and the row that it is (``field``) or the rows that it leaves out (``mean``).
    pools
        First and last shelf (exclusive) of each pool, and which references replace which; -1: the class is not there.
    """

    order: np.ndarray
    fields: pd.DataFrame
    queries: np.ndarray
    match: np.ndarray
    pool: np.ndarray
    shown_by: ShownBy
    shelves: np.ndarray
    starts: np.ndarray
    replacements: list[tuple[int, tuple[int, ...]]]
    pools: list[tuple[int, int, dict[int, int]]]

    def sizes(self) -> np.ndarray:
        """Number of classes that each query is ranked among: (Q,) int64."""
        sizes = [last - first - list(changes.values()).count(-1) for first, last, changes in self.pools]
        return np.array(sizes, np.int64)[self.pool]


def plan_zero_shot(
    fields: pd.DataFrame,
    excluded: Sequence[str] = (),
    shown_by: ShownBy = "field",
    pool: Pool = "full",
    seed: int = 0,
    draw: int = 0,
    where_possible: Sequence[str] = (),
) -> Plan:
    """Choose queries and references.

    A class's reference is the first of its allowed fields in a seeded order (``shown_by`` field), or the L2-normalised
    mean of all of them (mean). Allowed for a query are fields other than itself that share none of the excluded keys
    with it, in the pool ``same plate`` only those of its plate. Classes without an allowed field are not among that
    query's candidates; a query whose own class has none is left out.

    The very first field of each class is never a query where a class is shown by a field: so all protocols of one draw
    have the same queries but for those left out, and nothing excluded in the full pool is the published protocol.

    Parameters
    ----------
    fields
        Columns field_id, plate, well, inchikey, and label, the class; the order of rows does not matter.
    excluded
        Keys of :data:`EXCLUSIONS`.
    seed, draw
        Of the order; a field's place depends on them and its field_id alone.
    where_possible
        Those of ``excluded`` that are given up for a query whose class would have no reference.

    Raises
    ------
    ValueError
        If a key is unknown, a field_id is there twice, a field has no label, or ``plate`` is excluded from the same
        plate.
    """
    if unknown := set(excluded) - set(EXCLUSIONS):
        raise ValueError(f"excluded: {', '.join(sorted(unknown))} is none of {', '.join(EXCLUSIONS)}")
    if shown_by not in ("field", "mean") or pool not in ("full", "same plate"):
        raise ValueError(f"shown_by {shown_by!r} must be field or mean, pool {pool!r} full or same plate")
    if pool == "same plate" and "plate" in excluded:
        raise ValueError("pool 'same plate' with 'plate' excluded leaves no references")
    if (double := fields["field_id"].duplicated()).any():
        raise ValueError(f"fields: {fields.loc[double, 'field_id'].iloc[0]} is there twice")
    if (missing := fields["label"].isna()).any():
        raise ValueError(f"fields: {fields.loc[missing, 'field_id'].iloc[0]} has no label")

    order = np.argsort(fields["field_id"].to_numpy(str), kind="stable")
    fields = fields.iloc[order].reset_index(drop=True)
    place = _seeded_places(fields["field_id"], seed, draw)
    label, names = pd.factorize(fields["label"], sort=True)
    region = _codes(fields, ["plate"]) if pool == "same plate" else np.zeros(len(fields), np.int64)
    shelves = np.lexsort((place, label, region))
    shelf = np.unique(region * len(names) + label, return_inverse=True)[1]
    starts = np.concatenate([[0], np.cumsum(np.bincount(shelf))]).astype(np.int64)

    queried = np.ones(len(fields), bool)
    if shown_by == "field":
        of_class = np.lexsort((place, label))
        queried[of_class[np.unique(label[of_class], return_index=True)[1]]] = False
    nobody = np.empty(0, np.int64)
    fields_only = fields[["field_id", "inchikey", "label"]]
    plan = Plan(order, fields_only, nobody, nobody, nobody, shown_by, shelves, starts, [], [])
    chooser = _Chooser(plan, region, shelf)
    queries, protocol = np.flatnonzero(queried), list(excluded)
    match, pools = chooser.assign(queries, [_codes(fields, EXCLUSIONS[key]) for key in protocol])
    if len(given_up := np.flatnonzero(match < 0)) and (set(where_possible) & set(protocol)):
        kept = [_codes(fields, EXCLUSIONS[key]) for key in protocol if key not in where_possible]
        match[given_up], pools[given_up] = chooser.assign(queries[given_up], kept)
    answered = match >= 0
    plan.queries, plan.match, plan.pool = queries[answered], match[answered], pools[answered]
    return plan


class _Chooser:
    """Gives queries their references, and writes what is unusual into a plan."""

    def __init__(self, plan: Plan, region: np.ndarray, shelf: np.ndarray):
        self.plan, self.region, self.shelf = plan, region, shelf
        self.usual = plan.shelves[plan.starts[:-1]]
        self.first_shelf = np.concatenate([[0], np.cumsum(np.bincount(region[self.usual]))])
        self.known: dict[Any, int] = {}  # replacements by shelf and rows
        self.pools: dict[Any, int] = {}

    def assign(self, queries: np.ndarray, keys: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Reference of the class (-1: none) and pool of each query, where no key (N,) may be shared."""
        by_mean = self.plan.shown_by == "mean"
        keys = [key * len(self.first_shelf) + self.region for key in keys]
        if not keys:
            # No field is its own reference; those that cannot be have the key of nobody. With keys, that follows.
            own = np.full(len(self.region), -1, np.int64)
            alone = queries if by_mean else self.usual
            own[alone] = alone
            keys = [own]
        eligible = np.arange(len(self.region)) if by_mean else self.usual
        excluded = [_rows_by_value(key, eligible) for key in keys]
        _, first, group = np.unique(
            np.stack([self.region, *keys])[:, queries], axis=1, return_index=True, return_inverse=True
        )
        match, pools = self.shelf[queries], np.empty(len(queries), np.int64)
        for number, asking in _rows_by_value(group, np.arange(len(queries))).items():
            example = queries[first[number]]
            values = [int(key[example]) for key in keys]
            lost = {row for rows, value in zip(excluded, values, strict=True) if value >= 0 for row in rows[value]}
            changes = self._replace(sorted(lost), keys, values)
            region = int(self.region[example])
            name = (region, *sorted(changes.items()))
            if name not in self.pools:
                self.pools[name] = len(self.plan.pools)
                bounds = int(self.first_shelf[region]), int(self.first_shelf[region + 1])
                self.plan.pools.append((*bounds, changes))
            pools[asking] = self.pools[name]
            for query in asking if changes else ():
                match[query] = changes.get(int(match[query]), match[query])
        return match, pools

    def _replace(self, lost: list[int], keys: list[np.ndarray], values: list[int]) -> dict[int, int]:
        """What stands in place of the lost rows, by shelf: a replacement, or -1."""
        plan = self.plan
        by_shelf: dict[int, list[int]] = {}
        for row in lost:
            by_shelf.setdefault(int(self.shelf[row]), []).append(row)
        changes = {}
        for shelf, rows in by_shelf.items():
            fields = plan.shelves[plan.starts[shelf] : plan.starts[shelf + 1]]
            if plan.shown_by == "field":
                left = fields[np.all([key[fields] != value for key, value in zip(keys, values, strict=True)], axis=0)]
                rows = left[:1].tolist()
            elif len(rows) == len(fields):
                rows = []
            if not rows:
                changes[shelf] = -1
                continue
            replacement = shelf, tuple(rows)
            if replacement not in self.known:
                self.known[replacement] = len(plan.starts) - 1 + len(plan.replacements)
                plan.replacements.append(replacement)
            changes[shelf] = self.known[replacement]
        return changes


def _seeded_places(field_ids: pd.Series, seed: int, draw: int) -> np.ndarray:
    """Random numbers of fields, (N,) uint64; a field's own depends on nothing but itself, the seed and the draw."""
    digests = (hashlib.blake2b(f"{seed}/{draw}/{key}".encode(), digest_size=8).digest() for key in field_ids)
    return np.frombuffer(b"".join(digests), np.uint64)


def _codes(fields: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """The same number for fields with the same values: (N,) int64."""
    return fields.groupby(columns, sort=True).ngroup().to_numpy(np.int64)


def _rows_by_value(key: np.ndarray, rows: np.ndarray) -> defaultdict[int, list[int]]:
    """Which of some rows have a value of the key (N,), by value."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for value, row in zip(key[rows].tolist(), rows.tolist(), strict=True):
        found[value].append(row)
    return found
