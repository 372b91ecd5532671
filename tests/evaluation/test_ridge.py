"""Kernel ridge regression against the closed form and scikit-learn."""

import logging

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from cloome_kedro.evaluation.kernels import min_max_kernel
from cloome_kedro.evaluation.ridge import Compounds, RidgeFits

RNG = np.random.default_rng(1)
BITS = RNG.integers(0, 2, (120, 64)).astype(np.float32)
TRAIN, OTHERS = np.arange(80), np.arange(80, 120)
PROFILES = RNG.normal(size=(80, 6))


def predictions(compounds, alpha, landmarks=200):
    fits = RidgeFits(compounds, TRAIN, PROFILES, landmarks, seed=0)
    return fits, fits.model(alpha).predict(compounds.features[OTHERS])


@pytest.mark.parametrize("alpha", [0.01, 1.0, 30.0])
def test_the_exact_regression_is_the_closed_form(alpha):
    kernel = min_max_kernel(BITS, BITS)
    expected = kernel[80:, :80] @ np.linalg.inv(kernel[:80, :80] + alpha * np.eye(80)) @ PROFILES
    fits, found = predictions(Compounds(BITS), alpha)
    assert fits.scale == 1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_the_linear_kernel_is_scikit_learns_ridge_on_scaled_features():
    scale = np.square(BITS[:80]).sum(axis=1).mean()
    of_features = Ridge(alpha=0.3, fit_intercept=False).fit(BITS[:80] / np.sqrt(scale), PROFILES)
    found = predictions(Compounds(BITS, "linear"), 0.3)[1]
    np.testing.assert_allclose(found, of_features.predict(BITS[80:] / np.sqrt(scale)), atol=1e-5)
    direct = KernelRidge(alpha=0.3, kernel="linear").fit(BITS[:80] / np.sqrt(scale), PROFILES)
    np.testing.assert_allclose(found, direct.predict(BITS[80:] / np.sqrt(scale)), atol=1e-5)


def test_several_sets_share_one_regression():
    both = np.hstack([BITS[:, :20], BITS])
    kernel = (min_max_kernel(BITS[:, :20], BITS[:, :20]) + min_max_kernel(BITS, BITS)) / 2
    expected = KernelRidge(alpha=1, kernel="precomputed").fit(kernel[:80, :80], PROFILES).predict(kernel[80:, :80])
    np.testing.assert_allclose(predictions(Compounds(both, widths=(20, 64)), 1)[1], expected, atol=1e-6)


def test_many_compounds_are_approximated_as_by_nystroem(caplog):
    with caplog.at_level(logging.WARNING):
        fits, found = predictions(Compounds(BITS), 0.5, landmarks=25)
    assert "80 training compounds is approximated by 25 landmarks" in caplog.text
    assert len(set(fits.landmarks)) == 25
    assert set(fits.landmarks) <= set(TRAIN)

    def tanimoto(x, y):
        return np.minimum(x, y).sum() / np.maximum(x, y).sum()

    # scikit-learn with the same landmarks: it keeps all rows that it is fitted on.
    features = Nystroem(tanimoto, n_components=25, random_state=0).fit(BITS[fits.landmarks])
    ridge = Ridge(alpha=0.5, fit_intercept=False).fit(features.transform(BITS[TRAIN]), PROFILES)
    np.testing.assert_allclose(found, ridge.predict(features.transform(BITS[OTHERS])), atol=1e-5)


def test_with_all_compounds_as_landmarks_the_approximation_is_exact():
    exact = predictions(Compounds(BITS), 0.5)[1]
    doubled = Compounds(np.vstack([BITS, BITS[:80]]))
    fits = RidgeFits(doubled, np.r_[TRAIN, np.arange(120, 200)], np.vstack([PROFILES, PROFILES]), 159, seed=0)
    # Every compound is there twice, so that 159 of 160 are all kinds; twice the data is half the regularisation.
    np.testing.assert_allclose(fits.model(1.0).predict(BITS[OTHERS]), exact, atol=1e-4)


def test_compounds_without_any_feature_are_refused():
    with pytest.raises(ValueError, match="all features of the training compounds are 0"):
        RidgeFits(Compounds(np.zeros((3, 4)), "linear"), np.arange(3), np.ones((3, 2)), 10, seed=0)
