import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.chemistry.folds import check_folds, split_hash
from cloome_kedro.chemistry.splits import find_split, joined_folds
from cloome_kedro.chemistry.splits.cross_validation import divide
from made_up_compounds import made_up_compounds

NO_PAIRS = pd.DataFrame(columns=["plate", "well", "site", "inchikey"])


def folds_of(kind: str, compounds: pd.DataFrame, k: int, seed: int = 0) -> pd.DataFrame:
    """One column per split, with the folds of the compounds as rows."""
    names = [f"{kind}_{number}" for number in range(1, k + 1)]
    tables = {name: find_split(name).function(k)(compounds, NO_PAIRS, {}, seed) for name in names}
    return pd.DataFrame({name: table.set_index("inchikey")["fold"] for name, table in tables.items()})


@pytest.mark.parametrize("kind", ["random_fold", "scaffold_fold"])
@pytest.mark.parametrize("k", [3, 5])
def test_each_compound_is_tested_once_validated_once_and_otherwise_trains(kind, k):
    compounds = made_up_compounds([i // 2 for i in range(120)], [i // 4 for i in range(120)])
    folds = folds_of(kind, compounds, k)
    counts = folds.apply(pd.Series.value_counts, axis=1).astype(int)
    assert (counts == [1, k - 2, 1]).all(axis=None), "test, train, validation"
    for name, column in folds.items():
        check_folds(column.rename("fold").reset_index(), compounds, name, find_split(name).facts["together"])
    for number in range(1, k + 1):  # the test fold of the next split validates this one
        following = folds[f"{kind}_{number % k + 1}"] == "test"
        assert ((folds[f"{kind}_{number}"] == "validation") == following).all()


@settings(max_examples=60)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.integers(3, 6), st.integers(0, 3))
def test_parts_have_similar_sizes_and_groups_stay_together(sizes, parts, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    part = divide(groups, parts, seed)
    assert all(len(np.unique(part[groups == group])) == 1 for group in range(len(sizes)))
    counts = np.bincount(part, minlength=parts)
    assert counts.max() - counts.min() <= max(sizes)
    with_singles = divide(np.append(groups, len(sizes) + np.arange(parts * max(sizes))), parts, seed)
    assert np.ptp(np.bincount(with_singles, minlength=parts)) <= 1


def test_seed_and_order():
    compounds = made_up_compounds(range(200), [i % 60 for i in range(200)])
    folds = folds_of("scaffold_fold", compounds, 5, seed=1)
    mixed = folds_of("scaffold_fold", compounds.sample(frac=1, random_state=0), 5, seed=1)
    pd.testing.assert_frame_equal(folds.sort_index(), mixed.sort_index())

    def hash_of(table):
        return split_hash(table["scaffold_fold_1"].rename("fold").reset_index())

    assert hash_of(folds) != hash_of(folds_of("scaffold_fold", compounds, 5, seed=2))
    assert len({split_hash(column.rename("fold").reset_index()) for _, column in folds.items()}) == 5


def test_folds_are_grouped_by_kind():
    names = ["scaffold", "random_fold_2", "scaffold_fold_1", "random_fold_1", "model_1"]
    assert joined_folds(names) == {
        "random_fold": ["random_fold_2", "random_fold_1"], "scaffold_fold": ["scaffold_fold_1"]
    }  # fmt: skip
