import hashlib

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloome_kedro.chemistry.folds import SplitError, check_folds, split_hash
from cloome_kedro.words import FOLDS
from made_up_compounds import made_up_compounds, made_up_key


def test_what_crosses_folds_is_named():
    compounds = made_up_compounds([0, 0, 1, 2, 3], ["a", "a", "b", "c", "c"])
    folds = compounds[["inchikey"]].assign(fold=["train", "test", "validation", "train", "train"])
    message = rf"random split: 1 blocks are in more than one fold: {made_up_key(0)[:14]}: {made_up_key(0)} in train"
    with pytest.raises(SplitError, match=message):
        check_folds(folds, compounds, "random", ["block"])
    folds = compounds[["inchikey"]].assign(fold=["train", "train", "validation", "train", "test"])
    check_folds(folds, compounds, "random", ["block"])
    with pytest.raises(
        SplitError, match=rf"scaffold split: 1 scaffolds are in more than one fold: Sc: .*{made_up_key(3)} in test"
    ):
        check_folds(folds, compounds, "scaffold", ["block", "scaffold"])


def test_empty_folds_and_unknown_compounds_are_refused():
    compounds = made_up_compounds(range(4), range(4))
    folds = compounds[["inchikey"]].assign(fold=["train", "train", "train", "test"])
    with pytest.raises(SplitError, match="provided split: none of the 4 compounds is in validation"):
        check_folds(folds, compounds, "provided", ["block"])
    message = rf"provided split: 1 compounds are not in the compound table, e.g. \['{made_up_key(3)}'\]"
    with pytest.raises(SplitError, match=message):
        check_folds(folds, compounds[:3], "provided", ["block"])


def test_a_compound_that_is_there_twice_and_a_fold_of_another_name_are_refused():
    compounds = made_up_compounds(range(4), range(4))
    folds = compounds[["inchikey"]].assign(fold=["train", "train", "validation", "test"])
    check_folds(folds, compounds, "own", ["block"])
    with pytest.raises(SplitError, match=f"own split: compound {made_up_key(2)} occurs twice in the folds"):
        check_folds(pd.concat([folds, folds[2:3]]), compounds, "own", ["block"])
    with pytest.raises(SplitError, match="own split: there is no fold 'holdout', only train, validation, test"):
        check_folds(folds.replace("test", "holdout"), compounds, "own", ["block"])


def test_nothing_but_what_should_stay_together_is_looked_at():
    compounds = made_up_compounds([0, 0, 1], ["a", "a", "a"])
    folds = compounds[["inchikey"]].assign(fold=list(FOLDS))
    check_folds(folds, compounds[["inchikey"]], "own", [])


def test_the_hash_is_of_sorted_lines():
    folds = pd.DataFrame({"inchikey": ["B", "A"], "fold": ["test", "train"]})
    expected = hashlib.sha256(b"A,train\nB,test").hexdigest()[:16]
    assert split_hash(folds) == split_hash(folds[::-1]) == expected
    assert split_hash(folds.assign(fold="train")) != expected


@given(st.lists(st.sampled_from(FOLDS), min_size=1, max_size=20), st.randoms(), st.data())
def test_the_hash_depends_on_who_is_where_alone(of_compounds, random, data):
    folds = pd.DataFrame({"inchikey": [made_up_key(i) for i in range(len(of_compounds))], "fold": of_compounds})
    order = list(range(len(folds)))
    random.shuffle(order)
    assert split_hash(folds.iloc[order]) == split_hash(folds)
    moved = data.draw(st.integers(0, len(folds) - 1))
    other = FOLDS[(FOLDS.index(of_compounds[moved]) + 1) % len(FOLDS)]
    assert split_hash(folds.assign(fold=[*of_compounds[:moved], other, *of_compounds[moved + 1 :]])) != split_hash(
        folds
    )
