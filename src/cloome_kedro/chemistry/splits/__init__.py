"""Registry of the splits of a screen into folds by compound.

A split is a function ``(compounds, pairs, fractions, seed, **tables) -> folds``:

compounds : pandas.DataFrame
    Rows of the table ``compounds`` for the compounds that have a field, sorted by InChIKey.
pairs : pandas.DataFrame
    Table ``pairs``: one row per treated field.
fractions : dict of str to float
    Fraction of the compounds in the folds train, validation and test.
seed : int
    Seed of random draws.
tables
    The tables that the split lists in ``reads``, by name.

It returns a table with the columns ``inchikey`` and ``fold``. Its folds are checked afterwards: compounds with the same
value in a column of ``together`` must be in the same fold. A module of the user can add a split with
``SPLITS.register``.

A *numbered* split has a name such as ``scaffold_fold_2``: the entry ``scaffold_fold`` with the number 2. Its function
has two more arguments, ``number`` (from 1) and ``folds`` (how many numbers there are). Its entry has the fact
``numbered=True``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cloome_kedro.registry import Registry


@dataclass(frozen=True)
class NamedSplit:
    """A split by its name in ``globals.yml``.

    Attributes
    ----------
    name
        Name, such as ``random`` or ``scaffold_fold_2``.
    kind
        Its entry in the registry: ``random`` or ``scaffold_fold``.
    number
        Number of a numbered split, from 1; otherwise None.
    """

    name: str
    kind: str
    number: int | None

    @property
    def facts(self) -> Mapping[str, Any]:
        """Properties of the entry. This imports nothing."""
        return SPLITS.facts(self.kind)

    def check(self, folds: int) -> None:
        """Raise a ValueError if the number of a numbered split is above ``folds`` (``params:splits.folds``)."""
        if self.number is not None and self.number > folds:
            raise ValueError(
                f"there is no split {self.name}, because splits.folds is {folds}: the last one is {self.kind}_{folds}"
            )

    def function(self, folds: int) -> Callable:
        """Return the function from compounds and pairs to folds.

        Parameters
        ----------
        folds
            How many numbers a numbered split has (``params:splits.folds``).

        Raises
        ------
        ValueError
            As `check`.
        """
        self.check(folds)
        if self.number is None:
            return SPLITS[self.kind]
        return partial(SPLITS[self.kind], number=self.number, folds=folds)


def find_split(name: str) -> NamedSplit:
    """Look a split up by its name in ``globals.yml``.

    Raises
    ------
    ValueError
        If there is no such split, or if its name lacks a number or has one too many.

    Examples
    --------
    >>> find_split("scaffold_fold_2")
    NamedSplit(name='scaffold_fold_2', kind='scaffold_fold', number=2)
    >>> find_split("scaffold").number is None
    True
    """
    match = re.fullmatch(r"(.+)_([1-9][0-9]*)", name)
    if match and match[1] in SPLITS and _is_numbered(match[1]):
        return NamedSplit(name, match[1], int(match[2]))
    if _is_numbered(name):
        raise ValueError(f"the split {name} needs a number: write {name}_1, {name}_2, ... into globals.yml, splits")
    return NamedSplit(name, name, None)


def joined_folds(names: Iterable[str]) -> dict[str, list[str]]:
    """Group the numbered splits among some names: kind -> names of its splits.

    >>> joined_folds(["random", "scaffold_fold_1", "scaffold_fold_2"])
    {'scaffold_fold': ['scaffold_fold_1', 'scaffold_fold_2']}
    """
    kinds: dict[str, list[str]] = {}
    for name in names:
        match = re.fullmatch(r"(.+)_[1-9][0-9]*", name)
        if match and match[1] in SPLITS and _is_numbered(match[1]):
            kinds.setdefault(match[1], []).append(name)
    return kinds


def _is_numbered(kind: str) -> bool:
    return SPLITS.facts(kind).get("numbered", False)


SPLITS: Registry[Callable] = Registry("split")
SPLITS.add("random", "cloome_kedro.chemistry.splits.by_structure:random_split", together=("block",))
SPLITS.add("scaffold", "cloome_kedro.chemistry.splits.by_structure:scaffold_split", together=("block", "scaffold"))
SPLITS.add(
    "provided",
    "cloome_kedro.chemistry.splits.provided:provided_split",
    together=("block",),
    reads=("provided_folds",),
)
SPLITS.add(
    "random_fold", "cloome_kedro.chemistry.splits.cross_validation:random_fold", together=("block",), numbered=True
)
SPLITS.add(
    "scaffold_fold",
    "cloome_kedro.chemistry.splits.cross_validation:scaffold_fold",
    together=("block", "scaffold"),
    numbered=True,
)
