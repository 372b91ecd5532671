import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from cloome_kedro.evaluation.logistic import LogisticRegressions

GRID = [10.0**power for power in range(-6, 7)]


def problem(n, size, signal=1.0, seed=0):
    """Features of decaying variance about a common mean, as embeddings are, and labels that depend on them."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, size)) / np.arange(1, size + 1) ** 0.5
    x += generator.standard_normal(size)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    score = x @ generator.standard_normal(size)
    y = (signal * (score - score.mean()) / max(score.std(), 1e-9) + generator.logistic(size=n) > 0.5).astype(float)
    y[:2] = 0, 1
    return x, y


def regressions(problems):
    """Of problems of several lengths, padded."""
    longest = max(len(y) for _, y in problems)
    x = torch.zeros(len(problems), longest, problems[0][0].shape[1])
    y, known = torch.zeros(x.shape[:2]), torch.zeros(x.shape[:2])
    for i, (features, labels) in enumerate(problems):
        x[i, : len(labels)] = torch.from_numpy(features - features.mean(axis=0))
        y[i, : len(labels)] = torch.from_numpy(labels)
        known[i, : len(labels)] = 1
    return LogisticRegressions(x, y, known)


def along(model, grid, tolerance=1e-4):
    """Coefficients (B, C, M), intercepts and whether all reached the tolerance."""
    solutions = []
    for c in grid:
        reached = model.solve(torch.full((len(model.w),), c), tolerance)
        solutions.append((model.w.double().numpy(), model.b.double().numpy(), reached.numpy()))
    return (np.stack(values, 1) for values in zip(*solutions, strict=True))


def objective(w, b, x, y, c):
    margins = x @ w + b
    return np.logaddexp(0, margins).sum() - y @ margins + w @ w / (2 * c)


@pytest.mark.parametrize(("n", "size"), [(60, 20), (400, 20), (2000, 8)])
def test_coefficients_are_those_of_scikit_learn(n, size):
    x, y = problem(n, size)
    centred = x - x.mean(axis=0)
    ws, bs, reached = along(regressions([(x, y)]), GRID)
    assert reached.all()
    for c, w, b in zip(GRID, ws[0], bs[0], strict=True):
        expected = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(centred, y)
        assert np.linalg.norm(w - expected.coef_[0]) < 2e-3 * np.linalg.norm(expected.coef_)
        assert b == pytest.approx(expected.intercept_[0], abs=2e-3)


def test_the_gradient_vanishes_all_along_the_path():
    x, y = problem(700, 30, signal=2, seed=1)
    centred = (x - x.mean(axis=0)).astype(np.float32).astype(float)
    ws, bs, _ = along(regressions([(x, y)]), GRID)
    for c, w, b in zip(GRID, ws[0], bs[0], strict=True):
        residuals = 1 / (1 + np.exp(-(centred @ w + b))) - y
        first = np.linalg.norm(centred.T @ (y.mean() - y))  # the gradient at 0
        assert np.linalg.norm(centred.T @ residuals + w / c) < 1e-4 * first
        assert abs(residuals.sum()) < 1e-3 * len(y) ** 0.5


def test_padded_problems_do_not_touch_each_other():
    problems = [problem(n, 12, seed=n) for n in (25, 40, 33)]
    ws, bs, _ = along(regressions(problems), GRID[:8])
    for i, alone in enumerate(problems):
        w, b, _ = along(regressions([alone]), GRID[:8])
        np.testing.assert_allclose(ws[i], w[0], rtol=5e-3, atol=5e-3 * np.abs(w).max())
        np.testing.assert_allclose(bs[i], b[0], atol=5e-3)


def test_separable_classes_do_not_blow_up():
    """As C grows the direction tends to that of the largest margin, and the norm grows as the logarithm of C."""
    generator = np.random.default_rng(2)
    x = generator.standard_normal((30, 200)) / 200**0.5
    y = (np.arange(30) % 3 == 0).astype(float)
    ws, bs, _ = along(regressions([(x, y)]), GRID)
    margins = (ws[0, -1] @ (x - x.mean(axis=0)).T + bs[0, -1]) * (2 * y - 1)
    assert (margins > 5).all()
    norms = np.linalg.norm(ws[0], axis=1)
    assert np.isfinite(norms).all()
    assert (np.diff(norms) > 0).all()
    steps = np.diff(norms[-4:])
    assert steps.max() / steps.min() < 1.2


@settings(max_examples=25)
@given(
    n=st.integers(4, 60),
    size=st.integers(1, 8),
    signal=st.floats(0, 4),
    c=st.sampled_from(GRID[2:10]),
    seed=st.integers(0, 2**20),
)
# With one feature all directions of a search are parallel.
@example(n=15, size=1, signal=0.0, c=1000.0, seed=33578)
@example(n=14, size=1, signal=0.0, c=0.01, seed=241460)
@example(n=35, size=1, signal=2.6380953566460086, c=1000.0, seed=848125)
def test_no_point_is_lower_than_the_solution(n, size, signal, c, seed):
    x, y = problem(n, size, signal, seed)
    centred = x - x.mean(axis=0)
    (ws, bs, _) = along(regressions([(x, y)]), [c], tolerance=1e-3)  # at once, not along a path
    mine = objective(ws[0, 0], bs[0, 0], centred, y, c)
    expected = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(centred, y)
    lowest = objective(expected.coef_[0], expected.intercept_[0], centred, y, c)
    assert mine <= lowest + 1e-4 * max(lowest, 1e-3)
