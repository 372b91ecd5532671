import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloome_kedro import schemas
from cloome_kedro.evaluation.rank_metrics import RANK_METRICS, chance_top_k, rank_metric, rank_metrics
from cloome_kedro.evaluation.summary import Summary, compare_ranks, summarise_ranks
from registries import restored

sizes_of_pools = st.lists(st.integers(1, 8), min_size=1, max_size=12).map(np.array)


def all_ranks(candidates):
    """All ranks that a query can have, those of each pool equally often: 840 is a multiple of all sizes up to 8."""
    return np.concatenate([np.repeat(np.arange(1, size + 1), 840 // size) for size in candidates])


@given(sizes_of_pools)
def test_chance_of_the_mean_rank_is_that_of_all_ranks(candidates):
    assert RANK_METRICS["mean rank"].chance(candidates) == pytest.approx(all_ranks(candidates).mean())


@given(sizes_of_pools)
def test_chance_of_the_median_rank_is_that_of_all_ranks(candidates):
    assert RANK_METRICS["median rank"].chance(candidates) == np.median(all_ranks(candidates))


@given(sizes_of_pools, st.integers(1, 10))
def test_chance_of_top_k_is_that_of_all_ranks(candidates, k):
    assert chance_top_k(candidates, k) == pytest.approx((all_ranks(candidates) <= k).mean())
    assert rank_metrics([k])[0].chance(candidates) == chance_top_k(candidates, k)


@pytest.mark.parametrize("size", [1, 2, 100, 101])
def test_chance_in_pools_of_one_size_is_a_closed_form(size):
    candidates = np.full(7, size)
    for name in ("mean rank", "median rank"):
        assert RANK_METRICS[name].chance(candidates) == (size + 1) / 2
    assert chance_top_k(candidates, 1) == 1 / size


def test_values_are_means_and_medians_of_queries():
    rank, candidates = np.array([1, 1, 2, 7, 30]), np.full(5, 30)
    values = {metric.name: metric.value(rank, candidates) for metric in rank_metrics([1, 10])}
    assert values == {"top-1": 0.4, "top-10": 0.8, "mean rank": 41 / 5, "median rank": 2}
    assert all(isinstance(value, float) for value in values.values())
    assert [metric.proportion for metric in rank_metrics([1, 10])] == [True, True, False, False]


def table_of_ranks(rank, candidates, **settings):
    """Table ``ranks`` with one query for each compound."""
    n = len(rank)
    keys = ["".join(chr(65 + int(digit)) for digit in f"{i:014d}") + "-ABCDEFGHIJ-N" for i in range(n)]
    setting = {"split": "random", "task": "retrieval", "method": "CLOOME", "images": "clean", "direction": None}
    table = pd.DataFrame({"query": keys, "match": keys, "compound": keys, "rank": rank, "candidates": candidates})
    columns = {**setting, "pool": "full", "shown_by": "field", "excluded": None, "draw": 0, **settings}
    return schemas.ranks.validate(table.assign(**columns))


@pytest.fixture
def registered():
    """Two metrics of a user's own, which are removed again afterwards: of a mean and of a median."""
    with restored(RANK_METRICS):

        @rank_metric("reciprocal rank", chance=lambda sizes: np.mean([(1 / np.arange(1, n + 1)).mean() for n in sizes]))
        def reciprocal(rank, candidates):
            return 1 / rank

        @rank_metric("median share", chance=lambda sizes: 0.5, summary="median")
        def share(rank, candidates):
            return rank / candidates

        yield reciprocal, share
    assert "reciprocal rank" not in RANK_METRICS


def test_a_registered_metric_shows_up_in_summaries(registered):
    rng = np.random.default_rng(0)
    candidates = np.repeat([5, 20], 20)
    draws = [rng.integers(1, candidates, endpoint=True) for _ in range(3)]
    ranks = pd.concat([table_of_ranks(rank, candidates, draw=draw) for draw, rank in enumerate(draws)])
    metrics = schemas.metrics.validate(summarise_ranks(ranks, Summary((1,))).assign(split_hash="0" * 16))
    assert metrics["metric"].unique().tolist() == [
        *("top-1", "mean rank", "median rank"),
        *("reciprocal rank", "median share"),
    ]
    rows = metrics.set_index(["method", "draws", "metric"])
    mean, median = (rows.xs(name, level="metric") for name in ("reciprocal rank", "median share"))
    assert mean.loc[("CLOOME", 1), "value"] == pytest.approx((1 / draws[0]).mean())
    assert mean.loc[("CLOOME", 3), "value"] == pytest.approx(np.mean([(1 / rank).mean() for rank in draws]))
    assert mean.loc[("CLOOME", 3), "interval"] == "bootstrap"
    assert mean.loc[("CLOOME", 3), "low"] < mean.loc[("CLOOME", 3), "value"] < mean.loc[("CLOOME", 3), "high"]
    assert mean.loc[("CLOOME", 1), "interval"] == "none", "it is no proportion, so it has no exact interval"
    by_draw = [np.median(rank / candidates) for rank in draws]
    assert median.loc[("CLOOME", 1), "value"] == by_draw[0]
    assert median.loc[("CLOOME", 3), "value"] == pytest.approx(np.mean(by_draw))
    assert median.loc[("CLOOME", 3), "spread"] == pytest.approx(np.std(by_draw, ddof=1))
    assert median.loc[("CLOOME", 3), "interval"] == "none"
    harmonic = [sum(1 / r for r in range(1, n + 1)) / n for n in (5, 20)]
    for draws_of_row in (1, 3):
        assert mean.loc[("Random", draws_of_row), "value"] == pytest.approx(np.mean(harmonic))
        assert mean.loc[("CLOOME", draws_of_row), "chance"] == pytest.approx(np.mean(harmonic))
    assert (median.loc["Random", "value"] == 0.5).all()


def test_differences_are_of_top_k_alone(registered):
    ours, theirs = table_of_ranks([1, 2, 9], 10), table_of_ranks([5, 5, 5], 10, method="Profiles")
    found = compare_ranks(ours, theirs, "method Profiles", Summary((1, 5)))
    assert found["metric"].tolist() == ["top-1", "top-5"]


def test_the_decorator_gives_the_function_back(registered):
    reciprocal, _ = registered
    assert reciprocal(np.array([4]), np.array([9])) == 0.25
    assert [metric.name for metric in rank_metrics([])][-2:] == ["reciprocal rank", "median share"]


def test_without_registered_ones_there_are_the_built_in_metrics():
    assert list(RANK_METRICS) == ["mean rank", "median rank"]
    metrics = summarise_ranks(table_of_ranks([1, 2], 3), Summary((1,)))
    assert metrics["metric"].unique().tolist() == ["top-1", "mean rank", "median rank"]


def test_a_name_of_another_module_is_refused():
    with pytest.raises(ValueError, match=r"metric of ranks mean rank of .* is already defined in cloome_kedro"):
        rank_metric("mean rank", chance=np.mean)(lambda rank, candidates: rank)
