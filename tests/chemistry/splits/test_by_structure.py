import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.chemistry.folds import SplitError, check_folds, split_hash
from cloome_kedro.chemistry.splits import SPLITS
from cloome_kedro.chemistry.splits.by_structure import random_split, scaffold_split
from cloome_kedro.words import FOLDS
from made_up_compounds import made_up_compounds

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}
NO_PAIRS = pd.DataFrame(columns=["plate", "well", "site", "inchikey"])  # splits by structure do not read them

compounds_of_groups = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 12)), min_size=1, max_size=60).map(
    lambda rows: made_up_compounds(*zip(*rows, strict=True))
)


def largest_component(compounds: pd.DataFrame, columns: list[str]) -> int:
    """Size of the largest set of rows joined by equal values, by plain label propagation."""
    label = np.arange(len(compounds))
    while True:
        before = label.copy()
        for column in columns:
            label = pd.Series(label).groupby(compounds[column].to_numpy()).transform("min").to_numpy()
        if (before == label).all():
            return int(np.bincount(label).max())


@settings(max_examples=60)
@given(compounds_of_groups, st.integers(0, 3))
@pytest.mark.parametrize("name", ["random", "scaffold"])
def test_no_group_crosses_and_sizes_hold(name, compounds, seed):
    together = list(SPLITS.facts(name)["together"])
    folds = SPLITS[name](compounds, NO_PAIRS, FRACTIONS, seed)
    assert sorted(folds["inchikey"]) == sorted(compounds["inchikey"])
    known = folds.merge(compounds, on="inchikey")
    for column in together:
        assert known.groupby(column)["fold"].nunique().max() == 1
    # What fits nowhere goes to the fold that lacks most, which lacks at least a third of it.
    for fold in FOLDS:
        excess = (folds["fold"] == fold).sum() - FRACTIONS[fold] * len(folds)
        assert excess <= largest_component(compounds, together) * 2 / 3 + 1e-9


@given(st.integers(3, 400))
@settings(max_examples=40)
def test_single_compounds_give_the_fractions_to_one(n):
    folds = random_split(made_up_compounds(range(n), range(n)), NO_PAIRS, FRACTIONS, seed=0)
    for fold, fraction in FRACTIONS.items():
        assert abs((folds["fold"] == fold).sum() - fraction * n) <= 1


@pytest.mark.parametrize("split", [random_split, scaffold_split])
def test_seed_and_order(split):
    compounds = made_up_compounds(range(200), [i % 60 for i in range(200)])
    folds = split(compounds, NO_PAIRS, FRACTIONS, 1)
    mixed = compounds.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(folds, split(mixed, NO_PAIRS, FRACTIONS, 1))
    assert split_hash(folds) != split_hash(split(compounds, NO_PAIRS, FRACTIONS, 2))


def test_each_compound_is_tested_as_often_as_any_other():
    compounds = made_up_compounds(range(50), range(50))
    folds = [random_split(compounds, NO_PAIRS, FRACTIONS, seed) for seed in range(400)]
    tested = sum((of_seed["fold"] == "test").to_numpy() for of_seed in folds)
    assert tested.sum() == 400 * 10
    # The count is binomial(400, 0.2): mean 80, standard deviation 8.
    assert tested.min() > 80 - 5 * 8
    assert tested.max() < 80 + 5 * 8


def test_a_group_is_tested_as_often_as_its_size_allows():
    """A group of 10 among 100 fits into a test fold of 20, so it is there with a probability of 0.2."""
    compounds = made_up_compounds(range(100), [0] * 10 + list(range(1, 91)))
    in_test = 0
    for seed in range(300):
        folds = scaffold_split(compounds, NO_PAIRS, FRACTIONS, seed).set_index("inchikey")["fold"]
        in_test += folds[compounds.loc[0, "inchikey"]] == "test"
        assert folds.value_counts().to_dict() == {"train": 60, "validation": 20, "test": 20}
    assert abs(in_test - 60) < 5 * (300 * 0.2 * 0.8) ** 0.5


def test_group_larger_than_the_test_fold_goes_to_training():
    compounds = made_up_compounds(range(100), [0] * 40 + list(range(1, 61)))
    for seed in range(20):
        folds = scaffold_split(compounds, NO_PAIRS, FRACTIONS, seed).set_index("inchikey")["fold"]
        assert set(folds.loc[compounds.loc[:39, "inchikey"]]) == {"train"}
        assert folds.value_counts().to_dict() == {"train": 60, "validation": 20, "test": 20}


def test_a_block_with_two_scaffolds_ties_both():
    compounds = made_up_compounds([0, 0, *range(1, 30)], [0, 1, *([0, 1] * 15)[:29]])
    folds = scaffold_split(compounds, NO_PAIRS, FRACTIONS, 0)
    with pytest.raises(SplitError, match="none of the 31 compounds is in"):
        check_folds(folds, compounds, "scaffold", ["block", "scaffold"])


@pytest.mark.parametrize("name", ["random", "scaffold"])
def test_the_check_of_folds_accepts_what_splits_give(name):
    compounds = made_up_compounds([i // 2 for i in range(120)], [i // 6 for i in range(120)])
    check_folds(SPLITS[name](compounds, NO_PAIRS, FRACTIONS, 0), compounds, name, SPLITS.facts(name)["together"])
