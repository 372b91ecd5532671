import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.chemistry.splits import (
    FOLDS,
    SplitError,
    check_folds,
    provided_split,
    random_split,
    scaffold_split,
    split_hash,
)

FRACTIONS = {"train": 0.6, "validation": 0.2, "test": 0.2}


def key(block: int, stereo: int = 0) -> str:
    """A made-up InChIKey."""
    letters = "".join(chr(65 + (block // 26**i) % 26) for i in range(14))
    return f"{letters}-{chr(65 + stereo)}HFFFAOYSA-N"


def compound_frame(blocks, scaffolds) -> pd.DataFrame:
    """One compound an entry; equal blocks get different stereo layers."""
    keys = [key(block, list(blocks[:i]).count(block)) for i, block in enumerate(blocks)]
    return pd.DataFrame(
        {"inchikey": keys, "block": [k[:14] for k in keys], "scaffold": [f"S{scaffold}" for scaffold in scaffolds]}
    )


groups = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 12)), min_size=1, max_size=60).map(
    lambda pairs: compound_frame(*zip(*pairs, strict=True))
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


@settings(max_examples=60, deadline=None)
@given(groups, st.integers(0, 3))
@pytest.mark.parametrize(("split", "columns"), [(random_split, ["block"]), (scaffold_split, ["block", "scaffold"])])
def test_no_group_crosses_and_sizes_hold(split, columns, compounds, seed):
    folds = split(compounds, FRACTIONS, seed)
    assert sorted(folds["inchikey"]) == sorted(compounds["inchikey"])
    known = folds.merge(compounds, on="inchikey")
    for column in columns:
        assert known.groupby(column)["fold"].nunique().max() == 1
    # what fits nowhere goes to the fold that lacks most, which lacks at least a third of it
    for fold in FOLDS:
        excess = (folds["fold"] == fold).sum() - FRACTIONS[fold] * len(folds)
        assert excess <= largest_component(compounds, columns) * 2 / 3 + 1e-9


@given(st.integers(3, 400))
@settings(max_examples=40, deadline=None)
def test_single_compounds_give_the_fractions_to_one(n):
    folds = random_split(compound_frame(range(n), range(n)), FRACTIONS, seed=0)
    for fold, fraction in FRACTIONS.items():
        assert abs((folds["fold"] == fold).sum() - fraction * n) <= 1


@pytest.mark.parametrize("split", [random_split, scaffold_split])
def test_seed_and_order(split):
    compounds = compound_frame(range(200), [i % 60 for i in range(200)])
    folds = split(compounds, FRACTIONS, 1)
    pd.testing.assert_frame_equal(folds, split(compounds.sample(frac=1, random_state=0), FRACTIONS, 1))
    assert split_hash(folds) != split_hash(split(compounds, FRACTIONS, 2))


def test_each_compound_is_tested_as_often_as_any_other():
    compounds = compound_frame(range(50), range(50))
    tested = sum((random_split(compounds, FRACTIONS, seed)["fold"] == "test").to_numpy() for seed in range(400))
    assert tested.sum() == 400 * 10
    # binomial(400, 0.2): mean 80, SD 8
    assert tested.min() > 80 - 5 * 8
    assert tested.max() < 80 + 5 * 8


def test_a_group_is_tested_as_often_as_its_size_allows():
    """A group of 10 among 100 fits into a test fold of 20, so it is there with a probability of 0.2."""
    compounds = compound_frame(range(100), [0] * 10 + list(range(1, 91)))
    in_test = 0
    for seed in range(300):
        folds = scaffold_split(compounds, FRACTIONS, seed).set_index("inchikey")["fold"]
        in_test += folds[compounds.loc[0, "inchikey"]] == "test"
        assert folds.value_counts().to_dict() == {"train": 60, "validation": 20, "test": 20}
    assert abs(in_test - 60) < 5 * (300 * 0.2 * 0.8) ** 0.5


def test_group_larger_than_the_test_fold_goes_to_training():
    compounds = compound_frame(range(100), [0] * 40 + list(range(1, 61)))
    for seed in range(20):
        folds = scaffold_split(compounds, FRACTIONS, seed).set_index("inchikey")["fold"]
        assert set(folds.loc[compounds.loc[:39, "inchikey"]]) == {"train"}
        assert folds.value_counts().to_dict() == {"train": 60, "validation": 20, "test": 20}


def test_a_block_with_two_scaffolds_ties_both():
    compounds = compound_frame([0, 0, *range(1, 30)], [0, 1, *([0, 1] * 15)[:29]])
    with pytest.raises(SplitError, match="no compound of 31 is in"):
        check_folds(scaffold_split(compounds, FRACTIONS, 0), compounds, "scaffold")


def test_check_accepts_what_the_splits_give():
    compounds = compound_frame([i // 2 for i in range(120)], [i // 6 for i in range(120)])
    check_folds(scaffold_split(compounds, FRACTIONS, 0), compounds, "scaffold")
    check_folds(random_split(compounds, FRACTIONS, 0), compounds, "random")


def test_check_names_what_crosses():
    compounds = compound_frame([0, 0, 1, 2, 3], ["a", "a", "b", "c", "c"])
    folds = compounds[["inchikey"]].assign(fold=["train", "test", "validation", "train", "train"])
    with pytest.raises(SplitError, match=rf"random split: 1 blocks cross folds: {key(0)[:14]}: {key(0)} in train"):
        check_folds(folds, compounds, "random")
    folds = compounds[["inchikey"]].assign(fold=["train", "train", "validation", "train", "test"])
    check_folds(folds, compounds, "random")
    with pytest.raises(SplitError, match=rf"scaffold split: 1 scaffolds cross folds: Sc: .*{key(3)} in test"):
        check_folds(folds, compounds, "scaffold")


def test_check_refuses_empty_folds_and_unknown_compounds():
    compounds = compound_frame(range(4), range(4))
    folds = compounds[["inchikey"]].assign(fold=["train", "train", "train", "test"])
    with pytest.raises(SplitError, match="no compound of 4 is in validation"):
        check_folds(folds, compounds, "provided")
    with pytest.raises(SplitError, match=rf"1 compounds are not in the compound table, e.g. \['{key(3)}'\]"):
        check_folds(folds, compounds[:3], "provided")


def test_hash():
    folds = pd.DataFrame({"inchikey": ["B", "A"], "fold": ["test", "train"]})
    expected = hashlib.sha256(b"A,train\nB,test").hexdigest()[:16]
    assert split_hash(folds) == split_hash(folds[::-1]) == expected
    assert split_hash(folds.assign(fold="train")) != expected


def provided(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["inchikey", "plate", "well", "site", "fold"]).astype({"site": "Int64"})


PAIRS = pd.DataFrame(
    [
        ("P1", "A01", 1, key(0)),
        ("P1", "A01", 2, key(0)),
        ("P2", "A01", 1, key(0)),
        ("P1", "B02", 1, key(1)),
        ("P2", "C03", 1, key(2)),
        ("P2", "D04", 1, key(3)),
    ],
    columns=["plate", "well", "site", "inchikey"],
)


def test_provided_by_key_well_and_field():
    table = provided(
        (key(0), None, None, None, "train"),
        (None, "P1", "B02", None, "validation"),
        (None, "P2", "C03", 1, "test"),
        (None, "P9", "C03", 1, "test"),  # not in this screen
        (key(9), None, None, None, "test"),
    )
    folds, unmatched = provided_split(table, PAIRS)
    assert folds.values.tolist() == [[key(0), "train"], [key(1), "validation"], [key(2), "test"]]  # key(3) is left out
    assert unmatched == ["row 4 (P9, C03, 1, test)", f"row 5 ({key(9)}, test)"]


def test_provided_key_counts_by_its_first_block():
    folds, _ = provided_split(provided((key(1, stereo=5), None, None, None, "test")), PAIRS)
    assert folds.values.tolist() == [[key(1), "test"]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [(key(0), None, None, None, "trian")],
            rf"fold is none of train, validation, test in 1 rows: row 1 \({key(0)}",
        ),
        ([(key(0), None, None, None, None)], "fold is none of"),
        ([(None, "P1", None, 1, "train")], r"neither inchikey nor plate and well in 1 rows: row 1 \(P1, 1, train\)"),
        (
            [(key(0), None, None, None, "train"), (None, "P2", "A01", 1, "test")],
            rf"1 compounds are in more than one fold: {key(0)}: row 1 .*, row 2 \(P2, A01, 1, test\)",
        ),
        ([(None, "P9", "A01", None, "train")], "no row names a compound or a field of this screen"),
        ([], "no row names"),
    ],
)
def test_provided_refuses(rows, message):
    with pytest.raises(SplitError, match=message):
        provided_split(provided(*rows), PAIRS)
