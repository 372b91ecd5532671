"""Objectives whose targets are similarities: CWCL and S2L."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.learning.objectives.cwcl import CWCL
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.objectives.s2l import S2L
from cloome_kedro.learning.objectives.siglip import SigLIP
from objective_formulas import cosine, cwcl, gradient, min_max, s2l, similarity, unit_vectors

INPUTS = {"tanimoto": "compound_input", "compound_cosine": "compound_input", "field_cosine": "field_input"}
DIRECTIONS = ("image_to_compound", "compound_to_image")


def batch(n, d, seed, targets="tanimoto", compounds=None, scale=14.3):
    """Sets in float64, and their parts as arrays: fields, compounds, inputs and codes of compounds."""
    rng = np.random.default_rng([seed, 1])
    x, z = unit_vectors(n, d, seed)
    inputs = rng.integers(0, 4, (n, 9)).astype(float) if targets == "tanimoto" else rng.normal(size=(n, 9))
    unit = rng.integers(0, compounds, n) if compounds else np.arange(n)
    sets = {"field": x, "compound": z, "scale": np.float64(scale), "bias": np.float64(-3), INPUTS[targets]: inputs}
    tensors = {name: torch.tensor(value) for name, value in sets.items()}
    return tensors | {"unit": torch.tensor(unit)}, x, z, inputs, unit


def weights_of(targets, inputs, unit, threshold, shifted):
    measure = min_max if targets == "tanimoto" else cosine
    weights = similarity(inputs, unit, measure)
    if shifted and targets != "tanimoto":
        weights = (1 + weights) / 2
    return np.where(weights < threshold, 0, weights)


@settings(max_examples=50)
@given(
    targets=st.sampled_from(sorted(INPUTS)),
    soft=st.sampled_from(DIRECTIONS),
    n=st.integers(2, 9),
    compounds=st.integers(1, 9),
    threshold=st.sampled_from([0.0, 0.3, 0.6, 1.0]),
    scale=st.floats(1, 100),
    seed=st.integers(0, 99),
)
def test_cwcl_is_its_closed_form(targets, soft, n, compounds, threshold, scale, seed):
    sets, x, z, inputs, unit = batch(n, 4, seed, targets, compounds, scale)
    found = CWCL(targets, threshold, soft)(sets).item()
    weights = weights_of(targets, inputs, unit, threshold, shifted=True)
    assert found == pytest.approx(cwcl(x, z, scale, weights, unit, soft), rel=1e-9, abs=1e-9)


@settings(max_examples=50)
@given(
    targets=st.sampled_from(sorted(INPUTS)),
    n=st.integers(2, 9),
    compounds=st.integers(1, 9),
    threshold=st.sampled_from([0.0, 0.3, 0.75, 1.0]),
    scale=st.floats(1, 100),
    factors=st.sampled_from([(1.0, 1.0), (1.7, 0.75), (2.0, 0.0)]),
    seed=st.integers(0, 99),
)
def test_s2l_is_its_closed_form(targets, n, compounds, threshold, scale, factors, seed):
    sets, x, z, inputs, unit = batch(n, 4, seed, targets, compounds, scale)
    found = S2L(targets, threshold, *factors)(sets).item()
    weights = weights_of(targets, inputs, unit, threshold, shifted=False)
    assert found == pytest.approx(s2l(x, z, scale, -3.0, weights, *factors), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("soft", DIRECTIONS)
def test_cwcl_has_the_gradients_of_its_closed_form(soft):
    n, d = 5, 3
    sets, x, z, inputs, unit = batch(n, d, 0, compounds=4)
    weights = weights_of("tanimoto", inputs, unit, 0, shifted=True)
    learned = [sets[name].requires_grad_() for name in ("field", "compound", "scale")]
    CWCL(soft=soft)(sets).backward()
    found = np.concatenate([tensor.grad.numpy().ravel() for tensor in learned])
    closed = lambda point: cwcl(*point[:-1].reshape(2, n, d), point[-1], weights, unit, soft)  # noqa: E731
    np.testing.assert_allclose(found, gradient(closed, np.concatenate([x.ravel(), z.ravel(), [14.3]])), atol=1e-9)


def test_s2l_has_the_gradients_of_its_closed_form():
    n, d = 5, 3
    sets, x, z, inputs, unit = batch(n, d, 0, compounds=4)
    weights = weights_of("tanimoto", inputs, unit, 0.4, shifted=False)
    learned = [sets[name].requires_grad_() for name in ("field", "compound", "scale", "bias")]
    S2L(threshold=0.4, gamma=1.7, delta=0.75)(sets).backward()
    found = np.concatenate([tensor.grad.numpy().ravel() for tensor in learned])
    closed = lambda point: s2l(*point[:-2].reshape(2, n, d), *point[-2:], weights, 1.7, 0.75)  # noqa: E731
    point = np.concatenate([x.ravel(), z.ravel(), [14.3, -3.0]])
    np.testing.assert_allclose(found, gradient(closed, point), atol=1e-9)


@pytest.mark.parametrize("soft", DIRECTIONS)
def test_if_only_matches_have_a_weight_cwcl_is_info_nce(soft):
    sets, *_ = batch(7, 4, 0)
    orthogonal = sets | {"compound_input": torch.eye(7).double()}
    assert CWCL(soft=soft)(orthogonal).item() == pytest.approx(InfoNCE()(sets).item(), rel=1e-12)
    assert CWCL(threshold=1.0, soft=soft)(sets).item() == pytest.approx(InfoNCE()(sets).item(), rel=1e-12)


@pytest.mark.parametrize("soft", DIRECTIONS)
def test_if_all_pairs_are_equally_similar_the_soft_target_is_uniform(soft):
    sets, *_ = batch(6, 4, 1)
    found = CWCL(soft=soft)(sets | {"compound_input": torch.ones(6, 9).double()}).item()
    scores = 14.3 * sets["field"] @ sets["compound"].T
    scores = scores if soft == DIRECTIONS[0] else scores.T
    uniform = -torch.log_softmax(scores, 1).mean(1).mean()
    assert found == pytest.approx((uniform + F.cross_entropy(scores.T, torch.arange(6))).item() / 2, rel=1e-12)


def test_if_only_matches_have_a_weight_s2l_is_siglip():
    for compounds in (None, 3):
        sets, *_ = batch(7, 4, 0, compounds=compounds)
        assert S2L(threshold=1.0)(sets | {"compound_input": torch.eye(7).double()}).item() == pytest.approx(
            SigLIP()(sets).item(), rel=1e-12
        )


def test_s2l_is_lowest_where_probabilities_are_similarities():
    """At scale 0 the gradient of the bias is zero where sigmoid(bias) is the mean weight."""
    sets, _, _, inputs, unit = batch(6, 4, 2)
    mean = weights_of("tanimoto", inputs, unit, 0, shifted=False).mean()
    bias = torch.tensor(math.log(mean / (1 - mean)), dtype=torch.float64, requires_grad=True)
    S2L(threshold=0)(sets | {"scale": torch.tensor(0.0).double(), "bias": bias}).backward()
    assert bias.grad.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("objective", "settings_", "message"),
    [
        (CWCL, {"targets": "dice"}, "CWCL: targets must be one of tanimoto"),
        (CWCL, {"threshold": -0.1}, r"CWCL: threshold must be from 0 to 1, is -0\.1"),
        (CWCL, {"soft": "both"}, "CWCL: soft must be image_to_compound or compound_to_image, is both"),
        (S2L, {"targets": "dice"}, "S2L: targets must be one of tanimoto"),
        (S2L, {"gamma": 0.5}, r"delta must be from 0 to gamma, but gamma is 0\.5 and delta is 1\.0"),
        (S2L, {"gamma": 0.0, "delta": 0.0}, "S2L: gamma must be positive"),
        (S2L, {"initial_bias": math.inf}, "S2L: initial_bias must be a number, is inf"),
    ],
)
def test_settings_are_checked(objective, settings_, message):
    with pytest.raises(ValueError, match=message):
        objective(**settings_)


@pytest.mark.parametrize("targets", sorted(INPUTS))
def test_they_name_the_inputs_that_they_compare(targets):
    sets, *_ = batch(4, 3, 0, targets)
    for objective in (CWCL(targets), S2L(targets)):
        assert objective.needs == (INPUTS[targets], "unit")
        without = {name: value for name, value in sets.items() if name != INPUTS[targets]}
        with pytest.raises(ValueError, match=f"{type(objective).__name__} needs the set {INPUTS[targets]}"):
            objective(without)
