import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.learning.objectives.siglip import SigLIP
from objective_formulas import gradient, siglip, unit_vectors


def tensors(field, compound, scale, bias, unit):
    outputs = {"field": field, "compound": compound, "scale": scale, "bias": bias}
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in outputs.items()} | {
        "unit": torch.tensor(unit)
    }


@settings(max_examples=50)
@given(
    n=st.integers(2, 10),
    d=st.integers(1, 6),
    scale=st.floats(1, 100),
    bias=st.floats(-20, 20),
    compounds=st.integers(1, 10),
    seed=st.integers(0, 99),
)
def test_the_loss_is_its_closed_form(n, d, scale, bias, compounds, seed):
    x, z = unit_vectors(n, d, seed)
    unit = np.random.default_rng(seed).integers(0, compounds, n)
    found = SigLIP()(tensors(x, z, scale, bias, unit)).item()
    assert found == pytest.approx(siglip(x, z, scale, bias, unit), rel=1e-9, abs=1e-9)


def test_gradients_of_the_closed_form():
    n, d, unit = 5, 3, [0, 1, 2, 1, 3]
    pairs = unit_vectors(n, d)
    outputs = tensors(*pairs, 10.0, -3.0, unit)
    learned = [outputs[name].requires_grad_() for name in ("field", "compound", "scale", "bias")]
    SigLIP()(outputs).backward()
    found = np.concatenate([tensor.grad.numpy().ravel() for tensor in learned])
    closed = lambda point: siglip(*point[:-2].reshape(2, n, d), *point[-2:], unit)  # noqa: E731
    np.testing.assert_allclose(found, gradient(closed, np.append(pairs, [10.0, -3.0])), atol=1e-9)


def test_pairs_of_a_compound_match():
    """Two fields of one compound: four matches and no other pair."""
    x = np.ones((2, 1))
    found = SigLIP()(tensors(x, x, 1.0, 0.0, [7, 7])).item()
    assert found == pytest.approx(4 * math.log1p(math.exp(-1)) / 2)
    found = SigLIP()(tensors(x, x, 1.0, 0.0, [7, 8])).item()
    assert found == pytest.approx((2 * math.log1p(math.exp(-1)) + 2 * math.log1p(math.exp(1))) / 2)


def test_the_bias_begins_as_published():
    assert SigLIP().scalars == {"bias": -10.0}
    assert SigLIP(initial_bias=-2).scalars == {"bias": -2}
    with pytest.raises(ValueError, match="SigLIP: initial_bias must be a number, is nan"):
        SigLIP(initial_bias=math.nan)
