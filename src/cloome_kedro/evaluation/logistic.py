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
_WRONG = 0.9  # residual from which on a sample's curvature is that at this residual
_STEPS = 25


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
        self._weights: Tensor | None = None  # of the samples in the Hessian that is kept
        self._before: tuple[Tensor, Tensor] | None = None  # solution of the C before, and its margins

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
            (B,) bool: which reached the tolerance; rounding may prevent it where C is large and classes are separable.
        """
        solution = self.w, self.z
        if self._before is not None:
            before, margins = self._before
            self._move([self.w, self.w - before], [self.z, self.z - margins], c)
        self._before = solution
        step, factor = None, None
        for i in range(_STEPS):
            residuals, weights = self._derivatives(self.z + self.b[:, None])
            gradient = (residuals[:, None] @ self.x)[:, 0] + self.w / c[:, None]
            total = weights.sum(1).clamp(min=1e-30)
            if self._weights is None or self._drift(weights, total) > _DRIFT[i > 2]:
                self._set_hessian(weights)
                factor = None
            if factor is None:
                scale = total / self._weights.sum(1).clamp(min=1e-30)
                factor = self._factor(scale, c)
            direction = (
                -torch.cholesky_solve(gradient[..., None], factor)[..., 0]
                if factor.ndim == 3
                else -gradient * c[:, None]
            )
            decrement = -(gradient * direction).sum(1)
            centred = self.z - ((weights * self.z).sum(1) / total)[:, None]
            size = (weights * centred**2).sum(1) + (self.w**2).sum(1) / c
            reached = decrement <= tolerance**2 * size
            if reached.all():
                break
            directions = [(direction, (self.x @ direction[..., None])[..., 0]), (self.w, self.z)]
            directions += [step] if step is not None else []
            step = self._move(*map(list, zip(*directions, strict=True)), c, reached)
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

    def _drift(self, weights: Tensor, total: Tensor) -> float:
        """How much the samples' shares of the Hessian have changed since it was made, 0 to 2: the largest of all."""
        shares = weights / total[:, None]
        kept = self._weights / self._weights.sum(1, keepdim=True).clamp(min=1e-30)
        return float((shares - kept).abs().sum(1).max())

    def _set_hessian(self, weights: Tensor) -> None:
        """Set the Hessian of the log losses, with the intercept eliminated."""
        self._weights = weights
        x = self.x
        if len(x) == 1:
            (rows,) = (weights[0] > _NEGLIGIBLE * weights[0].sum() / self.samples[0]).nonzero(as_tuple=True)
            rows = rows[:: max(1, len(rows) // (_SAMPLES * x.shape[2]))]
            if len(rows) < 0.8 * x.shape[1]:
                x, part = x[:, rows], weights[:, rows]
                weights = part * (weights.sum() / part.sum())
        total = weights.sum(1).clamp(min=1e-30)[:, None, None]
        mean = (weights[:, None] @ x) / total
        x = x * weights.sqrt()[..., None]
        self._hessian = x.mT @ x - mean.mT @ mean * total

    def _factor(self, scale: Tensor, c: Tensor) -> Tensor:
        """Cholesky factor of the scaled Hessian with the penalty, (B, M, M); or (B,) ones where the penalty is all."""
        size = self._hessian.flatten(1).norm(dim=1) * scale
        if bool((c * size < _NEGLIGIBLE).all()):
            return torch.ones_like(c)
        matrix = self._hessian * scale[:, None, None]
        ridge, jitter = 1 / c, 1e-6 * matrix.diagonal(dim1=1, dim2=2).amax(1)
        while True:
            shifted = matrix.clone()
            shifted.diagonal(dim1=1, dim2=2).add_((ridge + jitter)[:, None])
            factor, failed = torch.linalg.cholesky_ex(shifted)
            if not failed.any():
                return factor
            jitter = torch.where(failed > 0, 10 * jitter + 1e-30, jitter)

    def _move(
        self, directions: list[Tensor], margins: list[Tensor], c: Tensor, rest: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Go to the minimum over the span of directions (B, M), of known margins (B, N), and the intercept.

        Those at ``rest`` (B,) stay: directions from a minimum are rounding, and would lead away from it.
        """
        span = torch.stack(directions, 1)
        along = torch.stack([*margins, torch.ones_like(self.z)], 1)
        size = len(directions)
        double = span.double()
        linear = self.w.new_zeros(len(c), size + 1, dtype=torch.float64)
        quadratic = linear.new_zeros(len(c), size + 1, size + 1)
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
            if (gain <= 1e-6 * lowest).all():
                break
        return t
