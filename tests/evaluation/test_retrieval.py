import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare, hypergeom
from sklearn.metrics import top_k_accuracy_score

from cloome_kedro.evaluation.draws import draw_queries, mean_by_compound
from cloome_kedro.evaluation.ranks import match_ranks
from cloome_kedro.evaluation.retrieval import (
    IMAGE_RETRIEVAL,
    STRUCTURE_RETRIEVAL,
    both_ways,
    field_ranks,
    fold_fields,
    mean_ranks,
    retrieval_accuracies,
    sampled_ranks,
)


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
    rows = [(f"s/p{j}/A{i + 1:02d}/0", f"p{j}", f"KEY{i:03d}") for i, count in enumerate(counts) for j in range(count)]
    return pd.DataFrame(rows, columns=["field_id", "plate", "inchikey"])


def test_fields_of_a_fold():
    pairs = pairs_table([2, 2, 2])
    folds = pd.DataFrame({"inchikey": [f"KEY00{i}" for i in range(4)], "fold": ["test", "train", "test", "test"]})
    fields = fold_fields(pairs.sample(frac=1, random_state=0), folds, "test", "random")
    pd.testing.assert_frame_equal(fields, pairs[pairs["inchikey"] != "KEY001"].reset_index(drop=True))
    with pytest.raises(ValueError, match=r"random\.folds: no compound of the validation fold"):
        fold_fields(pairs, folds, "validation", "random")


@pytest.fixture(scope="module")
def planted_fold():
    """120 compounds of six plates, two fields each; vectors of fields by their id, and of compounds."""
    rng = np.random.default_rng(0)
    fields = pd.DataFrame(
        {"field_id": f"f{i:03d}/{j}", "plate": f"p{(i + j) % 6}", "inchikey": f"k{i:03d}"}
        for i in range(120)
        for j in range(2)
    )
    structures = rng.standard_normal((120, 8))
    images = np.repeat(structures, 2, axis=0) + rng.standard_normal((240, 8))
    return fields, pd.DataFrame(images, fields["field_id"]), structures


def ranked(planted_fold, **options):
    fields, images, structures = planted_fold
    queries = draw_queries(fields, 0, 3)
    spaces = (both_ways(images.loc[drawn["field_id"]].to_numpy(), structures) for drawn in queries)
    return queries, field_ranks(queries, spaces, 50, 0, **options)


def dense_scores(planted_fold, drawn, direction):
    _, images, structures = planted_fold
    scores = images.loc[drawn["field_id"]].to_numpy() @ structures.T
    return scores if direction == STRUCTURE_RETRIEVAL else scores.T


@pytest.mark.parametrize("direction", [STRUCTURE_RETRIEVAL, IMAGE_RETRIEVAL])
def test_full_pool_accuracies_are_scikit_learns(planted_fold, direction):
    queries, table = ranked(planted_fold)
    for draw, drawn in enumerate(queries):
        rows = table[(table["direction"] == direction) & (table["draw"] == draw) & (table["pool"] == "full")]
        scores = dense_scores(planted_fold, drawn, direction)
        for k in (1, 5, 10, 119):
            expected = top_k_accuracy_score(np.arange(120), scores, k=k)
            assert (rows["rank"] <= k).mean() == pytest.approx(expected, abs=1e-12)
        assert set(rows["candidates"]) == {120}
        names = (drawn["field_id"], drawn["inchikey"])
        query, match = names if direction == STRUCTURE_RETRIEVAL else names[::-1]
        assert rows["query"].tolist() == query.tolist()
        assert rows["match"].tolist() == match.tolist()
        assert rows["compound"].tolist() == drawn["inchikey"].tolist()


def test_accuracies_in_the_fit_are_scikit_learns():
    images, structures = np.random.default_rng(0).standard_normal((2, 90, 4))
    found = retrieval_accuracies(images, images + structures, (1, 5))
    scores = images @ (images + structures).T
    for k in (1, 5):
        by_image, by_structure = (top_k_accuracy_score(np.arange(90), s, k=k) for s in (scores, scores.T))
        assert found[f"top{k}_structure_retrieval"] == pytest.approx(by_image)
        assert found[f"top{k}_image_retrieval"] == pytest.approx(by_structure)
        assert found[f"top{k}"] == pytest.approx((by_image + by_structure) / 2)


@pytest.mark.parametrize("direction", [STRUCTURE_RETRIEVAL, IMAGE_RETRIEVAL])
def test_candidates_of_the_same_plate_only(planted_fold, direction):
    queries, table = ranked(planted_fold)
    rows = table.query("direction == @direction and pool == 'same plate'")
    assert set(rows["draw"]) == {0}
    scores = dense_scores(planted_fold, queries[0], direction)
    plates = queries[0]["plate"].to_numpy()
    for i, (rank, size) in enumerate(zip(rows["rank"], rows["candidates"], strict=True)):
        others = plates == plates[i]
        assert size == others.sum()
        assert rank == 1 + (scores[i, others] > scores[i, i]).sum()


def test_sampled_pools_are_other_ones_in_every_draw(planted_fold):
    _, table = ranked(planted_fold)
    rows = table[(table["direction"] == IMAGE_RETRIEVAL) & (table["pool"] != "same plate")]
    ranks = rows.pivot(index=["query", "draw"], columns="pool", values="rank")
    assert (ranks["sampled"] <= ranks["full"]).all()
    assert set(rows.query("pool == 'sampled'")["candidates"]) == {50}
    by_draw = ranks["sampled"].unstack()
    assert all((by_draw[a] != by_draw[b]).any() for a, b in ((0, 1), (0, 2), (1, 2)))


def test_compounds_shown_by_their_mean(planted_fold):
    fields, images, structures = planted_fold
    keys, means = mean_by_compound(images.to_numpy(), fields)
    table = mean_ranks(both_ways(means, structures), keys, 50, 0, 3)
    full = table.query("pool == 'full' and direction == 'structure retrieval'")
    assert set(full["draw"]) == {0}
    scores = means @ structures.T
    np.testing.assert_array_equal(full["rank"], 1 + (scores > np.diag(scores)[:, None]).sum(1))
    assert (full["query"] == full["match"]).all()
    assert table.query("pool == 'sampled'").groupby(["direction", "draw"]).size().eq(120).all()
    assert set(table["shown_by"]) == {"mean"}
    _, by_field = ranked(planted_fold)
    single = by_field.query("pool == 'full' and direction == 'structure retrieval'")
    assert full["rank"].mean() < single["rank"].mean()


def test_hand_made_ties_land_on_their_bounds(planted_fold):
    """Forty compounds have one vector: the match's rank is the worst or the best of its forty."""
    fields, images, structures = planted_fold
    alike = np.where(np.arange(120)[:, None] < 40, structures[0], structures)
    tied = fields, images, alike
    worst, best = (ranked(tied, ties=ties)[1] for ties in ("pessimistic", "optimistic"))
    of = (worst["direction"] == STRUCTURE_RETRIEVAL) & (worst["pool"] == "full") & (worst["draw"] == 0)
    spread = (worst["rank"] - best["rank"])[of].to_numpy()
    np.testing.assert_array_equal(spread, np.where(np.arange(120) < 40, 39, 0))
