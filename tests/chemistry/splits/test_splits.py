"""The registry of splits, and a split that a user's own module would add."""

import inspect
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.chemistry.folds import SplitError, check_folds
from cloome_kedro.chemistry.splits import SPLITS, by_structure, cross_validation, find_split, provided
from cloome_kedro.words import FOLDS
from made_up_compounds import made_up_compounds
from registries import restored


@pytest.fixture
def splits():
    """The registry, from which whatever a test adds is removed again."""
    with restored(SPLITS) as registry:
        yield registry


def test_built_in_splits_and_what_is_known_of_them():
    found = {name: (SPLITS[name], dict(SPLITS.facts(name))) for name in SPLITS}
    assert found == {
        "random": (by_structure.random_split, {"together": ("block",)}),
        "scaffold": (by_structure.scaffold_split, {"together": ("block", "scaffold")}),
        "provided": (provided.provided_split, {"together": ("block",), "reads": ("provided_folds",)}),
        "random_fold": (cross_validation.random_fold, {"together": ("block",), "numbered": True}),
        "scaffold_fold": (cross_validation.scaffold_fold, {"together": ("block", "scaffold"), "numbered": True}),
    }


@pytest.mark.parametrize("name", list(SPLITS))
def test_a_split_takes_what_its_line_says_that_it_reads(name):
    facts = SPLITS.facts(name)
    numbered = ["number", "folds"] if facts.get("numbered") else []
    expected = ["compounds", "pairs", "fractions", "seed", *facts.get("reads", ()), *numbered]
    assert list(inspect.signature(SPLITS[name]).parameters) == expected


def test_an_unknown_split_is_answered_by_the_nearest():
    with pytest.raises(ValueError, match="there is no split 'scafold'; the nearest are: scaffold"):
        SPLITS["scafold"]


def test_a_numbered_split_is_found_by_kind_and_number():
    assert (find_split("scaffold_fold_12").kind, find_split("scaffold_fold_12").number) == ("scaffold_fold", 12)
    assert find_split("scaffold").function(5) is SPLITS["scaffold"]
    with pytest.raises(ValueError, match="the split random_fold needs a number: write random_fold_1, random_fold_2"):
        find_split("random_fold")
    for name in ("random_1", "random_fold_0", "random_fold_01"):
        with pytest.raises(ValueError, match=f"there is no split '{name}'"):
            find_split(name)
    with pytest.raises(ValueError, match=r"random_fold_6, because splits\.folds is 5: the last one is random_fold_5"):
        find_split("random_fold_6").function(5)


def test_names_and_facts_are_known_without_importing_a_split():
    code = (
        "import sys; from cloome_kedro.chemistry.splits import SPLITS; [SPLITS.facts(name) for name in SPLITS];"
        "sys.exit(any(name.startswith('cloome_kedro.chemistry.splits.') or name == 'rdkit' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_split_of_ones_own_reads_its_table_and_is_checked(splits):
    """Compounds of one supplier stay together, so the supplier is among what may not cross folds."""

    @splits.register("supplier", together=("block", "supplier"), reads=("suppliers",))
    def by_supplier(compounds, pairs, fractions, seed, *, suppliers):
        names = suppliers["supplier"].unique()
        fold_of = dict(zip(names, np.resize(FOLDS, len(names)), strict=True))
        table = compounds[["inchikey"]].merge(suppliers, on="inchikey")
        return table[["inchikey"]].assign(fold=table["supplier"].map(fold_of))

    compounds = made_up_compounds(range(9), range(9)).assign(supplier=list("aaabbbccc"))
    suppliers, facts = compounds[["inchikey", "supplier"]], splits.facts("supplier")
    assert facts["reads"] == ("suppliers",)
    folds = splits["supplier"](compounds, pd.DataFrame(), {}, 0, suppliers=suppliers)
    assert folds["fold"].tolist() == np.repeat(FOLDS, 3).tolist()
    check_folds(folds, compounds, "supplier", facts["together"])
    with pytest.raises(SplitError, match="supplier split: 1 suppliers are in more than one fold: a: "):
        check_folds(folds.assign(fold=["test", *folds["fold"][1:]]), compounds, "supplier", facts["together"])


def test_a_name_of_another_module_is_refused(splits):
    with pytest.raises(ValueError, match=r"split random .* is already defined in cloome_kedro\.chemistry\.splits"):

        @splits.register("random", together=())
        def random_split(compounds, pairs, fractions, seed):
            raise AssertionError("never called")
