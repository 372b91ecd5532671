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
"""

from collections.abc import Callable

from cloome_kedro.registry import Registry

SPLITS: Registry[Callable] = Registry("split")
SPLITS.add("random", "cloome_kedro.chemistry.splits.by_structure:random_split", together=("block",))
SPLITS.add("scaffold", "cloome_kedro.chemistry.splits.by_structure:scaffold_split", together=("block", "scaffold"))
SPLITS.add(
    "provided",
    "cloome_kedro.chemistry.splits.provided:provided_split",
    together=("block",),
    reads=("provided_folds",),
)
