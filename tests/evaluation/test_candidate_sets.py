"""Candidate sets: valid on exchangeable compounds, too small on others, and honest where compounds are few."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation import candidate_sets as sets
from cloome_kedro.evaluation.candidate_sets import ADAPTIVE, FIRST_K
from cloome_kedro.evaluation.intervals import exact_interval
from cloome_kedro.evaluation.retrieval import fold_fields
from cloome_kedro.evaluation.scored_queries import no_queries, retrieval_queries
from cloome_kedro.evaluation.softmax import fit_temperature
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND
from invented_answers import invented_screen, queries_of

LEVELS = (0.8, 0.9, 0.95)


def both_folds(shown_by="field", seed=0, **screen):
    examples, method = invented_screen(seed=seed, **screen)
    return [retrieval_queries(method, fold_fields(examples, fold), shown_by, seed) for fold in ("validation", "test")]


def candidate_sets(calibration, tested, levels):
    return sets.candidate_sets(calibration, tested, levels, fit_temperature(calibration))


def test_sets_of_a_small_example_by_hand():
    """Ranks 1, 2, 3 and 4 of 4; at temperature 1, probabilities are as 8, 4, 2 and 1."""
    scores = np.log([[8.0, 4.0, 2.0, 1.0]] * 4)
    calibration, tested = queries_of(scores, [0, 1, 2, 3]), queries_of(scores, [2, 2, 3, 0])
    table = sets.candidate_sets(calibration, tested, [0.5, 0.8, 0.9], 1.0)
    first, adaptive = (table[table["kind"] == kind] for kind in (FIRST_K, ADAPTIVE))
    assert first["share"].tolist() == [0.75, 1.0, 1.0], "the places are ceil(5 level) = 3, 4 and 5 of 4"
    assert adaptive["threshold"].tolist() == pytest.approx([2 / 15 * 4, 1 / 15 * 4, 0])
    assert first["coverage"].tolist() == [0.75, 1.0, 1.0]
    assert adaptive["coverage"].tolist() == [0.75, 1.0, 1.0]
    assert adaptive["size_mean"].tolist() == [3.0, 4.0, 4.0]
    low, high = exact_interval(3, 4, 0.95)
    assert first[["low", "high"]].iloc[0].tolist() == [low, high]
    assert first["reason"].isna().tolist() == [True, True, False]
    assert "90 % needs 9 validation compounds, there are 4" in first["reason"].iloc[2]
    assert first[["expected_low", "expected_high"]].iloc[2].tolist() == [1.0, 1.0]


def test_candidates_outside_the_pool_are_never_listed():
    queries = queries_of([[3.0, -np.inf, 1.0], [2.0, 1.0, -np.inf]], [2, 0])
    listed = sets.list_adaptively(queries, [1.5, 0.0], 1.0)
    assert listed.sizes.tolist() == [[1, 1], [2, 2]]
    assert listed.covered.tolist() == [[False, True], [True, True]]


def test_the_best_candidate_is_always_listed():
    """No candidate reaches ten times the mean probability, so without it the set would be empty."""
    listed = sets.list_adaptively(queries_of([[0.2, 0.1, 0.0]], [0]), [10.0], 1.0)
    assert listed.sizes.tolist() == [[1]]
    assert listed.covered.tolist() == [[True]]


def test_a_threshold_means_the_same_among_more_candidates():
    """In a pool of twenty times as many similar candidates, about twenty times as many are listed."""
    generator = np.random.default_rng(0)
    few, many = (queries_of(generator.normal(size=(200, n)), np.zeros(200, int)) for n in (50, 1000))
    sizes = [sets.list_adaptively(queries, [1.5], 2.0).sizes.mean() for queries in (few, many)]
    assert sizes[1] / sizes[0] == pytest.approx(20, rel=0.1)


def test_without_validation_or_test_compounds_there_is_a_reason():
    scores = [[3.0, 2.0, 1.0, 0.0]] * 3
    uncalibrated = candidate_sets(no_queries(), queries_of(scores, [0, 1, 2]), LEVELS)
    assert (uncalibrated["reason"].str.contains("there are 0")).all()
    assert uncalibrated["coverage"].eq(1).all()
    assert uncalibrated["size_mean"].eq(4).all()
    unmeasured = candidate_sets(queries_of(scores * 7, list(range(3)) * 7), no_queries(), LEVELS)
    assert (unmeasured["reason"] == "no test compound is measured").all()
    assert unmeasured["coverage"].isna().all()
    assert unmeasured.loc[unmeasured["kind"] == FIRST_K, "share"].between(0, 1).all()
    single = candidate_sets(queries_of(scores[:1], [0]), queries_of([[1.0]] * 2, [0, 0]), LEVELS)
    assert single["reason"].str.endswith("validation compounds, there is 1; there is a single candidate").all()
    assert single["coverage"].isna().all()


@pytest.mark.parametrize("shown_by", ["field", "mean"])
def test_coverage_is_valid_on_exchangeable_compounds(shown_by):
    """Over many invented screens, the mean coverage is at least the level, and not much above it."""
    tables = []
    for seed in range(25):
        validation, test = both_folds(shown_by, seed, sizes=(4, 60, 60), noise=(3.0,) * 3, plates=2)
        for direction in (IMAGE_TO_COMPOUND, COMPOUND_TO_IMAGE):
            table = candidate_sets(validation[direction], test[direction], LEVELS)
            tables.append(table.assign(direction=direction))
    means = pd.concat(tables).groupby(["direction", "kind", "level"])["coverage"].mean()
    for (_, _, level), coverage in means.items():
        # 25 screens of 60 and 60 compounds: the standard error of a mean is below 0.015
        assert level - 0.03 < coverage < level + 0.05


def test_harder_test_compounds_are_covered_less_often():
    """Exchangeability is broken: the measured coverage leaves the expected range, and the table shows it."""
    validation, test = both_folds(sizes=(4, 200, 200), noise=(0.5, 0.5, 2.0))
    table = candidate_sets(validation[IMAGE_TO_COMPOUND], test[IMAGE_TO_COMPOUND], LEVELS)
    assert (table["coverage"] < table["expected_low"]).all()
    assert (table["high"] < table["level"]).all()
    fair = candidate_sets(validation[IMAGE_TO_COMPOUND], validation[IMAGE_TO_COMPOUND], LEVELS)
    assert (fair["coverage"] >= fair["level"]).all(), "the calibration queries themselves are covered"


def test_better_methods_have_smaller_sets():
    sizes = []
    for noise in (0.3, 3.0):
        validation, test = both_folds(noise=(noise,) * 3)
        table = candidate_sets(validation[IMAGE_TO_COMPOUND], test[IMAGE_TO_COMPOUND], [0.9])
        sizes.append(table["size_mean"].to_numpy())
    assert (sizes[0] < sizes[1] / 2).all()


def test_tables_do_not_depend_on_the_order_of_fields():
    examples, method = invented_screen()
    shuffled = examples.sample(frac=1, random_state=1)
    tables = []
    for table in (examples, shuffled):
        folds = [retrieval_queries(method, fold_fields(table, fold), "field", 3) for fold in ("validation", "test")]
        tables.append(candidate_sets(folds[0][IMAGE_TO_COMPOUND], folds[1][IMAGE_TO_COMPOUND], LEVELS))
    pd.testing.assert_frame_equal(*tables)
