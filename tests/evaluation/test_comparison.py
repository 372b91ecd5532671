import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.evaluation.comparison import (
    BOTH,
    ComparisonSettings,
    compare_methods,
    hits_by_compound,
    pairs_to_compare,
)
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND

REFERENCE = ComparisonSettings("Bilinear", top_k=(1,), resamples=400)


def made_ranks(chances, seeds=3, compounds=200, draws=4, split="random", generator_seed=0):
    """Ranks among ten candidates: the match is first with the method's chance, otherwise second."""
    rng = np.random.default_rng(generator_seed)
    tables = []
    for method, chance in chances.items():
        for seed in range(seeds):
            for direction in (IMAGE_TO_COMPOUND, COMPOUND_TO_IMAGE):
                names = np.repeat([f"{split}{i}" for i in range(compounds)], draws)
                ranks = np.where(rng.random(len(names)) < chance, 1, 2)
                columns = {"method": method, "seed": seed, "direction": direction, "split": split, "candidates": 10}
                tables.append(pd.DataFrame({"compound": names, "rank": ranks}).assign(**columns))
    return pd.concat(tables, ignore_index=True)


def test_values_are_means_over_seeds_compounds_and_draws():
    ranks = made_ranks({"CLOOME": 0.4, "Bilinear": 0.2})
    found = compare_methods(hits_by_compound(ranks, [1]), REFERENCE).set_index(["method", "direction"])
    for (method, direction), rows in ranks.groupby(["method", "direction"]):
        assert found.loc[(method, direction), "value"] == pytest.approx((rows["rank"] == 1).mean())
    cloome = found.loc[("CLOOME", BOTH)]
    by_seed = ranks[ranks["method"] == "CLOOME"].groupby("seed")["rank"].apply(lambda rank: (rank == 1).mean())
    assert cloome["value"] == pytest.approx(by_seed.mean())
    assert cloome["spread"] == pytest.approx(by_seed.std())
    assert (cloome["seeds"], cloome["compounds"], cloome["candidates"], cloome["chance"]) == (3, 200, 10, 0.1)
    assert cloome["difference"] == pytest.approx(cloome["value"] - found.loc[("Bilinear", BOTH), "value"])
    assert cloome["low"] < cloome["value"] < cloome["high"]
    assert cloome["difference_low"] < cloome["difference"] < cloome["difference_high"]
    assert found.loc[("Bilinear", BOTH), ["against", "difference", "verdict"]].isna().all()


@pytest.mark.parametrize(("chance", "expected"), [(0.4, "above"), (0.2, "no different"), (0.05, "below")])
def test_the_verdict_says_on_which_side_of_zero_the_interval_is(chance, expected):
    found = compare_methods(hits_by_compound(made_ranks({"CLOOME": chance, "Bilinear": 0.2}), [1]), REFERENCE)
    assert set(found.loc[found["method"] == "CLOOME", "verdict"]) == {expected}


def test_without_variation_over_seeds_the_interval_is_the_bootstrap_over_compounds():
    """The width against the normal approximation of the standard error of a mean over compounds."""
    one_seed = hits_by_compound(made_ranks({"Bilinear": 0.3}, seeds=1, compounds=400, draws=1), [1])
    copies = pd.concat([one_seed.assign(seed=seed) for seed in range(3)])
    both = one_seed.groupby("compound")["top-1"].mean()
    half_width = 1.96 * both.std() / np.sqrt(400)
    for hits in (one_seed, copies):
        row = compare_methods(hits, ComparisonSettings("Bilinear", (1,), resamples=4000)).iloc[0]
        assert (row["high"] - row["low"]) / 2 == pytest.approx(half_width, rel=0.1)


def test_variation_over_seeds_widens_the_interval():
    """Two seeds that differ in every compound: resampling the seeds alone gives 0, 0.5 or 1."""
    hits = hits_by_compound(made_ranks({"Bilinear": 0.3}, seeds=2, draws=1), [1])
    hits["top-1"] = hits["seed"].astype(float)
    row = compare_methods(hits, REFERENCE).iloc[0]
    assert (row["value"], row["low"], row["high"]) == (0.5, 0.0, 1.0)


def test_folds_of_a_group_are_pooled_over_their_compounds():
    folds = [made_ranks({"CLOOME": 0.5, "Bilinear": 0.2}, split=f"fold_{i}", compounds=40 + i) for i in range(3)]
    hits = hits_by_compound(pd.concat(folds), [1])
    together = compare_methods(hits, REFERENCE, dict.fromkeys(("fold_0", "fold_1", "fold_2"), "folds"))
    alone = compare_methods(hits, REFERENCE)
    assert set(together["split"]) == {"folds"}
    assert set(together["compounds"]) == {123}
    for method in ("CLOOME", "Bilinear"):
        rows = alone[(alone["method"] == method) & (alone["direction"] == BOTH)]
        value = together[(together["method"] == method) & (together["direction"] == BOTH)]["value"].item()
        assert value == pytest.approx(np.average(rows["value"], weights=rows["compounds"]))


def test_a_compound_that_one_method_does_not_know_is_left_out_of_the_difference():
    hits = hits_by_compound(made_ranks({"CLOOME": 0.5, "Bilinear": 0.2}), [1])
    unknown = (hits["method"] == "CLOOME") & (hits["compound"] == "random0")
    found = compare_methods(hits[~unknown], REFERENCE)
    row = found[(found["method"] == "CLOOME") & (found["direction"] == BOTH)].iloc[0]
    means = hits[hits["compound"] != "random0"].groupby("method")["top-1"].mean()
    assert row["compounds"] == 199
    assert row["difference"] == pytest.approx(means["CLOOME"] - means["Bilinear"])


def test_unknown_references_and_differing_seeds_are_refused():
    hits = hits_by_compound(made_ranks({"CLOOME": 0.5, "Bilinear": 0.2}), [1])
    with pytest.raises(ValueError, match="the reference Ridge is not among the methods CLOOME, Bilinear"):
        compare_methods(hits, ComparisonSettings("Ridge"))
    fewer = hits[(hits["method"] != "CLOOME") | (hits["seed"] < 2)]
    with pytest.raises(ValueError, match=r"CLOOME has the seeds \[0, 1\], but Bilinear has \[0, 1, 2\]"):
        compare_methods(fewer, REFERENCE)


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(2, 30), st.integers(0, 100))
def test_a_method_is_no_different_from_itself(seeds, compounds, generator_seed):
    ranks = made_ranks({"Bilinear": 0.3}, seeds, compounds, generator_seed=generator_seed)
    hits = hits_by_compound(pd.concat([ranks, ranks.assign(method="Same")]), [1])
    rows = compare_methods(hits, REFERENCE).query("method == 'Same'")
    assert (rows[["difference", "difference_low", "difference_high"]] == 0).all(axis=None)
    assert set(rows["verdict"]) == {"no different"}


def test_pairs_are_those_of_the_first_method_and_of_the_reference():
    models = ["CLOOME", "Fusion", "Bilinear"]
    assert pairs_to_compare([], models, "Bilinear") == [], "no method answers the task"
    assert pairs_to_compare(["Bilinear"], models, "Bilinear") == []
    first = [("CLOOME", "Fusion"), ("CLOOME", "Bilinear"), ("CLOOME", "Oracle")]
    assert pairs_to_compare([*models, "Oracle"], models, "Bilinear") == [*first, ("Fusion", "Bilinear")]
    assert pairs_to_compare([*models, "Oracle"], models, "") == first
