"""Logistic regressions with an L2 penalty, many at a time, along a grid of C.

Each minimises ``sum of log losses + |w|^2 / (2 C)`` with a free intercept, which is scikit-learn's objective divided by
C. The solver is Newton's method with three savings. The matrix of second derivatives is kept while the weights of the
samples in it keep their proportions (they do over decades of C), and only samples that weigh something enter it. A step
is the exact minimum over a small subspace: the Newton direction, the last step and the solution itself, whose margins
are known, so that it costs no pass over the features. The next C starts from the minimum over the last two solutions:
along the path solutions move nearly linearly in log C, also where classes are separable and norms grow without bound.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

_DRIFT = 0.6, 0.15  # change in the samples' shares of the Hessian from which on it is made anew: at first, and later on
_SAMPLES = 8  # samples a dimension that are enough for a Hessian
_NEGLIGIBLE = 0.02  # share of a mean sample's weight below which a sample is left out of it; C |H| where C needs no H
_SHORT = 1e-3  # share of the objective that a step in a subspace may gain without looking whether it does
_BLOCK = 128  # columns of the Hessian at a time
_WRONG = 0.9  # residual from which on a sample's curvature is that at this residual
_STEPS = 25
_STALLED = 5, 0.8  # within so many tolerances, a step that leaves more than this share of the error is rounding

_Direction = tuple[Tensor, Tensor]  # in coefficients (B, M), with the margins (B, N) that it gives


class LogisticRegressions:
    """B logistic regressions on N samples each, with M features.

    Parameters
    ----------
    features
        (B, N, M) float32, centred about: the intercept is not penalised, so a shift changes nothing but rounding.
    labels
        (B, N) 1 or 0.
    known
        (B, N) 1 for a sample, 0 for padding, whose features are 0.

    Attributes
    ----------
    w, b
        (B, M) coefficients and (B,) intercepts; 0 and the log odds of the labels before the first :meth:`solve`.
    """

    def __init__(self, features: Tensor, labels: Tensor, known: Tensor):
        self.x, self.y, self.known = features, labels, known
        self.samples = known.sum(1)
        share = (labels * known).sum(1) / self.samples
        self.w = features.new_zeros(features.shape[0], features.shape[2])
        self.b = torch.log(share / (1 - share))
        self.z = torch.zeros_like(labels)  # margins without the intercept
        self._metric: _Metric | None = None
        self._before: _Direction | None = None  # solution of the C before

    def start(self, w: Tensor, b: Tensor) -> None:
        """Begin at coefficients (B, M) and intercepts (B,)."""
        self.w, self.b, self.z = w, b, (self.x @ w[..., None])[..., 0]

    def solve(self, c: Tensor, tolerance: float) -> Tensor:
        """Minimise at ``c`` (B,), beginning where the last solution is.

        Parameters
        ----------
        c
            (B,) inverse strengths of the penalty.
        tolerance
            Relative error of the margins, in the norm of the Hessian, at which to stop.

        Returns
        -------
        Tensor
            (B,) bool: which reached the tolerance, or came as near as rounding lets them, where C is large and classes
            are separable.
        """
        solution = self.w, self.z
        if self._before is not None:
            before, margins = self._before
            self._move([(self.w, self.z), (self.w - before, self.z - margins)], c)
        self._before = solution
        step: list[_Direction] = []
        error = torch.full_like(c, torch.inf)
        for i in range(_STEPS):
            residuals, weights = self._derivatives(self.z + self.b[:, None])
            gradient = (residuals[:, None] @ self.x)[:, 0] + self.w / c[:, None]
            total = weights.sum(1).clamp(min=1e-30)
            centred = self.z - ((weights * self.z).sum(1) / total)[:, None]
            size = (weights * centred**2).sum(1) + (self.w**2).sum(1) / c
            kept = self._metric is not None and self._metric.drift(weights, total) <= _DRIFT[i > 2]
            if self._metric is None or not kept:
                self._metric = _Metric(self.x, weights, self.samples)
            elif i == 0 and (self._metric.bound(gradient, total, c) <= tolerance**2 * size).all():
                return torch.ones_like(size, dtype=torch.bool)
            if i == 0 or not kept:
                self._metric.factor(total, c)
            direction = -self._metric.solve(gradient)
            before, error = error, (-(gradient * direction).sum(1) / size.clamp(min=1e-30)).clamp(min=0).sqrt()
            near, left = _STALLED
            reached = (error <= tolerance) | ((error <= near * tolerance) & (error > left * before))
            if reached.all():
                break
            along = (self.x @ direction[..., None])[..., 0]
            step = [self._move([(direction, along), (self.w, self.z), *step], c, reached)]
        return reached

    def _derivatives(self, margins: Tensor) -> tuple[Tensor, Tensor]:
        """First derivatives of the losses by the margins, and bounds of the second ones, (B, N) each.

        A sample far on the wrong side has no curvature left, which would send Newton steps far beyond the minimum: it
        counts as much as one nearer by.
        """
        p = torch.sigmoid(margins)
        residuals = (p - self.y) * self.known
        near = residuals.clamp(-_WRONG, _WRONG).abs()
        return residuals, near * (1 - near) * self.known

    def _move(self, directions: list[_Direction], c: Tensor, rest: Tensor | None = None) -> _Direction:
        """Go to the minimum over the span of directions and the intercept; returns the step.

        Those at ``rest`` (B,) stay: directions from a minimum are rounding, and would lead away from it.
        """
        span = torch.stack([w for w, _ in directions], 1)
        along = torch.stack([*(z for _, z in directions), torch.ones_like(self.z)], 1)
        size = len(directions)
        double = span.double()
        linear = double.new_zeros(len(c), size + 1)
        quadratic = double.new_zeros(len(c), size + 1, size + 1)
        linear[:, :size] = (double @ self.w.double()[..., None])[..., 0] / c[:, None]
        quadratic[:, :size, :size] = double @ double.mT / c[:, None, None]
        t = self._minimise(along, linear, quadratic).to(span.dtype)
        if rest is not None:
            t = t.masked_fill(rest[:, None], 0)
        step, margin = (t[:, None, :-1] @ span)[:, 0], (t[:, None, :-1] @ along[:, :-1])[:, 0]
        self.w, self.z, self.b = self.w + step, self.z + margin, self.b + t[:, -1]
        return step, margin

    def _minimise(self, along: Tensor, linear: Tensor, quadratic: Tensor) -> Tensor:
        """Minimum over t (B, S) of the losses at margins z + b + t along, plus linear t + t quadratic t / 2."""
        start, sign = self.z + self.b[:, None], 1 - 2 * self.y

        def margins(t):
            return start + (t.to(along.dtype)[:, None] @ along)[:, 0]

        def value(t, at):
            losses = (softplus(sign * at) * self.known).sum(1, dtype=torch.float64)
            return losses + (linear * t).sum(1) + (t * (quadratic @ t[..., None])[..., 0]).sum(1) / 2

        t = torch.zeros_like(linear)
        at = start
        lowest = value(t, at)
        for _ in range(4):
            residuals, weights = self._derivatives(at)
            gradient = (along @ residuals[..., None])[..., 0].double()
            gradient += linear + (quadratic @ t[..., None])[..., 0]
            hessian = ((along * weights[:, None]) @ along.mT).double() + quadratic
            size = hessian.diagonal(dim1=1, dim2=2).clamp(min=1e-60).sqrt()
            hessian = hessian / size[:, None] / size[..., None]
            hessian.diagonal(dim1=1, dim2=2).add_(1e-7)
            step = -torch.linalg.solve(hessian, gradient / size) / size
            gain = -(gradient * step).sum(1)
            if (gain <= _SHORT * lowest).all():  # so near that what remains is far less
                return t + step
            length = torch.ones_like(gain)
            for _ in range(20):
                ahead = t + length[:, None] * step
                at = margins(ahead)
                reached = value(ahead, at)
                higher = ~(reached <= lowest - 1e-4 * length * gain + 2e-7 * lowest)  # the sum's rounding
                if not higher.any():
                    break
                length = torch.where(higher, 0.3 * length, length)
            else:
                ahead = torch.where(higher[:, None], t, ahead)
                at = margins(ahead)
                reached = torch.where(higher, lowest, reached)
            t, lowest = ahead, reached
        return t


class _Metric:
    """Hessian of the log losses at some weights of the samples, scaled to the weights' later sums.

    Parameters
    ----------
    x
        (B, N, M) features.
    weights
        (B, N) second derivatives of the losses.
    samples
        (B,) number of samples.
    """

    def __init__(self, x: Tensor, weights: Tensor, samples: Tensor):
        self.total = weights.sum(1).clamp(min=1e-30)
        self.shares = weights / self.total[:, None]
        if len(x) == 1:
            (rows,) = (weights[0] > _NEGLIGIBLE * self.total / samples).nonzero(as_tuple=True)
            rows = rows[:: max(1, len(rows) // (_SAMPLES * x.shape[2]))]
            if len(rows) < 0.8 * x.shape[1]:
                x, weights = x.index_select(1, rows), weights[:, rows]
                weights = weights * (self.total / weights.sum(1))[:, None]
        mean = (weights[:, None] @ x) / self.total[:, None, None]
        self.hessian = -mean.mT @ mean * self.total[:, None, None]
        for start in range(0, x.shape[2], _BLOCK):  # symmetric: a block of columns down to the diagonal, then mirrored
            part, down = slice(start, start + _BLOCK), slice(0, start + _BLOCK)
            product = x[..., down].mT @ (x[..., part] * weights[..., None])
            self.hessian[:, down, part] += product
            self.hessian[:, part, :start] += product[:, :start].mT

    def drift(self, weights: Tensor, total: Tensor) -> float:
        """How much the samples' shares have changed since, 0 to 2: the largest of all."""
        return float((weights / total[:, None] - self.shares).abs().sum(1).max())

    def factor(self, total: Tensor, c: Tensor) -> None:
        """Be the Hessian of the objective, at weights of this sum and at c."""
        self.scale, self.c = total / self.total, c
        self.triangle: Tensor | None = None
        if (c * self.scale * self.hessian.flatten(1).norm(dim=1) < _NEGLIGIBLE).all():
            return  # the penalty is all
        matrix = self.hessian * self.scale[:, None, None]
        jitter = 1e-6 * matrix.diagonal(dim1=1, dim2=2).amax(1)
        while True:
            shifted = matrix.clone()
            shifted.diagonal(dim1=1, dim2=2).add_((1 / c + jitter)[:, None])
            self.triangle, failed = torch.linalg.cholesky_ex(shifted)
            if not failed.any():
                return
            jitter = torch.where(failed > 0, 10 * jitter + 1e-30, jitter)

    def solve(self, gradient: Tensor) -> Tensor:
        """Inverse times (B, M)."""
        if self.triangle is None:
            return gradient * self.c[:, None]
        return torch.cholesky_solve(gradient[..., None], self.triangle)[..., 0]

    def bound(self, gradient: Tensor, total: Tensor, c: Tensor) -> Tensor:
        """Upper bound (B,) of what gradient . solve(gradient) would be, factored anew."""
        smallest = torch.minimum(total / (self.total * self.scale), self.c / c)
        return (gradient * self.solve(gradient)).sum(1) / smallest
