"""Ways to split a screen into folds by compound, by name.

A split is a function ``(compounds, pairs, fractions, seed, **tables) -> folds``:

compounds : pandas.DataFrame
    Table ``compounds``, of those that have a field, sorted by InChIKey.
pairs : pandas.DataFrame
    Table ``pairs``: the treated fields.
fractions : dict of str to float
    Share of the compounds for train, validation and test.
seed : int
    Of the draws.
tables
    What the split's line names under ``reads``.

It gives the columns ``inchikey`` and ``fold``. Folds are checked afterwards: compounds that share a value of a column
in ``together`` may not be in two folds. A new split is one module and one line here, or a function that a module of
your own registers by ``SPLITS.register``.
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
