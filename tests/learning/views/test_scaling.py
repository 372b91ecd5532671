"""Scaling of features, against the formulas and against scikit-learn."""

import json

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.preprocessing import RobustScaler

from cloome_kedro.learning.views.profiles import Profiles, ProfileSettings
from cloome_kedro.learning.views.scaling import (
    MAD_TO_STD,
    SoftWhitening,
    apply,
    as_matrix,
    as_text,
    rank_normal,
    reference_values,
    soft_whitening,
    whitening,
)


def scaled(train, other=None, **given_settings):
    """Training rows, or other rows, scaled by a view that has learned from the training rows."""
    names = tuple(f"f{i}" for i in range(train.shape[1]))
    view = Profiles(names, **ProfileSettings(**given_settings).learn(train))
    return view, view(torch.from_numpy(train if other is None else other)).numpy()


def drawn(seed, rows=200, features=6):
    """Correlated features of different sizes."""
    generator = np.random.default_rng(seed)
    mixed = generator.normal(size=(rows, features)) @ generator.normal(size=(features, features))
    return (mixed * 10 ** generator.uniform(-2, 2, features) + generator.normal(size=features)).astype(np.float32)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from(["standardise", "robust", "none"]))
def test_whitened_training_rows_have_the_identity_as_covariance(seed, components, scaling):
    _, found = scaled(drawn(seed), scaling=scaling, whiten=components)
    assert found.shape == (200, components)
    covariance = np.cov(found.astype(float), rowvar=False, ddof=0).reshape(components, components)
    np.testing.assert_allclose(covariance, np.eye(components), atol=2e-3)
    np.testing.assert_allclose(found.mean(0), 0, atol=2e-3)


@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False), min_size=1, max_size=20))
def test_the_signed_logarithm_is_odd_and_keeps_the_order(values):
    x = torch.tensor(values)
    logarithm = apply(x, "signed_log")
    assert torch.equal(apply(-x, "signed_log"), -logarithm)
    assert (logarithm[x.argsort()].diff() >= 0).all()
    np.testing.assert_allclose(logarithm.double(), np.sign(values) * np.log1p(np.abs(values)), rtol=1e-5)
    assert torch.equal(apply(x, "none"), x)


@pytest.mark.parametrize(("rows", "features"), [(200, 6), (12, 40)])
def test_whitening_is_that_of_scikit_learn(rows, features):
    """Up to the sign of a component, and to its divisor n - 1; also of more features than rows."""
    train, other = drawn(1, rows, features).astype(float), drawn(2, 9, features).astype(float)
    centre = train.mean(0)
    found = (other - centre) @ whitening(train - centre, 5)
    expected = PCA(5, whiten=True, svd_solver="full").fit(train).transform(other) * np.sqrt(rows / (rows - 1))
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found, expected * signs, rtol=1e-3, atol=1e-3)


def test_robust_scaling_is_that_of_its_formula():
    train = drawn(3)
    view, found = scaled(train, scaling="robust")
    median = np.median(train.astype(float), axis=0)
    deviation = MAD_TO_STD * np.median(np.abs(train - median), axis=0)
    np.testing.assert_allclose(view.mean, median)
    np.testing.assert_allclose(view.std, deviation, rtol=1e-6)
    np.testing.assert_allclose(found, (train - median) / deviation, rtol=1e-3, atol=1e-4)
    normal = np.random.default_rng(0).normal(5, 3, (100_001, 1)).astype(np.float32)
    by_quartiles = RobustScaler(unit_variance=True).fit(normal)  # another estimate of the same deviation
    assert scaled(normal, scaling="robust")[0].std[0] == pytest.approx(by_quartiles.scale_[0], rel=0.02)


def test_a_feature_that_rarely_varies_is_divided_by_its_standard_deviation():
    rare = np.zeros((100, 2), np.float32)
    rare[:5, 0] = 4
    view, _ = scaled(rare, scaling="robust")
    assert view.std == (pytest.approx(rare[:, 0].std()), 1)


def test_features_can_stay_as_they_are():
    train = drawn(4)
    np.testing.assert_array_equal(scaled(train, scaling="none")[1], train)
    logarithm = scaled(train, scaling="none", transform="signed_log")[1]
    np.testing.assert_allclose(logarithm, np.sign(train) * np.log1p(np.abs(train)), rtol=1e-5)


def test_the_logarithm_comes_first_then_the_scaling():
    train = drawn(5)
    logarithm = np.sign(train) * np.log1p(np.abs(train))
    found = scaled(train, transform="signed_log")[1]
    np.testing.assert_allclose(found, (logarithm - logarithm.mean(0)) / logarithm.std(0), rtol=1e-3, atol=1e-3)


def test_more_components_than_the_rows_have_are_refused():
    twice = np.repeat(drawn(6, features=2), 2, axis=1)
    assert scaled(twice, whiten=2)[1].shape == (200, 2)
    with pytest.raises(ValueError, match=r"only 2 principal components with a variance above 0, not 3: choose 2 or"):
        scaled(twice, whiten=3)
    with pytest.raises(ValueError, match="only 0 principal components"):
        scaled(np.ones((9, 4), np.float32), whiten=1)
    with pytest.raises(ValueError, match="whiten must be at least 1"):
        ProfileSettings(whiten=0)


def test_a_matrix_survives_json_exactly():
    matrix = drawn(7)
    assert torch.equal(as_matrix(json.loads(json.dumps(as_text(matrix))), 6), torch.from_numpy(matrix))


def test_other_rows_do_not_change_what_is_learned():
    view, _ = scaled(drawn(8), whiten=3)
    assert view.inputs == 3
    again, _ = scaled(drawn(8), whiten=3)
    assert view == again


def replicates(seed, counts, features=5):
    """Rows of compounds with so many replicates, in mixed order, and the code of each row's compound."""
    generator = np.random.default_rng(seed)
    codes = generator.permutation(np.repeat(np.arange(len(counts)), counts))
    effects = generator.normal(size=(len(counts), features)) * np.arange(1, features + 1)
    noise = generator.normal(size=(len(codes), features)) @ generator.normal(size=(features, features))
    return effects[codes] + noise, codes


def test_soft_whitening_of_two_replicates_is_the_closed_form():
    """T - W / 2 + c W + floor, with W from the differences of both replicates."""
    x, codes = replicates(1, [2] * 40)
    first, second = (x[[np.flatnonzero(codes == code)[place] for code in range(40)]] for place in (0, 1))
    means, halves = (first + second) / 2, (first - second) / np.sqrt(2)
    within = halves.T @ halves / 40
    covariance = np.cov(means, rowvar=False, ddof=0) - within / 2 + 3 * within + 0.7 * np.eye(5)
    mean, matrix = soft_whitening(x, codes, noise=3, floor=0.7)
    np.testing.assert_allclose(mean, means.mean(axis=0))
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)
    np.testing.assert_allclose(matrix @ covariance @ matrix, np.eye(5), atol=1e-5)


def test_soft_whitening_estimates_the_covariance_between_compounds():
    """Without the noise, also of different numbers of replicates: effects have the variances 1, 4, ..., 25."""
    x, codes = replicates(2, np.random.default_rng(0).integers(1, 6, 20_000))
    _, matrix = soft_whitening(x, codes, noise=0, floor=1e-6)
    np.testing.assert_allclose(np.linalg.inv(matrix @ matrix), np.diag(np.arange(1, 6) ** 2), atol=0.6)
    single = x.T @ x / len(x)
    _, matrix = soft_whitening(x, codes, noise=1, floor=1e-6)
    np.testing.assert_allclose(np.linalg.inv(matrix @ matrix), single, rtol=0.05, atol=0.6)


def test_a_view_whitens_by_replicates():
    x, codes = replicates(3, [2, 3] * 30)
    train = x.astype(np.float32)
    settings_of_view = ProfileSettings(transform="rank_normal", whiten=SoftWhitening(noise=2, floor=0.5))
    table = {"structure_row": np.r_[codes, 99]}
    learned = settings_of_view.learn(train, settings_of_view.compounds_of(table, np.arange(len(train))))
    view = Profiles(tuple("abcde"), **json.loads(json.dumps(learned)))
    ranks = (train[:, None] > train).sum(axis=1) + 0.5  # all values differ
    normal = norm.ppf(np.clip(ranks / len(train), 0.5 / len(train), 1 - 0.5 / len(train)))
    normal /= normal.std(axis=0)
    mean, matrix = soft_whitening(normal, codes, noise=2, floor=0.5)
    np.testing.assert_allclose(view(torch.from_numpy(train)).numpy(), (normal - mean) @ matrix, atol=1e-4)
    assert view.inputs == 5


def test_ranks_have_ties_and_ends():
    reference = np.array([[0, 0, 1, 5]], np.float32).T
    assert np.array_equal(reference_values(reference[[2, 0, 3, 1]]), reference)
    x = torch.tensor([[-9.0], [0.0], [0.5], [1.0], [5.0], [99.0]])
    expected = norm.ppf([1 / 8, 2 / 8, 4 / 8, 5 / 8, 7 / 8, 7 / 8])
    np.testing.assert_allclose(rank_normal(x, torch.from_numpy(reference)).numpy()[:, 0], expected, atol=1e-6)


def test_many_rows_are_represented_by_quantiles():
    train = np.random.default_rng(0).lognormal(size=(20_000, 2)).astype(np.float32)
    view, found = scaled(train, transform="rank_normal", scaling="none")
    assert as_matrix(view.reference, 2).shape == (1000, 2)
    middle = np.abs(np.log(train)) < 2.5
    np.testing.assert_allclose(found[middle], np.log(train)[middle], atol=0.1)


@settings(max_examples=20)
@given(st.integers(0, 10**6))
@example(2613)
def test_ranks_do_not_depend_on_a_monotone_transformation(seed):
    train = drawn(seed, rows=30)
    transformed = np.where(train < 0, train / 4, 2 * train)  # exact: with rounding, neighbours could become ties
    np.testing.assert_allclose(
        scaled(train, transform="rank_normal")[1], scaled(transformed, transform="rank_normal")[1], atol=1e-5
    )


def test_whitening_without_replicates_is_refused():
    whiten = SoftWhitening()
    with pytest.raises(ValueError, match="no compound has two rows in the training fold: give a number"):
        ProfileSettings(whiten=whiten).learn(drawn(1), np.arange(200))
    with pytest.raises(ValueError, match="needs the column structure_row"):
        ProfileSettings(whiten=whiten).learn(drawn(1), None)
    with pytest.raises(ValueError, match="floor above 0, but they are 1 and 0"):
        SoftWhitening(floor=0)
    controls = ProfileSettings(whiten=whiten).compounds_of({"structure_row": [4, -1, -1, 4]}, np.arange(4))
    assert len(set(controls)) == 3, "controls without a structure are no replicates of each other"
