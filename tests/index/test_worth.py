"""What ranks are worth, and how many candidates must be listed."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.index.worth import CandidateSet, candidate_sets, worth_of_ranks
from invented_index import ranks_table, sets_table

KIND = "compounds"


def test_the_worth_in_a_pool_of_the_same_size_is_top_k_accuracy():
    ranks = np.random.default_rng(0).integers(1, 51, 400)
    table = pd.DataFrame({"searched": KIND, "rank": ranks, "candidates": 50})
    asked = np.arange(1, 51)
    expected = [(ranks <= k).mean() for k in asked]
    np.testing.assert_allclose(worth_of_ranks(table, KIND, asked, 50), expected)


def test_the_worth_in_another_pool_is_that_of_the_same_share():
    table = ranks_table()
    # ranks 1, 1, 2, 4 of 4: half of the matches are in the first quarter
    np.testing.assert_allclose(worth_of_ranks(table, KIND, [10, 20, 40], 40), [0.5, 0.75, 1])
    worth = worth_of_ranks(table, KIND, np.arange(1, 401), 400)
    assert (np.diff(worth) >= 0).all()
    assert worth[0] < 0.01  # the first of 400 is less than the first of 4


def test_ranks_of_other_searches_do_not_count():
    table = ranks_table().assign(searched="fields")
    assert np.isnan(worth_of_ranks(table, KIND, [1], 4)).all()
    assert np.isnan(worth_of_ranks(pd.DataFrame(), KIND, [1], 4)).all()


@pytest.mark.parametrize(("share", "candidates", "first"), [(0.5, 9, 5), (0.1, 1280, 128), (0.001, 10, 1), (1, 7, 7)])
def test_the_first_k_are_a_share_of_the_candidates(share, candidates, first):
    (found,) = candidate_sets(sets_table().assign(share=share), KIND, candidates)
    assert (found.first, found.candidates, found.level) == (first, candidates, 0.9)


def test_only_rows_of_the_search_count():
    table = sets_table()
    assert candidate_sets(table.assign(searched="fields"), KIND, 10) == []
    assert candidate_sets(pd.DataFrame(), KIND, 10) == []
    assert candidate_sets(table, KIND, 0) == []


def test_a_set_is_a_sentence():
    text = "the match is among the first 12 of 1,280 with 90 %"
    assert str(CandidateSet(0.9, 12, 1280, 0.889, 0.84, 0.93)) == f"{text} (measured 88.9 %, 84–93)"
    assert str(CandidateSet(0.9, 12, 1280)) == text
