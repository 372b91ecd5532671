"""Properties of the objectives; tests/test_parity.py has their values and gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.objectives import InfoLOOB, InfoNCE, make_objective

OBJECTIVES = [InfoNCE(), InfoLOOB(), InfoLOOB(hopfield_beta=14.3)]


def embeddings(n=9, d=5, seed=0, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, n, d))
    unit = lambda a: torch.tensor(a / np.linalg.norm(a, axis=1, keepdims=True), dtype=dtype)  # noqa: E731
    return unit(x), unit(z)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_gradients(objective):
    x, z = (e.requires_grad_() for e in embeddings(5, 3))
    scale = torch.tensor(14.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(objective, (x, z, scale))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@settings(deadline=None, max_examples=25)
@given(n=st.integers(2, 12), scale=st.floats(1, 100), seed=st.integers(0, 99))
def test_order_and_sides_do_not_matter(objective, n, scale, seed):
    x, z = embeddings(n, seed=seed)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    loss = objective(x, z, scale).item()
    assert objective(x[order], z[order], scale).item() == pytest.approx(loss, rel=1e-9, abs=1e-9)
    assert objective(z, x, scale).item() == pytest.approx(loss, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_stable_where_pairs_match_perfectly(objective):
    x, _ = embeddings(dtype=torch.float32)
    x = x.requires_grad_()
    loss = objective(x, x, 100.0)
    loss.backward()
    assert math.isfinite(loss.item())
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_half_precision_is_computed_in_float32(objective):
    x, z = embeddings(64, 16)
    x, z = x.bfloat16(), z.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = objective(x, z, torch.tensor(100.0))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(objective(x.double(), z.double(), 100.0).item(), rel=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_what_is_no_batch_is_refused(objective):
    x, z = embeddings(3)
    with pytest.raises(ValueError, match="two pairs"):
        objective(x[:1], z[:1], 14.3)
    with pytest.raises(ValueError, match="alike"):
        objective(x, z[:2], 14.3)


def test_named_by_the_configuration():
    assert isinstance(make_objective(FitConfig()), InfoNCE)
    assert make_objective(FitConfig(objective="info_loob", hopfield_beta=22)).hopfield_beta == 22
    with pytest.raises(ValueError, match="hopfield_beta"):
        FitConfig(objective="info_nce", hopfield_beta=22)
