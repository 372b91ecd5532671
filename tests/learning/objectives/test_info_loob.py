import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.learning.objectives.info_loob import InfoLOOB
from objective_formulas import hopfield, info_loob, retrieved, unit_vectors


def loss(field, compound, scale, beta=None):
    outputs = {"field": field, "compound": compound, "scale": scale}
    return InfoLOOB(beta)({name: torch.tensor(value, dtype=torch.float64) for name, value in outputs.items()}).item()


@settings(max_examples=50)
@given(n=st.integers(2, 12), d=st.integers(2, 6), scale=st.floats(1, 100), seed=st.integers(0, 99))
def test_the_loss_is_its_closed_form(n, d, scale, seed):
    x, z = unit_vectors(n, d, seed)
    assert loss(x, z, scale) == pytest.approx(info_loob(x, z, scale), rel=1e-9, abs=1e-9)


@settings(max_examples=50)
@given(
    n=st.integers(2, 12),
    d=st.integers(2, 6),
    scale=st.floats(1, 100),
    beta=st.floats(0.5, 50),
    seed=st.integers(0, 99),
)
def test_with_hopfield_networks_the_loss_is_its_closed_form(n, d, scale, beta, seed):
    x, z = unit_vectors(n, d, seed)
    assert loss(x, z, scale, beta) == pytest.approx(hopfield(x, z, scale, beta), rel=1e-9, abs=1e-9)


def test_the_match_is_not_among_the_alternatives():
    """Of orthogonal pairs each leaves out the scale: log(n - 1) less it, in both directions, times the temperature."""
    assert loss(np.eye(4), np.eye(4), 3.0) == pytest.approx(2 * (math.log(3) - 3) / 3)


def test_very_sharp_hopfield_networks_retrieve_what_is_stored():
    """Of orthogonal vectors each retrieves the one that is nearest, so the loss is that of the vectors themselves."""
    x = np.eye(5)
    z = x + 0.1 * np.random.default_rng(0).normal(size=(5, 5))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose(retrieved(z, x, 1000.0), x, atol=1e-12)
    found = loss(x, z, 2.0, beta=1000.0)
    # The first term compares x with x, the second z with z.
    assert found == pytest.approx((info_loob(x, x, 2.0) + info_loob(z, z, 2.0)) / 2, rel=1e-9)


@pytest.mark.parametrize("beta", [0, -1.0])
def test_beta_must_be_positive(beta):
    with pytest.raises(ValueError, match=f"InfoLOOB: hopfield_beta must be positive, is {beta}"):
        InfoLOOB(hopfield_beta=beta)
