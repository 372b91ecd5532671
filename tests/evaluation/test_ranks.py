import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import top_k_accuracy_score

from cloome_kedro.evaluation import pair_scores as pair_module
from cloome_kedro.evaluation import ranks as module
from cloome_kedro.evaluation.pair_scores import pair_scores
from cloome_kedro.evaluation.ranks import Pools, match_ranks, top_k


def unit_vectors(n, size, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((n, size)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def dense_ranks(queries, candidates, match):
    """Pessimistic ranks from the whole float64 score matrix."""
    scores = queries.astype(np.float64) @ candidates.astype(np.float64).T
    return (scores >= scores[np.arange(len(queries)), match][:, None]).sum(axis=1)


def test_blockwise_equals_dense():
    n = 3000
    candidates = unit_vectors(n, 64)
    match = np.random.default_rng(1).permutation(n)
    queries = candidates[match] + 0.3 * unit_vectors(n, 64, seed=2)
    np.testing.assert_array_equal(match_ranks(queries, candidates, match), dense_ranks(queries, candidates, match))


def test_accuracy_is_that_of_scikit_learn():
    queries, candidates = unit_vectors(400, 16), unit_vectors(150, 16, seed=1)
    match = np.random.default_rng(2).integers(0, 150, 400)
    queries += candidates[match]
    ranks = match_ranks(queries, candidates, match)
    for k in (1, 5, 10):
        expected = top_k_accuracy_score(match, queries @ candidates.T, k=k, labels=np.arange(150))
        assert top_k(ranks, k) == pytest.approx(expected)


def test_hand_made_ties_land_on_their_bounds():
    queries = np.array([[1.0, 0.0]])
    candidates = np.array([[1.0, 0.0], [0.5, 0.3], [0.5, -0.7], [0.5, 0.0], [0.1, 9.0]])  # one above, two others tie
    for ties, rank in (("pessimistic", 4), ("optimistic", 2), ("expected", 3.0)):
        assert match_ranks(queries, candidates, [2], ties=ties) == [rank]
    drawn = match_ranks(np.repeat(queries, 600, axis=0), candidates, np.full(600, 2), ties="random", seed=3)
    assert set(drawn) == {2, 3, 4}
    assert drawn.mean() == pytest.approx(3, abs=0.15)  # sd of the mean 0.033
    again = match_ranks(np.repeat(queries, 600, axis=0), candidates, np.full(600, 2), ties="random", seed=3)
    np.testing.assert_array_equal(drawn, again)
    with pytest.raises(ValueError, match="'worst' must be pessimistic, optimistic, expected or random"):
        match_ranks(queries, candidates, [2], ties="worst")


def test_collapsed_embeddings_are_the_worst_or_the_best():
    vectors = np.repeat(unit_vectors(1, 33), 700, axis=0)
    match = np.arange(700)
    assert (match_ranks(vectors, vectors, match) == 700).all()
    assert (match_ranks(vectors, vectors, match, ties="optimistic") == 1).all()
    assert (match_ranks(vectors, vectors, match, ties="expected") == 350.5).all()


def exact_ranks(queries, candidates, match):
    """Pessimistic ranks from all scores, each summed on its own."""
    rows, columns = np.divmod(np.arange(len(queries) * len(candidates)), len(candidates))
    scores = pair_scores(queries, candidates, rows, columns).reshape(len(queries), len(candidates))
    return (scores >= scores[np.arange(len(queries)), match][:, None]).sum(axis=1)


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nearly_collapsed_embeddings_are_ranked_exactly_with_few_single_products(noise, dtype, monkeypatch):
    centre = unit_vectors(1, 40).astype(dtype)
    candidates = (centre + noise * unit_vectors(300, 40, seed=1).astype(dtype)).astype(dtype)
    candidates = np.concatenate([candidates, candidates[:50]])
    queries = (centre + noise * unit_vectors(200, 40, seed=2).astype(dtype)).astype(dtype)
    match = np.random.default_rng(3).integers(0, 350, 200)
    expected = exact_ranks(queries, candidates, match)
    summed, plain = [], module.pair_scores
    monkeypatch.setattr(module, "_CANDIDATE_BLOCK", 128)
    monkeypatch.setattr(module, "pair_scores", lambda *pairs: summed.append(len(pairs[2])) or plain(*pairs))
    np.testing.assert_array_equal(match_ranks(queries, candidates, match), expected)
    assert sum(summed) < 0.1 * 200 * 350


def test_equal_vectors_tie_across_blocks(monkeypatch):
    """Copies of the match lie in other blocks, where BLAS may sum in another order."""
    monkeypatch.setattr(module, "_QUERY_BLOCK", 7)
    monkeypatch.setattr(module, "_CANDIDATE_BLOCK", 13)
    monkeypatch.setattr(pair_module, "_PAIR_VALUES", 333)
    distinct = unit_vectors(50, 37)
    candidates = np.concatenate([distinct, distinct, distinct])
    match = np.random.default_rng(1).integers(0, 150, 80)
    queries = unit_vectors(80, 37, seed=2)
    expected = dense_ranks(queries, distinct, match % 50)
    np.testing.assert_array_equal(match_ranks(queries, candidates, match), 3 * expected)
    np.testing.assert_array_equal(match_ranks(queries, candidates, match, ties="optimistic"), 3 * expected - 2)


def test_differences_below_float32_are_decided():
    direction = np.array([1.0, 0.0, 0.0])
    candidates = np.stack([direction * (1 + step * 1e-12) for step in range(20)])
    ranks = match_ranks(np.repeat(direction[None], 20, axis=0), candidates, np.arange(20))
    np.testing.assert_array_equal(ranks, np.arange(20, 0, -1))


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e6, 1e18])
def test_scale_does_not_matter(scale):
    queries, candidates = unit_vectors(60, 8).astype(np.float64), unit_vectors(200, 8, seed=1).astype(np.float64)
    match = np.arange(60)
    expected = dense_ranks(queries, candidates, match)
    np.testing.assert_array_equal(match_ranks(queries * scale, candidates * scale, match), expected)


@settings(max_examples=60)
@given(
    vectors=arrays(
        np.float32, st.tuples(st.integers(1, 40), st.just(5)), elements=st.sampled_from([-1, 0, 0.1, 0.3, 1])
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_order_of_candidates_and_queries_does_not_matter(vectors, seed):
    generator = np.random.default_rng(seed)
    queries = generator.choice(vectors, len(vectors))
    match = generator.integers(0, len(vectors), len(vectors))
    ranks = match_ranks(queries, vectors, match)
    order, turn = generator.permutation(len(vectors)), generator.permutation(len(vectors))
    np.testing.assert_array_equal(
        match_ranks(queries[turn], vectors[order], np.argsort(order)[match][turn]), ranks[turn]
    )


@settings(max_examples=60)
@given(
    vectors=arrays(
        np.float64, st.tuples(st.integers(1, 30), st.just(4)), elements=st.sampled_from([-2, -1, 0, 0.5, 1])
    ),
)
def test_every_tie_rule_is_the_count_it_claims(vectors):
    match = np.arange(len(vectors))
    scores = vectors @ vectors.T  # exact in these numbers
    above = (scores > np.diag(scores)[:, None]).sum(axis=1)
    tied = (scores == np.diag(scores)[:, None]).sum(axis=1) - 1
    np.testing.assert_array_equal(match_ranks(vectors, vectors, match), 1 + above + tied)
    np.testing.assert_array_equal(match_ranks(vectors, vectors, match, ties="optimistic"), 1 + above)
    np.testing.assert_array_equal(match_ranks(vectors, vectors, match, ties="expected"), 1 + above + tied / 2)


def draw_pools(n_queries, n_candidates, match, generator, n_pools=5):
    """Pools at random that hold the matches of their queries."""
    of_query = generator.integers(0, n_pools, n_queries)
    members = generator.random((n_pools, n_candidates)) < 0.5
    members[of_query, match] = True
    return Pools(of_query, members)


@settings(max_examples=60)
@given(
    vectors=arrays(
        np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.sampled_from([-2, -1, 0, 0.5, 1])
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_within_pools_every_tie_rule_is_the_count_it_claims(vectors, seed):
    generator = np.random.default_rng(seed)
    n, m = generator.integers(1, 60), len(vectors)
    queries, match = generator.choice(vectors, n), generator.integers(0, m, n)
    pools = draw_pools(n, m, match, generator)
    scores = queries @ vectors.T  # exact in these numbers
    own, inside = scores[np.arange(n), match][:, None], pools.members[pools.of_query]
    above, tied = ((scores > own) & inside).sum(axis=1), ((scores == own) & inside).sum(axis=1) - 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_QUERY_BLOCK", 16)
        patch.setattr(module, "_CANDIDATE_BLOCK", 8)
        for ties, expected in (("pessimistic", above + tied), ("optimistic", above), ("expected", above + tied / 2)):
            np.testing.assert_array_equal(
                match_ranks(queries, vectors, match, ties=ties, allowed=pools), 1 + expected, ties
            )


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-7, 1e-5, 1e-2])
def test_pools_hold_in_collapsed_embeddings_too(noise, monkeypatch):
    monkeypatch.setattr(module, "_CANDIDATE_BLOCK", 128)
    centre = unit_vectors(1, 40)
    candidates, queries = centre + noise * unit_vectors(300, 40, seed=1), centre + noise * unit_vectors(200, 40, seed=2)
    generator = np.random.default_rng(3)
    match = generator.integers(0, 300, 200)
    pools = draw_pools(200, 300, match, generator)
    alone = [
        match_ranks(queries[[i]], candidates[inside], [np.count_nonzero(inside[: match[i]])])[0]
        for i, inside in enumerate(pools.members[pools.of_query])
    ]
    np.testing.assert_array_equal(match_ranks(queries, candidates, match, allowed=pools), alone)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_few_distinct_vectors_are_scored_once(dtype, monkeypatch):
    """One vector per plate: nearly all candidates tie, although their vectors differ."""
    plates = np.eye(12, dtype=dtype)
    plates[10:] = unit_vectors(2, 12).astype(dtype)
    generator = np.random.default_rng(0)
    of_query, of_candidate = generator.integers(0, 12, 400), generator.integers(0, 12, 700)
    match = generator.integers(0, 700, 400)
    pools = draw_pools(400, 700, match, generator)
    queries, candidates = plates[of_query], plates[of_candidate]
    rows, columns = np.divmod(np.arange(400 * 700), 700)
    scores = pair_scores(queries, candidates, rows, columns).reshape(400, 700)
    own, inside = scores[np.arange(400), match][:, None], pools.members[pools.of_query]
    above, tied = ((scores > own) & inside).sum(axis=1), ((scores == own) & inside).sum(axis=1) - 1
    assert tied.mean() > 100
    summed, plain = [], pair_module.pair_scores
    monkeypatch.setattr(module, "_QUERY_BLOCK", 64)
    monkeypatch.setattr(module, "_CANDIDATE_BLOCK", 128)
    for place in (module, pair_module):
        monkeypatch.setattr(place, "pair_scores", lambda *pairs: summed.append(len(pairs[2])) or plain(*pairs))
    for ties, expected in (("pessimistic", above + tied), ("optimistic", above)):
        np.testing.assert_array_equal(match_ranks(queries, candidates, match, ties=ties, allowed=pools), 1 + expected)
    assert sum(summed) < 0.02 * 2 * 400 * 700


def test_blockwise_equals_dense_within_pools():
    n = 3000
    candidates = unit_vectors(n, 64)
    generator = np.random.default_rng(1)
    match = generator.permutation(n)
    queries = candidates[match] + 0.3 * unit_vectors(n, 64, seed=2)
    pools = draw_pools(n, n, match, generator, n_pools=40)
    scores = queries.astype(np.float64) @ candidates.astype(np.float64).T
    dense = ((scores >= scores[np.arange(n), match][:, None]) & pools.members[pools.of_query]).sum(axis=1)
    np.testing.assert_array_equal(match_ranks(queries, candidates, match, allowed=pools), dense)
    everyone = Pools(np.zeros(n, int), np.ones((1, n), bool))
    np.testing.assert_array_equal(
        match_ranks(queries, candidates, match, allowed=everyone), match_ranks(queries, candidates, match)
    )


def test_pools_that_do_not_fit_are_refused():
    vectors = unit_vectors(4, 3)

    def rank(of_query, members):
        return match_ranks(vectors, vectors, np.arange(4), allowed=Pools(np.asarray(of_query), np.asarray(members)))

    with pytest.raises(ValueError, match="match of query 2 is not in the query's pool"):
        rank([0, 0, 1, 0], [[True] * 4, [True, True, False, True]])
    with pytest.raises(ValueError, match="query 3 has pool 1, but there are 1 pools"):
        rank([0, 0, 0, 1], [[True] * 4])
    with pytest.raises(ValueError, match=r"members must be bool \(pools, 4\), not bool \(1, 3\)"):
        rank([0] * 4, [[True] * 3])
    with pytest.raises(ValueError, match="of_query must be 4 integers"):
        rank([0.0] * 4, [[True] * 4])


def test_bad_input_is_named():
    vectors = unit_vectors(5, 4)
    with pytest.raises(ValueError, match=r"queries \(5, 4\) and candidates \(5, 3\)"):
        match_ranks(vectors, vectors[:, :3], np.arange(5))
    with pytest.raises(ValueError, match="match of query 4 is 5, but there are 5 candidates"):
        match_ranks(vectors, vectors, [0, 1, 2, 3, 5])
    with pytest.raises(ValueError, match="match must be 5 integers"):
        match_ranks(vectors, vectors, np.arange(5.0))
    spoiled = vectors.copy()
    spoiled[3, 2] = np.nan
    with pytest.raises(ValueError, match="candidates: row 3 is not finite"):
        match_ranks(vectors, spoiled, np.arange(5))
    with pytest.raises(ValueError, match="scale them"):
        match_ranks(vectors * 1e25, vectors * 1e25, np.arange(5))
    with pytest.raises(ValueError, match="non-empty"):
        top_k([], [1])


def test_top_k_keeps_the_shape_of_ks():
    ranks = [1, 2, 2, 7]
    np.testing.assert_array_equal(top_k(ranks, [1, 2, 5, 10]), [0.25, 0.75, 0.75, 1.0])
    assert top_k(ranks, 2) == 0.75
