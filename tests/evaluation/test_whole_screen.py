"""Ranks and candidate sets among all that was screened."""

import numpy as np
import pytest

from cloome_kedro.evaluation import whole_screen
from cloome_kedro.evaluation.ranks import match_ranks
from cloome_kedro.evaluation.whole_screen import best_match_ranks, sets_of_ranks

RNG = np.random.default_rng(0)


def test_with_one_candidate_per_compound_ranks_are_those_of_retrieval():
    queries, candidates = RNG.normal(size=(30, 5)), RNG.normal(size=(40, 5))
    compounds = np.array([f"C{number}" for number in range(40)], object)
    match = RNG.permutation(40)[:30]
    ranks = best_match_ranks(queries, compounds[match], candidates, compounds)
    np.testing.assert_array_equal(ranks, match_ranks(queries, candidates, match))


def test_the_best_of_several_candidates_counts_and_blocks_change_nothing(monkeypatch):
    queries, candidates = RNG.normal(size=(20, 4)), RNG.normal(size=(60, 4))
    compounds = np.array([None if number % 7 == 0 else f"C{number % 10}" for number in range(60)], object)
    asked = np.array([f"C{number % 10}" for number in range(20)], object)
    expected = []
    for query, compound in zip(queries, asked, strict=True):
        order = list(compounds[np.argsort(-(candidates @ query))])
        expected.append(1 + sum(name != compound for name in order[: order.index(compound)]))
    assert best_match_ranks(queries, asked, candidates, compounds).tolist() == expected
    monkeypatch.setattr(whole_screen, "_SCORES", 100)
    assert best_match_ranks(queries, asked, candidates, compounds).tolist() == expected


def test_ties_count_against_the_match_and_a_compound_without_candidates_has_no_rank():
    same = np.ones((4, 2))
    assert best_match_ranks(same[:2], np.array(["B", "Z"]), same, np.array(["A", "B", "B", None], object)).tolist() == [
        3,
        0,
    ]


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_exchangeable_ranks_are_covered_as_wanted(level):
    coverage = []
    for _ in range(300):
        ranks = RNG.integers(1, 1001, 300)
        table = sets_of_ranks({"validation": ranks[:100], "test": ranks[100:]}, 1000, [level])
        coverage.append(table["coverage"].item())
    assert level - 0.01 < np.mean(coverage) < level + 0.02


def test_too_few_compounds_list_all_and_without_test_queries_nothing_is_measured():
    table = sets_of_ranks({"validation": np.array([1, 2, 3]), "test": np.zeros(0, np.int64)}, 10, [0.9])
    assert table["share"].item() == 1.0
    assert np.isnan(table["coverage"].item())
    assert table["compounds"].item() == 0
