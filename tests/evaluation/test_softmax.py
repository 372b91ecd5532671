"""Temperatures, calibration errors and accuracy of confident answers."""

import numpy as np
import pytest
import torch

from cloome_kedro.evaluation.softmax import (
    answered_accuracy,
    calibration_error,
    confidences,
    error_of_calibrated,
    fit_temperature,
)
from invented_answers import queries_of


def drawn_queries(temperature, n=3000, candidates=8, seed=0):
    """Queries whose true candidate is drawn with the softmax of their scores at a temperature."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(n, candidates))
    weights = np.exp(scores / temperature)
    chance = weights / weights.sum(axis=1, keepdims=True)
    match = (generator.random(n)[:, None] < chance.cumsum(axis=1)).argmax(axis=1)
    return scores, queries_of(scores, match, size=512)


@pytest.mark.parametrize("temperature", [0.2, 1.0, 3.0])
def test_the_temperature_of_drawn_answers_is_found(temperature):
    _, queries = drawn_queries(temperature)
    assert fit_temperature(queries) == pytest.approx(temperature, rel=0.25)


def test_the_temperature_has_the_lowest_cross_entropy():
    """PyTorch's cross entropy is lower at the fitted temperature than beside it."""
    scores, queries = drawn_queries(0.5, n=400)
    match = torch.tensor(np.concatenate([block.match for block in queries.blocks()]))
    fitted = fit_temperature(queries)

    def loss(temperature):
        return torch.nn.functional.cross_entropy(torch.tensor(scores / temperature), match).item()

    assert loss(fitted) < min(loss(fitted * 1.02), loss(fitted / 1.02))


def test_a_constant_has_no_temperature():
    assert np.isnan(fit_temperature(queries_of(np.ones((5, 3)), [0, 1, 2, 0, 1])))
    assert np.isnan(fit_temperature(queries_of(np.zeros((0, 3)), np.zeros(0, int))))


def test_confidence_is_the_largest_softmax():
    scores, queries = drawn_queries(1.0, n=50)
    expected = torch.softmax(torch.tensor(scores / 0.7), dim=1).amax(dim=1).numpy()
    np.testing.assert_allclose(confidences(queries, 0.7), expected)
    np.testing.assert_allclose(confidences(queries, float("nan")), 1 / 8)


def test_candidates_outside_the_pool_have_no_probability():
    queries = queries_of([[1.0, -np.inf, 0.0], [1.0, 0.0, 0.0]], [0, 0])
    expected = [1 / (1 + np.exp(-1)), 1 / (1 + 2 * np.exp(-1))]
    np.testing.assert_allclose(confidences(queries, 1.0), expected)


def test_probabilities_of_drawn_answers_are_calibrated_and_others_are_not():
    _, queries = drawn_queries(0.5, n=4000)
    correct = queries.ranks == 1
    right, wrong = (confidences(queries, temperature) for temperature in (0.5, 0.1))
    assert calibration_error(right, correct) == pytest.approx(error_of_calibrated(right), abs=0.015)
    assert calibration_error(wrong, correct) > 0.2


def test_the_calibration_error_of_constant_probabilities_is_a_closed_form():
    correct = np.array([1, 1, 0, 0, 0])
    assert calibration_error(np.full(5, 0.3), correct) == pytest.approx(0.1)
    # the mean absolute deviation of a binomial number of 100 with probability 1/2 is 0.0398 of 100
    assert error_of_calibrated(np.full(100, 0.5), draws=4000) == pytest.approx(0.0398, abs=0.002)


def test_calibration_errors_do_not_depend_on_the_order():
    generator = np.random.default_rng(0)
    values = generator.integers(0, 20, 200) / 20
    correct = generator.random(200) < values
    order = generator.permutation(200)
    assert calibration_error(values[order], correct[order]) == pytest.approx(calibration_error(values, correct))


def test_bins_agree_with_scikit_learn():
    """With as many bins as there are different probabilities, both give the curve of scikit-learn."""
    from sklearn.calibration import calibration_curve

    generator = np.random.default_rng(3)
    probabilities = np.repeat(np.linspace(0.05, 0.95, 10), 30)
    correct = generator.random(300) < probabilities
    observed, predicted = calibration_curve(correct, probabilities, n_bins=10, strategy="quantile")
    assert calibration_error(probabilities, correct, 10) == pytest.approx(np.abs(observed - predicted).mean())


def test_only_confident_answers_are_more_accurate():
    _, queries = drawn_queries(0.3, n=2000)
    table = answered_accuracy(confidences(queries, 0.3), queries.ranks == 1, [0.1, 0.5, 1.0])
    assert table["answered"].tolist() == [200, 1000, 2000]
    assert table["accuracy"].is_monotonic_decreasing
    assert table["accuracy"].iloc[-1] == pytest.approx((queries.ranks == 1).mean())
    assert ((table["low"] < table["accuracy"]) & (table["accuracy"] < table["high"])).all()


def test_equal_confidences_are_answered_together():
    table = answered_accuracy(np.array([0.5, 0.9, 0.5, 0.5]), np.array([1, 1, 0, 0], bool), [0.25, 0.5, 1.0])
    assert table["answered"].tolist() == [1, 4, 4]
    assert table["accuracy"].tolist() == [1.0, 0.5, 0.5]
