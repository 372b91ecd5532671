import pytest
import torch

from cloome_kedro.evaluation.hessians import Hessian


def problem(n=60, size=7, batch=2):
    """Features of which some columns are far larger than others, weights and a gradient."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, n, size, generator=generator) * torch.logspace(-1, 1, size)
    return x, torch.rand(batch, n, generator=generator) / 4, torch.randn(batch, size, generator=generator)


def exact(x, weights, c):
    """Hessian of the objective in float64, after the intercept was eliminated."""
    x, weights = x.double(), weights.double()
    centred = x - (weights[:, None] @ x) / weights.sum(1)[:, None, None]
    return centred.mT @ (weights[..., None] * centred) + torch.eye(x.shape[2]) / c.double()[:, None, None]


def hessian(x, weights):
    return Hessian(x, weights, torch.full((len(x),), float(x.shape[1])))


@pytest.mark.parametrize("c", [1e-6, 1e-3, 1.0, 1e4])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_step_is_that_of_newton(c, batch):
    x, weights, gradient = problem(batch=batch)
    cs, nothing = torch.full((batch,), c), torch.zeros(batch)
    direction, decrement = hessian(x, weights).step(gradient, weights.sum(1), cs, nothing)
    expected = -torch.linalg.solve(exact(x, weights, cs), gradient.double())
    torch.testing.assert_close(direction.double(), expected, rtol=2e-2, atol=2e-2 * float(expected.abs().max()))
    torch.testing.assert_close(decrement.double(), -(gradient * expected).sum(1), rtol=2e-2, atol=0)


def test_the_hessian_is_scaled_to_the_weights():
    x, weights, gradient = problem()
    cs = torch.tensor([0.3, 5.0])
    direction, _ = hessian(x, weights).step(gradient, 3 * weights.sum(1), cs, torch.zeros(2))
    expected = -torch.linalg.solve(exact(x, 3 * weights, cs), gradient.double())
    torch.testing.assert_close(direction.double(), expected, rtol=2e-2, atol=1e-3)


@pytest.mark.parametrize("growth", [0.3, 1.0, 4.0])
@pytest.mark.parametrize(("first", "then"), [(1e-7, 1e-3), (0.1, 1.0), (100.0, 1e3), (1.0, 0.1)])
def test_the_last_factors_give_an_upper_bound(first, then, growth):
    x, weights, gradient = problem()
    model = hessian(x, weights)
    model.step(gradient, weights.sum(1), torch.full((2,), first), torch.zeros(2))
    cs = torch.full((2,), then)
    _, bound = model.step(gradient, growth * weights.sum(1), cs, torch.full((2,), torch.inf))
    solved = torch.linalg.solve(exact(x, growth * weights, cs), gradient.double())
    assert (bound >= 0.98 * (gradient * solved).sum(1)).all()


def test_a_strong_penalty_needs_no_product_of_the_features():
    x, weights, gradient = problem()
    model = hessian(x, weights)
    direction, _ = model.step(gradient, weights.sum(1), torch.full((2,), 1e-7), torch.zeros(2))
    torch.testing.assert_close(direction, -1e-7 * gradient)
    assert model.matrix is None
