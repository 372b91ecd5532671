"""Kernels against brute force and rdkit-free closed forms."""

import numpy as np
import pytest

from cloome_kedro.evaluation import kernels
from cloome_kedro.evaluation.kernels import linear_kernel, mean_kernel, min_max_kernel

RNG = np.random.default_rng(0)
FEATURES = {
    "bits": RNG.integers(0, 2, (30, 40)),
    "counts": RNG.poisson(0.8, (30, 40)),
    "large counts": RNG.integers(0, 1000, (30, 40)),
    "real": RNG.exponential(size=(30, 40)) * (RNG.random((30, 40)) < 0.3),
}


def brute_force(first, second):
    table = [[np.minimum(x, y).sum() / np.maximum(x, y).sum() for y in second] for x in first]
    return np.array(table)


@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_min_max_kernel_is_that_of_each_pair(kind, dtype, monkeypatch):
    monkeypatch.setattr(kernels, "_BLOCK", 7)  # several blocks, the last one smaller
    features = FEATURES[kind].astype(dtype)
    found = min_max_kernel(features[:18], features[10:])
    np.testing.assert_allclose(found, brute_force(features[:18], features[10:]), rtol=0, atol=1e-6)


def test_counts_are_exact_although_sums_are_single_precision():
    features = FEATURES["counts"].astype(np.float32)
    assert np.array_equal(min_max_kernel(features, features), brute_force(*(features.astype(float),) * 2))


def test_of_bits_it_is_the_tanimoto_coefficient():
    bits = FEATURES["bits"]
    both, counts = bits @ bits.T, bits.sum(axis=1)
    np.testing.assert_allclose(min_max_kernel(bits, bits), both / (counts[:, None] + counts - both))


def test_it_is_positive_semidefinite_also_with_rows_without_a_feature():
    features = np.vstack([FEATURES["counts"], np.zeros((2, 40))])
    kernel = min_max_kernel(features, features)
    assert np.array_equal(np.diagonal(kernel), np.ones(32))
    assert np.array_equal(kernel[-1], [*np.zeros(30), 1, 1])
    assert np.linalg.eigvalsh(kernel).min() > -1e-9


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_features_without_such_a_kernel_are_refused(wrong):
    with pytest.raises(ValueError, match="finite and not negative"):
        min_max_kernel(np.array([[1.0, wrong]]), np.ones((1, 2)))


def test_the_kernels_of_several_sets_are_averaged():
    first, second = FEATURES["counts"], FEATURES["bits"]
    both = np.hstack([first, second])
    expected = (min_max_kernel(first[:5], first) + min_max_kernel(second[:5], second)) / 2
    np.testing.assert_allclose(mean_kernel(both[:5], both, "min_max", (40, 40)), expected)
    np.testing.assert_allclose(mean_kernel(both[:5], both, "linear", [80]), both[:5] @ both.T)
    assert np.array_equal(linear_kernel(first, second), first @ second.T)
    with pytest.raises(ValueError, match=r"sets of \[40, 30\] features do not fit"):
        mean_kernel(both, both, "min_max", (40, 30))
