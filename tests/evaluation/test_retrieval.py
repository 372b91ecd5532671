import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare, hypergeom
from sklearn.metrics import top_k_accuracy_score

from cloome_kedro.evaluation import retrieval
from cloome_kedro.evaluation.draws import draw_queries, draw_seed, mean_by_compound
from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.methods import Embeddings, Method
from cloome_kedro.evaluation.ranks import match_ranks
from cloome_kedro.evaluation.retrieval import (
    Draws,
    both_ways,
    fold_fields,
    rank_method,
    retrieval_accuracies,
    sampled_ranks,
)
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND, RETRIEVAL_METRICS


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


@pytest.mark.parametrize("pairs", [1, 7, 50, 499, 10**9])
@pytest.mark.parametrize("size", [1, 2, 50, 200, 300])
def test_blocks_do_not_change_ranks(monkeypatch, pairs, size):
    queries, candidates = np.random.default_rng(0).integers(-2, 3, (2, 60, 3)).astype(float)  # with ties
    queries, match = np.concatenate([queries, queries[::-1]]), np.random.default_rng(1).integers(0, 60, 120)
    for ties in ("pessimistic", "expected", "random"):
        monkeypatch.undo()
        expected = sampled_ranks(queries, candidates, match, size, seed=3, ties=ties)
        monkeypatch.setattr(retrieval, "_PAIRS", pairs)
        monkeypatch.setattr(retrieval, "_FEW", 10)
        np.testing.assert_array_equal(sampled_ranks(queries, candidates, match, size, seed=3, ties=ties), expected)


def test_memory_does_not_grow_with_queries_times_candidates():
    """8 million pairs, of which each would need 24 bytes at once."""
    vectors = np.random.default_rng(0).standard_normal((2, 4000, 4))
    tracemalloc.start()
    try:
        sampled_ranks(*vectors, np.arange(4000), 2000, seed=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40e6


def test_a_pool_without_the_match_is_refused():
    with pytest.raises(ValueError, match="n_candidates is 0, must be at least 1"):
        sampled_ranks(*planted([1, 2], 5), 0, seed=0)


def test_a_space_has_queries_and_candidates_for_each_direction():
    fields, compounds = np.zeros((3, 2)), np.ones((3, 2))
    spaces = both_ways(fields, compounds)
    assert list(spaces) == [IMAGE_TO_COMPOUND, COMPOUND_TO_IMAGE]
    assert spaces[IMAGE_TO_COMPOUND] == (fields, compounds)
    assert spaces[COMPOUND_TO_IMAGE] == (compounds, fields)


def test_fields_of_a_fold():
    rows = [(f"s/p{j}/A{i + 1:02d}/0", f"p{j}", f"KEY{i:03d}") for i in range(3) for j in range(2)]
    fields = pd.DataFrame(rows, columns=["field_id", "plate", "inchikey"])
    examples = fields.assign(split="random", fold=["test"] * 2 + ["train"] * 2 + ["test"] * 2)
    found = fold_fields(examples.sample(frac=1, random_state=0), "test")
    pd.testing.assert_frame_equal(found, examples[examples["inchikey"] != "KEY001"].reset_index(drop=True))
    with pytest.raises(ValueError, match="examples: no compound of the validation fold has a field"):
        fold_fields(examples, "validation")


N, DRAWS = 120, Draws(candidates=50, number=3, seed=0)


@pytest.fixture(scope="module")
def fields():
    """Two fields each of 120 compounds, on six plates, sorted by compound and field."""
    return pd.DataFrame(
        {"field_id": f"f{i:03d}/{j}", "plate": f"p{(i + j) % 6}", "inchikey": f"k{i:03d}", "split": "random"}
        for i in range(N)
        for j in range(2)
    )


@pytest.fixture(scope="module")
def method(fields):
    """Vectors of fields are noisy copies of those of their compounds; no lengths are 1."""
    generator = np.random.default_rng(0)
    compounds = generator.standard_normal((N, 8))
    images = np.repeat(compounds, 2, axis=0) + generator.standard_normal((2 * N, 8))
    return Method(
        Embeddings(fields["field_id"].to_numpy(), images),
        Embeddings(fields["inchikey"].unique(), compounds),
        normalised=False,
    )


@pytest.fixture(scope="module")
def ranks(method, fields):
    return rank_method(method, fields, DRAWS)


def of(ranks, **setting):
    """Rows of a setting."""
    for column, value in setting.items():
        ranks = ranks[ranks[column] == value]
    return ranks


def dense_scores(method, drawn, direction):
    """All scores of drawn fields and their compounds, (queries, candidates)."""
    scores = method.fields.of(drawn["field_id"]) @ method.compounds.of(drawn["inchikey"]).T
    return scores if direction == IMAGE_TO_COMPOUND else scores.T


def dense_ranks(scores):
    """Rank of each query's match, where none ties: match i is candidate i."""
    return 1 + (scores > np.diag(scores)[:, None]).sum(axis=1)


def test_every_pool_and_direction_is_ranked(ranks):
    assert set(ranks["task"]) == {"retrieval"}
    assert ranks["excluded"].isna().all()
    counts = ranks.groupby(["shown_by", "pool"]).size().to_dict()
    assert counts == {
        ("field", "full"): 3 * 2 * N,
        ("field", "sampled"): 3 * 2 * N,
        ("field", "same plate"): 2 * N,
        ("mean", "full"): 2 * N,
        ("mean", "sampled"): 3 * 2 * N,
    }


@pytest.mark.parametrize("direction", [IMAGE_TO_COMPOUND, COMPOUND_TO_IMAGE])
def test_full_pool_accuracies_are_scikit_learns(method, fields, ranks, direction):
    for draw, drawn in enumerate(draw_queries(fields, 0, 3)):
        rows = of(ranks, shown_by="field", direction=direction, draw=draw, pool="full")
        scores = dense_scores(method, drawn, direction)
        for k in (1, 5, 10, 119):
            expected = top_k_accuracy_score(np.arange(N), scores, k=k)
            assert (rows["rank"] <= k).mean() == pytest.approx(expected, abs=1e-12)
        assert set(rows["candidates"]) == {N}
        names = (drawn["field_id"], drawn["inchikey"])
        query, match = names if direction == IMAGE_TO_COMPOUND else names[::-1]
        assert rows["query"].tolist() == query.tolist()
        assert rows["match"].tolist() == match.tolist()
        assert rows["compound"].tolist() == drawn["inchikey"].tolist()


def test_accuracies_in_the_fit_are_scikit_learns():
    images, noise = np.random.default_rng(0).standard_normal((2, 90, 4))
    compounds = images + noise
    found = retrieval_accuracies(images, compounds, (1, 5))
    scores = images @ compounds.T
    for k in (1, 5):
        by_image, by_compound = (top_k_accuracy_score(np.arange(90), s, k=k) for s in (scores, scores.T))
        assert found[f"top{k}_image_to_compound"] == pytest.approx(by_image)
        assert found[f"top{k}_compound_to_image"] == pytest.approx(by_compound)
        assert found[f"top{k}"] == pytest.approx((by_image + by_compound) / 2)
    assert set(retrieval_accuracies(images, compounds)) == set(RETRIEVAL_METRICS)


@pytest.mark.parametrize("direction", [IMAGE_TO_COMPOUND, COMPOUND_TO_IMAGE])
def test_candidates_of_the_same_plate_only(method, fields, ranks, direction):
    rows = of(ranks, direction=direction, pool="same plate")
    assert set(rows["draw"]) == {0}
    drawn = draw_queries(fields, 0)[0]
    scores = dense_scores(method, drawn, direction)
    plates = drawn["plate"].to_numpy()
    for i, (rank, size) in enumerate(zip(rows["rank"], rows["candidates"], strict=True)):
        others = plates == plates[i]
        assert size == others.sum()
        assert rank == 1 + (scores[i, others] > scores[i, i]).sum()


def test_sampled_pools_are_other_ones_in_every_draw(ranks):
    rows = of(ranks, direction=COMPOUND_TO_IMAGE, shown_by="field")
    rows = rows[rows["pool"] != "same plate"]
    by_pool = rows.pivot(index=["query", "draw"], columns="pool", values="rank")
    assert (by_pool["sampled"] <= by_pool["full"]).all()
    assert set(rows.query("pool == 'sampled'")["candidates"]) == {50}
    by_draw = by_pool["sampled"].unstack()
    assert all((by_draw[a] != by_draw[b]).any() for a, b in ((0, 1), (0, 2), (1, 2)))


def test_sampled_pools_are_those_of_the_draw_s_seed(method, fields, ranks):
    for draw, drawn in enumerate(draw_queries(fields, 0, 3)):
        vectors = method.fields.of(drawn["field_id"]), method.compounds.of(drawn["inchikey"])
        expected = sampled_ranks(*vectors, np.arange(N), 50, draw_seed(0, draw))
        rows = of(ranks, shown_by="field", direction=IMAGE_TO_COMPOUND, draw=draw, pool="sampled")
        np.testing.assert_array_equal(rows["rank"], expected)


def test_compounds_shown_by_their_mean(method, fields, ranks):
    _, means = mean_by_compound(method.fields.vectors, fields)
    full = of(ranks, shown_by="mean", pool="full", direction=IMAGE_TO_COMPOUND)
    assert set(full["draw"]) == {0}
    np.testing.assert_array_equal(full["rank"], dense_ranks(means @ method.compounds.vectors.T))
    assert (full["query"] == full["match"]).all()
    assert of(ranks, shown_by="mean", pool="sampled").groupby(["direction", "draw"]).size().eq(N).all()
    single = of(ranks, shown_by="field", pool="full", direction=IMAGE_TO_COMPOUND)
    assert full["rank"].mean() < single["rank"].mean(), "more of a compound's fields tell more"


def test_a_mean_is_normalised_again_where_vectors_are(method, fields):
    """Fields of a compound that differ have a short mean: as a candidate it would lose against the others."""
    unit = replace(method, fields=Embeddings(method.fields.keys, unit_rows(method.fields.vectors)))
    _, means = mean_by_compound(unit.fields.vectors, fields)
    found = {}
    for normalised, vectors in ((True, unit_rows(means)), (False, means)):
        ranks = rank_method(replace(unit, normalised=normalised), fields, DRAWS)
        found[normalised] = of(ranks, shown_by="mean", pool="full", direction=COMPOUND_TO_IMAGE)["rank"].to_numpy()
        np.testing.assert_array_equal(found[normalised], dense_ranks(method.compounds.vectors @ vectors.T))
    assert (found[True] != found[False]).any()


def test_vectors_that_are_not_normalised_are_ranked_by_their_dot_products(method, fields, ranks):
    unit = replace(method, fields=Embeddings(method.fields.keys, unit_rows(method.fields.vectors)), normalised=True)
    setting = {"shown_by": "field", "pool": "full"}
    as_given, by_cosine = of(ranks, **setting), of(rank_method(unit, fields, DRAWS), **setting)
    # The length of a query changes no rank, that of a candidate does.
    for direction, same in ((IMAGE_TO_COMPOUND, True), (COMPOUND_TO_IMAGE, False)):
        ours, theirs = (of(table, direction=direction)["rank"].to_numpy() for table in (as_given, by_cosine))
        assert (ours == theirs).all() == same


def without(method, fields=(), compounds=()):
    """The method, which does not know these fields and compounds."""
    known_fields = ~np.isin(method.fields.keys, list(fields))
    known_compounds = ~np.isin(method.compounds.keys, list(compounds))
    return replace(
        method,
        fields=Embeddings(method.fields.keys[known_fields], method.fields.vectors[known_fields]),
        compounds=Embeddings(method.compounds.keys[known_compounds], method.compounds.vectors[known_compounds]),
    )


@pytest.fixture(scope="module")
def partial(method, fields):
    """The method without the first field of every third compound, and without the compounds k001 and k004."""
    first = fields.loc[fields["field_id"].str.endswith("/0"), "field_id"]
    return without(method, first[::3], ["k001", "k004"])


def test_what_a_method_does_not_know_is_neither_query_nor_candidate(partial, fields):
    ranks = rank_method(partial, fields, DRAWS)
    for draw, drawn in enumerate(draw_queries(fields, 0, 3)):
        known = drawn[partial.fields.knows(drawn["field_id"]) & ~drawn["inchikey"].isin(["k001", "k004"])]
        assert len(known) < len(drawn) - 2
        for direction in (IMAGE_TO_COMPOUND, COMPOUND_TO_IMAGE):
            rows = of(ranks, shown_by="field", direction=direction, draw=draw, pool="full")
            assert rows["compound"].tolist() == known["inchikey"].tolist()
            assert set(rows["candidates"]) == {len(known)}
            np.testing.assert_array_equal(rows["rank"], dense_ranks(dense_scores(partial, known, direction)))
    few = of(rank_method(partial, fields, Draws(1000, 1, 0)), shown_by="field", direction=IMAGE_TO_COMPOUND, draw=0)
    full, sampled = of(few, pool="full"), of(few, pool="sampled")
    assert (sampled["candidates"] == len(full)).all()
    np.testing.assert_array_equal(full["rank"], sampled["rank"])


def test_a_mean_is_of_the_fields_that_the_method_knows(partial, fields):
    rows = of(rank_method(partial, fields, DRAWS), shown_by="mean", pool="full", direction=IMAGE_TO_COMPOUND)
    # Every compound but the two has a field that is known: a compound without its first field is shown by its second.
    assert rows["compound"].tolist() == [key for key in fields["inchikey"].unique() if key not in ("k001", "k004")]
    images = pd.DataFrame(partial.fields.vectors, [key.split("/")[0].replace("f", "k") for key in partial.fields.keys])
    means = images.groupby(level=0).mean().loc[rows["compound"]].to_numpy()
    np.testing.assert_array_equal(rows["rank"], dense_ranks(means @ partial.compounds.of(rows["compound"]).T))


def test_draws_are_the_same_for_all_methods(method, partial, fields, ranks):
    """So that differences of methods are paired: a query of one method is a query of all that know it."""
    keys = ["direction", "pool", "shown_by", "draw", "query", "match"]
    whole, part = (pd.MultiIndex.from_frame(table[keys]) for table in (ranks, rank_method(partial, fields, DRAWS)))
    assert part.isin(whole).all()
    assert len(part) < len(whole)
    left_out = whole[~whole.isin(part)].to_frame(index=False)
    images = left_out[left_out["shown_by"] == "field"]
    image = np.where(images["direction"] == IMAGE_TO_COMPOUND, images["query"], images["match"])
    compound = np.where(images["direction"] == IMAGE_TO_COMPOUND, images["match"], images["query"])
    assert not (partial.fields.knows(image) & partial.compounds.knows(compound)).any()
    other = Method(
        Embeddings(method.fields.keys, np.ones((2 * N, 1))), Embeddings(method.compounds.keys, np.ones((N, 1)))
    )
    pd.testing.assert_frame_equal(rank_method(other, fields, DRAWS)[keys], ranks[keys])


def test_the_order_of_a_method_s_rows_does_not_matter(method, fields, ranks):
    order, turn = np.random.default_rng(1).permutation(2 * N), np.random.default_rng(2).permutation(N)
    mixed = replace(
        method,
        fields=Embeddings(method.fields.keys[order], method.fields.vectors[order]),
        compounds=Embeddings(method.compounds.keys[turn], method.compounds.vectors[turn]),
    )
    pd.testing.assert_frame_equal(rank_method(mixed, fields, DRAWS), ranks)


def test_a_method_that_knows_nothing_that_was_drawn_is_refused(method, fields):
    for nothing in (without(method, fields["field_id"]), without(method, compounds=fields["inchikey"])):
        with pytest.raises(ValueError, match="random split: the method knows none of the fields of a draw"):
            rank_method(nothing, fields, DRAWS)


def test_hand_made_ties_land_on_their_bounds(method, fields):
    """Forty compounds have one vector: the match's rank is the worst or the best of its forty."""
    vectors = method.compounds.vectors
    alike = np.where(np.arange(N)[:, None] < 40, vectors[0], vectors)
    tied = replace(method, compounds=Embeddings(method.compounds.keys, alike))
    worst, best = (rank_method(replace(tied, ties=ties), fields, DRAWS) for ties in ("pessimistic", "optimistic"))
    setting = {"direction": IMAGE_TO_COMPOUND, "pool": "full", "draw": 0}
    for shown_by in ("field", "mean"):
        spread = of(worst, **setting, shown_by=shown_by)["rank"] - of(best, **setting, shown_by=shown_by)["rank"]
        np.testing.assert_array_equal(spread, np.where(np.arange(N) < 40, 39, 0))
