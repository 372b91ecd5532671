"""Weights of fields in the mean over a compound."""

import numpy as np
import pytest

from cloome_kedro.pooling import weigh

GROUPS = np.array(["b", "a", "b", "a", "b", "c"])
VECTORS = np.random.default_rng(0).normal(size=(6, 4))
LOGITS = np.array([0.3, -1.0, 2.0, 0.5, 0.0, 7.0])


@pytest.mark.parametrize("shift", [0, 1000, -1000])
def test_the_mean_of_weighted_rows_is_the_sum_with_softmax_weights(shift):
    weighted = weigh(VECTORS, LOGITS + shift, GROUPS)
    for group in "abc":
        rows = group == GROUPS
        softmax = np.exp(LOGITS[rows]) / np.exp(LOGITS[rows]).sum()
        np.testing.assert_allclose(weighted[rows].mean(axis=0), softmax @ VECTORS[rows], rtol=1e-9)


def test_equal_logits_and_no_logits_change_nothing():
    assert weigh(VECTORS, None, GROUPS) is VECTORS
    np.testing.assert_allclose(weigh(VECTORS, np.full(6, 3.0), GROUPS), VECTORS, rtol=1e-12)
    assert weigh(VECTORS.astype(np.float32), LOGITS.astype(np.float32), GROUPS).dtype == np.float32
    assert weigh(VECTORS[:0], LOGITS[:0], GROUPS[:0]).shape == (0, 4)
