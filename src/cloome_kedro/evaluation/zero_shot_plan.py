"""Queries and references of zero-shot classification, chosen before any vectors are used.

All methods use the same :class:`Plan`. A plan is small: queries with equal excluded keys share their references, and
only the differences from the usual references are stored.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

#: what references may not share with a query -> the columns that identify it
EXCLUSIONS = {"well": ["plate", "well"], "plate": ["plate"], "compound": ["inchikey"]}

ShownBy = Literal["field", "mean"]
Pool = Literal["full", "same plate"]


@dataclass
class Plan:
    """Which fields are queries, and which references each query has. :func:`plan_zero_shot` makes it.

    Fields are in S *groups*. A group holds the fields that can represent a class: all fields of the class, or those on
    one plate (pool ``same plate``). References 0 to S - 1 are the usual references of the groups. Further references
    replace a usual one for some queries.

    Attributes
    ----------
    order
        (N,) rows of the given table, in the order of ``field_id``. All other rows below are rows of the sorted table.
    fields
        The sorted table, with the columns ``field_id``, ``inchikey`` and ``label``.
    queries, match, pool
        (Q,) rows of the queries, the references of their classes, and the numbers of their pools.
    shown_by
        ``field``: a reference is a field. ``mean``: a reference is the mean over the fields of a group, possibly
        without some of them.
    grouped_rows
        (N,) rows, group by group. Each group is in the order that the seed gives.
    group_starts
        (S + 1,) position in ``grouped_rows`` where each group begins. The last one is N.
    replacements
        Group and rows of reference S + i. ``field``: the row of the reference. ``mean``: rows that the mean leaves out.
    pools
        First group, last group (exclusive), and replacements of each pool. Replacements map a group to the reference
        that replaces its usual one, or to -1 if the class is not in the pool.
    """

    order: np.ndarray
    fields: pd.DataFrame
    queries: np.ndarray
    match: np.ndarray
    pool: np.ndarray
    shown_by: ShownBy
    grouped_rows: np.ndarray
    group_starts: np.ndarray
    replacements: list[tuple[int, tuple[int, ...]]]
    pools: list[tuple[int, int, dict[int, int]]]

    def sizes(self) -> np.ndarray:
        """Number of classes that each query is ranked among: (Q,) int64."""
        sizes = [last - first - list(replaced.values()).count(-1) for first, last, replaced in self.pools]
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

    The seed puts the fields of each class in a random order. A reference of a class is the first field that is allowed
    for a query (``shown_by="field"``), or the mean over all fields that are allowed for it (``"mean"``). A field is
    allowed if it is not the query itself and shares none of the excluded keys with it. In the pool ``same plate`` it
    must also be on the plate of the query. A class without an allowed field is not a candidate of this query. A query
    is left out if its class has no allowed field.

    With ``shown_by="field"``, the first field of each class is never a query. So all protocols of a draw have the same
    queries, except for those left out. Without exclusions, the full pool is the published protocol.

    Parameters
    ----------
    fields
        Columns ``field_id``, ``plate``, ``well``, ``inchikey``, and ``label``, which holds the class. The order of rows
        does not matter.
    excluded
        Keys of :data:`EXCLUSIONS`.
    shown_by
        What represents a class: one field, or the mean over its fields.
    pool
        Whether references are on all plates, or only on the plate of the query.
    seed, draw
        Seed and draw of the random order. The place of a field depends only on them and its ``field_id``.
    where_possible
        Keys of ``excluded`` that are not excluded for a query whose class would have no reference otherwise.

    Raises
    ------
    ValueError
        If a key is unknown, a ``field_id`` is not unique, a field has no label, or ``plate`` is excluded in the pool
        ``same plate``.

    Examples
    --------
    >>> fields = pd.DataFrame({"field_id": ["s/1", "s/2", "s/3", "s/4"], "label": ["A", "A", "A", "B"]})
    >>> fields = fields.assign(inchikey=fields["label"], plate=["P", "P", "Q", "Q"], well="A01")
    >>> plan = plan_zero_shot(fields)
    >>> plan.fields["label"].iloc[plan.queries].tolist()  # the first field of A and the only one of B are references
    ['A', 'A']
    >>> plan.sizes()
    array([2, 2])
    """
    if unknown := set(excluded) - set(EXCLUSIONS):
        raise ValueError(f"excluded: {', '.join(sorted(unknown))} must be among {', '.join(EXCLUSIONS)}")
    if shown_by not in ("field", "mean") or pool not in ("full", "same plate"):
        raise ValueError(f"shown_by {shown_by!r} must be field or mean, pool {pool!r} full or same plate")
    if pool == "same plate" and "plate" in excluded:
        raise ValueError("pool 'same plate' with 'plate' excluded leaves no references")
    if (double := fields["field_id"].duplicated()).any():
        raise ValueError(f"fields: there are two rows of {fields.loc[double, 'field_id'].iloc[0]}")
    if (missing := fields["label"].isna()).any():
        raise ValueError(f"fields: {fields.loc[missing, 'field_id'].iloc[0]} has no label")

    order = np.argsort(fields["field_id"].to_numpy(str), kind="stable")
    fields = fields.iloc[order].reset_index(drop=True)
    place = _seeded_places(fields["field_id"], seed, draw)
    label, names = pd.factorize(fields["label"], sort=True)
    # References of a query are in its region: its plate, or the whole screen.
    region = _codes(fields, ["plate"]) if pool == "same plate" else np.zeros(len(fields), np.int64)
    grouped_rows = np.lexsort((place, label, region))
    group = np.unique(region * len(names) + label, return_inverse=True)[1]
    group_starts = np.concatenate([[0], np.cumsum(np.bincount(group))]).astype(np.int64)

    is_query = np.ones(len(fields), bool)
    if shown_by == "field":
        by_class = np.lexsort((place, label))
        is_query[by_class[np.unique(label[by_class], return_index=True)[1]]] = False
    none = np.empty(0, np.int64)
    columns = fields[["field_id", "inchikey", "label"]]
    plan = Plan(order, columns, none, none, none, shown_by, grouped_rows, group_starts, [], [])
    assigner = _ReferenceAssigner(plan, region, group)
    queries = np.flatnonzero(is_query)
    match, pools = assigner.assign(queries, [_codes(fields, EXCLUSIONS[key]) for key in excluded])
    without = np.flatnonzero(match < 0)
    if len(without) and (set(where_possible) & set(excluded)):
        always_excluded = [_codes(fields, EXCLUSIONS[key]) for key in excluded if key not in where_possible]
        match[without], pools[without] = assigner.assign(queries[without], always_excluded)
    has_match = match >= 0
    plan.queries, plan.match, plan.pool = queries[has_match], match[has_match], pools[has_match]
    return plan


class _ReferenceAssigner:
    """Assigns references to queries, and stores replacements and pools in a plan.

    Parameters
    ----------
    plan
        Plan with groups, but without queries.
    region
        (N,) number of the region that each field is in. References of a query are in its region.
    group
        (N,) number of the group that each field is in.
    """

    def __init__(self, plan: Plan, region: np.ndarray, group: np.ndarray):
        self.plan, self.region, self.group = plan, region, group
        self.first_rows = plan.grouped_rows[plan.group_starts[:-1]]
        self.first_groups = np.concatenate([[0], np.cumsum(np.bincount(region[self.first_rows]))])
        self.replacement_numbers: dict[Any, int] = {}  # by group and rows
        self.pool_numbers: dict[Any, int] = {}  # by region and replacements

    def assign(self, queries: np.ndarray, keys: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Choose the reference of the query's class, or -1 if there is none, and the pool of each query.

        Parameters
        ----------
        queries
            (Q,) rows.
        keys
            Codes (N,) that a reference may not share with its query.
        """
        by_mean = self.plan.shown_by == "mean"
        keys = [key * len(self.first_groups) + self.region for key in keys]
        if not keys:
            # A query must not be its own reference. Any other key already implies this. The code -1 excludes nothing.
            only_itself = np.full(len(self.region), -1, np.int64)
            rows = queries if by_mean else self.first_rows
            only_itself[rows] = rows
            keys = [only_itself]
        # Excluding a field changes a reference only if the field is in the mean, or is the first of its group.
        eligible = np.arange(len(self.region)) if by_mean else self.first_rows
        rows_by_key = [_rows_by_value(key, eligible) for key in keys]
        _, first, query_set = np.unique(
            np.stack([self.region, *keys])[:, queries], axis=1, return_index=True, return_inverse=True
        )
        match, pools = self.group[queries], np.empty(len(queries), np.int64)
        for number, positions in _rows_by_value(query_set, np.arange(len(queries))).items():
            query = queries[first[number]]
            values = [int(key[query]) for key in keys]
            excluded_rows = {
                row for rows, value in zip(rows_by_key, values, strict=True) if value >= 0 for row in rows[value]
            }
            replaced = self._replace(sorted(excluded_rows), keys, values)
            region = int(self.region[query])
            name = (region, *sorted(replaced.items()))
            if name not in self.pool_numbers:
                self.pool_numbers[name] = len(self.plan.pools)
                bounds = int(self.first_groups[region]), int(self.first_groups[region + 1])
                self.plan.pools.append((*bounds, replaced))
            pools[positions] = self.pool_numbers[name]
            for position in positions if replaced else ():
                match[position] = replaced.get(int(match[position]), match[position])
        return match, pools

    def _replace(self, excluded_rows: list[int], keys: list[np.ndarray], values: list[int]) -> dict[int, int]:
        """Map each group with excluded rows to the reference that replaces its usual one, or to -1."""
        plan = self.plan
        by_group: dict[int, list[int]] = {}
        for row in excluded_rows:
            by_group.setdefault(int(self.group[row]), []).append(row)
        replaced = {}
        for group, rows in by_group.items():
            members = plan.grouped_rows[plan.group_starts[group] : plan.group_starts[group + 1]]
            if plan.shown_by == "field":
                allowed = np.all([key[members] != value for key, value in zip(keys, values, strict=True)], axis=0)
                rows = members[allowed][:1].tolist()
            elif len(rows) == len(members):
                rows = []
            if not rows:
                replaced[group] = -1
                continue
            replacement = group, tuple(rows)
            if replacement not in self.replacement_numbers:
                self.replacement_numbers[replacement] = len(plan.group_starts) - 1 + len(plan.replacements)
                plan.replacements.append(replacement)
            replaced[group] = self.replacement_numbers[replacement]
        return replaced


def _seeded_places(field_ids: pd.Series, seed: int, draw: int) -> np.ndarray:
    """Random numbers of fields, (N,) uint64. Each depends only on the ``field_id``, the seed and the draw."""
    digests = (hashlib.blake2b(f"{seed}/{draw}/{key}".encode(), digest_size=8).digest() for key in field_ids)
    return np.frombuffer(b"".join(digests), np.uint64)


def _codes(fields: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """Number the fields so that fields with equal values of the columns have equal numbers: (N,) int64."""
    return fields.groupby(columns, sort=True).ngroup().to_numpy(np.int64)


def _rows_by_value(key: np.ndarray, rows: np.ndarray) -> defaultdict[int, list[int]]:
    """Map each value of the key (N,) to the rows, among the given rows, that have this value."""
    by_value: defaultdict[int, list[int]] = defaultdict(list)
    for value, row in zip(key[rows].tolist(), rows.tolist(), strict=True):
        by_value[value].append(row)
    return by_value
