import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from cloome_kedro import schemas
from cloome_kedro.evaluation.bootstrap import clustered_mean_interval, paired_difference
from cloome_kedro.evaluation.rank_metrics import chance_top_k
from cloome_kedro.evaluation.ranks import top_k
from cloome_kedro.evaluation.summary import SETTING, Summary, compare_ranks, summarise_ranks
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND

TASK = {
    "split": "random",
    "task": "retrieval",
    "method": "CLOOME",
    "images": "clean",
    "direction": IMAGE_TO_COMPOUND,
    "pool": "sampled",
    "shown_by": "field",
    "excluded": None,
    "draw": 0,
    "candidates": 40,
}
KEYS = ["".join(chr(65 + int(digit)) for digit in f"{i:014d}") + "-ABCDEFGHIJ-N" for i in range(60)]


def ranks_of(rank, **settings):
    """Table ``ranks`` with one query for each of the first compounds."""
    n = len(rank)
    table = pd.DataFrame({**TASK, "query": [f"f{i}" for i in range(n)], "match": KEYS[:n], "compound": KEYS[:n]})
    return schemas.ranks.validate(table.assign(rank=rank, **settings))


def checked(metrics):
    return schemas.metrics.validate(metrics.assign(split_hash="0" * 16))


def test_one_draw_has_exact_intervals_and_chance():
    rank = [1, 1, 3, 6, 20, 40]
    ranks = pd.concat([ranks_of(rank), ranks_of([1] * 6, method="Oracle (phenotype)")])
    metrics = checked(summarise_ranks(ranks, Summary([1, 5, 50], 0.9)))
    rows = metrics.set_index(["method", "metric"])
    assert len(rows) == 3 * 5
    assert (rows["n"] == 6).all()
    assert (rows["compounds"] == 6).all()
    assert (rows["draws"] == 1).all()
    top1 = rows.loc[("CLOOME", "top-1")]
    assert (top1["value"], top1["successes"], top1["chance"], top1["interval"]) == (2 / 6, 2, 1 / 40, "exact")
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
    assert rows.loc["Random", ["successes", "low", "high", "spread"]].isna().all(axis=None)
    assert set(rows.loc["Random", "interval"]) == {"none"}


def test_many_draws_are_averaged_and_their_spread_told():
    rng = np.random.default_rng(0)
    draws = [rng.integers(1, 41, 60) for _ in range(4)]
    ranks = pd.concat(ranks_of(rank, draw=draw) for draw, rank in enumerate(draws))
    metrics = checked(summarise_ranks(ranks.sample(frac=1, random_state=0), Summary([1, 10], seed=3)))
    ours = metrics[metrics["method"] == "CLOOME"].set_index(["draws", "metric"])
    assert set(metrics["draws"]) == {1, 4}
    hits = np.array([(rank <= 10).mean() for rank in draws])
    assert ours.loc[(1, "top-10"), "value"] == hits[0]
    mean = ours.loc[(4, "top-10")]
    assert (mean["value"], mean["spread"]) == pytest.approx((hits.mean(), hits.std(ddof=1)))
    assert (mean["n"], mean["compounds"], mean["interval"]) == (60, 60, "bootstrap")
    assert pd.isna(mean["successes"])
    by_compound = np.mean([rank <= 10 for rank in draws], axis=0)
    low, high = clustered_mean_interval(by_compound, np.arange(60), seed=3)
    assert mean["low"] < mean["value"] < mean["high"]
    assert mean["high"] - mean["low"] == pytest.approx(high - low, rel=0.2)
    assert ours.loc[(4, "mean rank"), "value"] == pytest.approx(np.mean(draws))
    assert ours.loc[(4, "median rank"), "value"] == pytest.approx(np.mean([np.median(rank) for rank in draws]))
    assert metrics.query("method == 'Random' and metric == 'top-10'")["value"].tolist() == [0.25, 0.25]


def test_a_draw_with_fewer_queries_counts_as_much():
    ranks = pd.concat([ranks_of([1] * 10), ranks_of([9] * 40, draw=1)])
    metrics = summarise_ranks(ranks, Summary([1]))
    assert metrics.query("method == 'CLOOME' and draws == 2 and metric == 'top-1'")["value"].item() == 0.5


def test_settings_are_kept_apart_and_chance_stands_once_for_each():
    frames = [
        ranks_of([1, 2, 3], method=method, images=images, direction=direction, excluded=excluded)
        for method in ("CLOOME", "Bilinear")
        for images in ("clean", "flips")
        for direction in (None, COMPOUND_TO_IMAGE)
        for excluded in (None, "none", "well")
    ]
    metrics = checked(summarise_ranks(pd.concat(frames), Summary([1])))
    top1 = metrics[metrics["metric"] == "top-1"]
    assert len(top1) == 3 * 2 * 2 * 3
    assert not top1.duplicated([*SETTING]).any()
    assert (top1["n"] == 3).all()
    assert top1.query("method == 'Random'")["value"].eq(1 / 40).all()


def test_chance_of_pools_of_many_sizes_is_that_of_a_simulation():
    sizes = np.repeat([2, 3, 7, 30], 15)
    metrics = summarise_ranks(ranks_of(np.ones(60), candidates=sizes), Summary([1, 5]))
    chance = metrics[metrics["method"] == "Random"].set_index("metric")["value"]
    random = np.random.default_rng(0).integers(1, sizes, (40_000, 60), endpoint=True)
    assert chance["top-1"] == pytest.approx((random <= 1).mean(), abs=0.002)
    assert chance["top-5"] == pytest.approx((random <= 5).mean(), abs=0.002)
    assert chance["top-5"] == chance_top_k(sizes, 5) == pytest.approx((1 + 1 + 5 / 7 + 5 / 30) / 4)
    assert chance["mean rank"] == pytest.approx(random.mean(), abs=0.05)
    assert chance["median rank"] == np.median(random)
    assert metrics["candidates"].eq(sizes.mean()).all()


def test_differences_are_paired_by_draw_and_query():
    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(1, 12, (2, 3, 60))
    a = pd.concat(ranks_of(rank, draw=draw, images="flips") for draw, rank in enumerate(ours))
    b = pd.concat(ranks_of(rank, draw=draw) for draw, rank in enumerate(theirs))
    table = compare_ranks(a, b.sample(frac=1, random_state=1), "clean", Summary([1, 5], seed=2))
    schemas.differences.validate(table.assign(split_hash="0" * 16))
    assert table["metric"].tolist() == ["top-1", "top-5"]
    assert set(table["images"]) == {"flips"}
    assert set(table["against"]) == {"clean"}
    for k, row in zip((1, 5), table.to_dict("records"), strict=True):
        expected = paired_difference(
            (ours <= k).ravel().astype(float), (theirs <= k).ravel(), np.tile(np.arange(60), 3), seed=2
        )
        assert row["difference"] == pytest.approx(expected[0])
        assert row["difference"] == pytest.approx((ours <= k).mean() - (theirs <= k).mean())
        assert (row["low"], row["high"]) == pytest.approx(expected[1:])
        assert (row["n"], row["compounds"]) == (60, 60)


def test_only_queries_that_both_have_are_compared():
    table = compare_ranks(ranks_of([1, 1, 1, 1]), ranks_of([1, 9], method="Bilinear"), "Bilinear", Summary([1]))
    assert table["difference"].item() == 0.5
    assert table["n"].item() == 2
    assert compare_ranks(ranks_of([1]).iloc[:0], ranks_of([1]), "itself", Summary([1])).empty


def test_settings_that_both_have_are_paired_with_their_like():
    clean = pd.concat([ranks_of([1, 1], direction=IMAGE_TO_COMPOUND), ranks_of([5, 5], direction=COMPOUND_TO_IMAGE)])
    turned = pd.concat([clean.assign(images="flips"), clean.assign(images="rotation", rank=5)])
    table = compare_ranks(turned, clean, "clean", Summary([1])).set_index(["images", "direction"])["difference"]
    assert table.to_dict() == {
        ("flips", IMAGE_TO_COMPOUND): 0,
        ("flips", COMPOUND_TO_IMAGE): 0,
        ("rotation", IMAGE_TO_COMPOUND): -1,
        ("rotation", COMPOUND_TO_IMAGE): 0,
    }


def test_a_baseline_of_several_settings_is_refused():
    two = pd.concat([ranks_of([1, 1], method="A"), ranks_of([1, 1], method="B")])
    with pytest.raises(ValueError, match=r"the baseline has several rows of .*narrow it"):
        compare_ranks(ranks_of([1, 1]), two, "A and B", Summary([1]))
    other = ranks_of([1, 1], method="A")
    with pytest.raises(ValueError, match="different compounds"):
        compare_ranks(ranks_of([1, 1]), other.assign(compound=KEYS[5]), "A", Summary([1]))


def test_no_ranks_give_no_rows():
    checked(summarise_ranks(ranks_of([1]).iloc[:0], Summary([1])))
