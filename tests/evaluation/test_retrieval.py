import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, chisquare, hypergeom

from cloome_kedro.evaluation.ranks import match_ranks, top_k
from cloome_kedro.evaluation.retrieval import (
    IMAGE_RETRIEVAL,
    STRUCTURE_RETRIEVAL,
    draw_fields,
    draw_queries,
    rank_both_ways,
    sampled_ranks,
    summarise_ranks,
)
from cloome_kedro.schemas import retrieval_metrics


def planted(full_ranks, n_candidates):
    """Queries, candidates and matches such that query i's match has rank ``full_ranks[i]`` among all candidates."""
    scores = -np.arange(n_candidates, dtype=float)
    return np.ones((len(full_ranks), 1)), scores[:, None], np.asarray(full_ranks) - 1


@pytest.mark.parametrize("k", [1, 5, 10])
@pytest.mark.parametrize("rank", [2, 5, 30])
def test_accuracy_of_sampled_pools_is_hypergeometric(k, rank):
    """Of 400 candidates, rank - 1 beat the match: it is in the top k if fewer than k of them are among 99 drawn."""
    draws = 600
    pool = planted([rank], 400)
    hits = np.mean([sampled_ranks(*pool, 100, seed=seed)[0] <= k for seed in range(draws)])
    expected = hypergeom(399, rank - 1, 99).cdf(k - 1)
    assert hits == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / draws) + 1e-9)


def test_every_query_has_its_own_draw_of_the_right_law():
    """Ranks 2 .. 501, every match another: mean hits beside the sum of their hypergeometric chances."""
    pool = 501
    ranks = np.arange(2, pool + 1)
    queries, candidates, match = planted(ranks, pool)
    hits = np.array([sampled_ranks(queries, candidates, match, 100, seed=seed) <= 10 for seed in range(4)])
    chances = hypergeom(pool - 1, ranks - 1, 99).cdf(9)
    assert hits.sum() == pytest.approx(4 * chances.sum(), abs=4 * np.sqrt(4 * (chances * (1 - chances)).sum()))
    assert (hits[0] != hits[1]).any()


def test_chance_is_one_in_the_pool():
    vectors = np.random.default_rng(0).standard_normal((2, 2000, 8))
    ranks = sampled_ranks(*vectors, np.arange(2000), 100, seed=0)
    assert ranks.min() >= 1
    assert ranks.max() <= 100
    assert chisquare(np.bincount((ranks - 1) // 10, minlength=10)).pvalue > 1e-3


def test_a_small_pool_is_taken_whole():
    queries, candidates = np.random.default_rng(0).standard_normal((2, 30, 6))
    match = np.arange(30)
    full = match_ranks(queries, candidates, match)
    np.testing.assert_array_equal(sampled_ranks(queries, candidates, match, 100, seed=0), full)
    np.testing.assert_array_equal(sampled_ranks(queries, candidates, match, 30, seed=0), full)
    assert (sampled_ranks(queries, candidates, match, 1, seed=0) == 1).all()


def test_negatives_never_hold_the_match():
    queries, candidates, match = planted(range(1, 41), 40)  # scores differ: only the match itself could tie
    optimistic = sampled_ranks(queries, candidates, match, 39, seed=5, ties="optimistic")
    np.testing.assert_array_equal(sampled_ranks(queries, candidates, match, 39, seed=5), optimistic)
    assert set(np.arange(1, 41) - optimistic) == {0, 1}  # all but one are drawn, none twice
    assert (sampled_ranks(queries, np.ones((40, 1)), match, 20, seed=5) == 20).all()


def test_draws_do_not_depend_on_the_order_of_queries():
    queries, candidates = np.random.default_rng(0).standard_normal((2, 300, 6))
    match, turn = np.arange(300), np.random.default_rng(1).permutation(300)
    ranks = sampled_ranks(queries, candidates, match, 50, seed=7)
    np.testing.assert_array_equal(sampled_ranks(queries[turn], candidates, match[turn], 50, seed=7), ranks[turn])
    assert (sampled_ranks(queries, candidates, match, 50, seed=8) != ranks).any()


def pairs_table(counts):
    rows = [(f"s/p{j}/A{i + 1:02d}/0", f"KEY{i}") for i, count in enumerate(counts) for j in range(count)]
    return pd.DataFrame(rows, columns=["field_id", "inchikey"])


def test_one_field_is_drawn_for_each_compound():
    pairs = pairs_table([1, 4, 3, 2])
    drawn = draw_fields(pairs, ["KEY3", "KEY1", "KEY9"], seed=0)
    assert drawn["inchikey"].tolist() == ["KEY1", "KEY3"]
    pd.testing.assert_frame_equal(drawn, draw_fields(pairs.sample(frac=1, random_state=1), ["KEY1", "KEY3"], seed=0))
    counts = pd.concat(draw_fields(pairs, ["KEY1"], seed) for seed in range(400))["field_id"].value_counts()
    assert len(counts) == 4
    assert chisquare(counts).pvalue > 1e-3
    assert draw_fields(pairs, [], seed=0).empty


def test_both_directions_and_pools():
    images, structures = np.random.default_rng(0).standard_normal((2, 120, 6))
    fields, keys = [f"f{i}" for i in range(120)], [f"k{i}" for i in range(120)]
    spaces = {STRUCTURE_RETRIEVAL: (images, structures), IMAGE_RETRIEVAL: (structures, images)}
    table = rank_both_ways(spaces, fields, keys, 100, seed=0).set_index(["direction", "pool"])
    assert len(table) == 4 * 120
    for direction, (queries, candidates) in spaces.items():
        full, sampled = table.loc[(direction, "full")], table.loc[(direction, "sampled")]
        np.testing.assert_array_equal(full["rank"], match_ranks(queries, candidates, np.arange(120)))
        assert set(full["candidates"]) == {120}
        assert set(sampled["candidates"]) == {100}
        assert (sampled["rank"] <= full["rank"].to_numpy()).all()
    assert table.loc[(STRUCTURE_RETRIEVAL, "full"), "query"].tolist() == fields
    assert table.loc[(IMAGE_RETRIEVAL, "full"), "match"].tolist() == fields
    few = rank_both_ways(spaces, fields, keys, 500, seed=0)
    assert set(few["candidates"]) == {120}


def test_summary_counts_successes_and_states_chance():
    rank = [1, 1, 3, 6, 20, 40]
    task = {"split": "random", "direction": "structure retrieval", "pool": "sampled", "candidates": 40}
    ranks = pd.concat(
        pd.DataFrame({**task, "method": method, "query": list("abcdef"), "match": list("uvwxyz"), "rank": values})
        for method, values in (("CLOOME", rank), ("Oracle (phenotype)", [1] * 6))
    )
    metrics = summarise_ranks(ranks, [1, 5, 50], 0.9)
    retrieval_metrics.validate(metrics.assign(split_hash="0" * 16))
    rows = metrics.set_index(["method", "metric"])
    assert len(rows) == 3 * 5
    assert (rows["n"] == 6).all()
    top1 = rows.loc[("CLOOME", "top-1")]
    assert (top1["value"], top1["successes"], top1["chance"]) == (2 / 6, 2, 1 / 40)
    interval = binomtest(2, 6).proportion_ci(0.9, method="exact")
    assert (top1["low"], top1["high"]) == pytest.approx((interval.low, interval.high))
    for k in (1, 5, 50):
        assert rows.loc[("CLOOME", f"top-{k}"), "value"] == pytest.approx(top_k(rank, k))
    assert rows.loc[("CLOOME", "mean rank"), "value"] == pytest.approx(71 / 6)
    assert rows.loc[("CLOOME", "median rank"), "value"] == 4.5
    assert rows.loc["Random", "value"].to_dict() == {
        "top-1": 1 / 40,
        "top-5": 5 / 40,
        "top-50": 1,
        "mean rank": 20.5,
        "median rank": 20.5,
    }
    assert rows.loc["Random", ["successes", "low", "high"]].isna().all(axis=None)


def test_queries_are_drawn_fields_of_the_fold():
    pairs = pd.DataFrame({"inchikey": list("AABBCC"), "field_id": [f"f{i}" for i in range(6)]})
    folds = pd.DataFrame({"inchikey": list("ABCD"), "fold": ["test", "train", "test", "test"]})
    queries = draw_queries(pairs, folds, "test", 3, "random")
    pd.testing.assert_frame_equal(queries, draw_fields(pairs, ["A", "C"], 3))
    with pytest.raises(ValueError, match=r"random\.folds: no compound of the validation fold"):
        draw_queries(pairs, folds, "validation", 3, "random")
