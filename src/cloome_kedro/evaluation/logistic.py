"""Logistic regressions with an L2 penalty, many at a time, along a grid of C.

Each minimises ``sum of log losses + |w|^2 / (2 C)`` with an intercept that is not penalised. This is scikit-learn's
objective divided by C. The solver is Newton's method with three savings:

- The Hessian weights each sample. It is reused while each sample has nearly the same share of the weights. This is
  often the case over several decades of C. Samples with a very small weight are left out of it.
- A step goes to the minimum in a small subspace, which the Newton direction, the last step and the current coefficients
  span. The margins of all three are known, so the search for the minimum does not read the features again.
- The next C starts from the minimum over the last two solutions. Solutions move nearly linearly in log C, also where
  classes are separable and norms grow without bound.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

#: The Hessian is computed again if the samples' shares of the weights have changed by more than this: in the first
#: three steps, and later.
_DRIFT = 0.6, 0.15
_SAMPLES_PER_FEATURE = 8  # this many samples per feature are enough for a Hessian
#: Samples with less than this share of the mean weight are left out of the Hessian. If C |H| is below this number, only
#: the penalty is used.
_NEGLIGIBLE = 0.02
_SMALL_GAIN = 1e-3  # a step with a smaller gain, relative to the objective, is taken without a check
_BLOCK = 128  # columns of the Hessian that are computed at a time
_MAX_RESIDUAL = 0.9  # a sample with a larger residual has the curvature of this residual
_STEPS = 25
#: An error of up to 5 tolerances is accepted if the last step left more than 0.8 of the error: rounding is the limit.
_STALLED = 5, 0.8

_Direction = tuple[Tensor, Tensor]  # change of the coefficients (B, M), and of the margins (B, N)


class LogisticRegressions:
    """B logistic regressions on N samples each, with M features.

    Parameters
    ----------
    features
        (B, N, M) float32, roughly centred. The intercept is not penalised, so a shift changes only rounding errors.
    labels
        (B, N) 1 or 0.
    known
        (B, N) 1 for a sample, 0 for padding. Features of padding are 0.

    Attributes
    ----------
    w, b
        (B, M) coefficients and (B,) intercepts. Before the first :meth:`solve`, they are 0 and the log odds of the
        labels.

    Examples
    --------
    >>> features = torch.tensor([[[-1.0], [1.0], [-1.0], [1.0]]])
    >>> labels = torch.tensor([[0.0, 1.0, 1.0, 1.0]])
    >>> model = LogisticRegressions(features, labels, torch.ones(1, 4))
    >>> model.solve(c=torch.ones(1), tolerance=1e-4)
    tensor([True])
    >>> round(float(model.w), 2)  # LogisticRegression(C=1) of scikit-learn gives the same
    0.58
    """

    def __init__(self, features: Tensor, labels: Tensor, known: Tensor):
        self.x, self.y, self.known = features, labels, known
        self.samples = known.sum(1)
        share = (labels * known).sum(1) / self.samples
        self.w = features.new_zeros(features.shape[0], features.shape[2])
        self.b = torch.log(share / (1 - share))
        self.z = torch.zeros_like(labels)  # margins without the intercept
        self._hessian: _Hessian | None = None
        self._previous: _Direction | None = None  # solution of the previous C

    def start(self, w: Tensor, b: Tensor) -> None:
        """Start from coefficients (B, M) and intercepts (B,)."""
        self.w, self.b, self.z = w, b, (self.x @ w[..., None])[..., 0]

    def solve(self, c: Tensor, tolerance: float) -> Tensor:
        """Minimise at ``c``, starting from the last solution.

        Parameters
        ----------
        c
            (B,) inverse strengths of the penalty.
        tolerance
            Relative error of the margins, in the norm of the Hessian, at which to stop.

        Returns
        -------
        Tensor
            (B,) bool: whether a regression reached the tolerance. It also counts as reached where rounding prevents a
            smaller error, as it does for separable classes and a large C.
        """
        solution = self.w, self.z
        if self._previous is not None:
            previous_w, previous_z = self._previous
            self._move([(self.w, self.z), (self.w - previous_w, self.z - previous_z)], c)
        self._previous = solution
        step: list[_Direction] = []
        error = torch.full_like(c, torch.inf)
        for i in range(_STEPS):
            residuals, weights = self._derivatives(self.z + self.b[:, None])
            gradient = (residuals[:, None] @ self.x)[:, 0] + self.w / c[:, None]
            total = weights.sum(1).clamp(min=1e-30)
            centred = self.z - ((weights * self.z).sum(1) / total)[:, None]
            size = (weights * centred**2).sum(1) + (self.w**2).sum(1) / c
            keep = self._hessian is not None and self._hessian.drift(weights, total) <= _DRIFT[i > 2]
            if self._hessian is None or not keep:
                self._hessian = _Hessian(self.x, weights, self.samples)
            elif i == 0 and (self._hessian.bound(gradient, total, c) <= tolerance**2 * size).all():
                return torch.ones_like(size, dtype=torch.bool)
            if i == 0 or not keep:
                self._hessian.factor(total, c)
            direction = -self._hessian.solve(gradient)
            last_error, error = error, (-(gradient * direction).sum(1) / size.clamp(min=1e-30)).clamp(min=0).sqrt()
            tolerances, share_left = _STALLED
            stalled = (error <= tolerances * tolerance) & (error > share_left * last_error)
            reached = (error <= tolerance) | stalled
            if reached.all():
                break
            margins = (self.x @ direction[..., None])[..., 0]
            step = [self._move([(direction, margins), (self.w, self.z), *step], c, reached)]
        return reached

    def _derivatives(self, margins: Tensor) -> tuple[Tensor, Tensor]:
        """First derivatives of the losses by the margins, and bounds of the second derivatives, (B, N) each.

        A sample far on the wrong side has almost no curvature, so a Newton step would go far beyond the minimum. Its
        curvature is therefore that of a sample nearer to the boundary.
        """
        p = torch.sigmoid(margins)
        residuals = (p - self.y) * self.known
        bounded = residuals.clamp(-_MAX_RESIDUAL, _MAX_RESIDUAL).abs()
        return residuals, bounded * (1 - bounded) * self.known

    def _move(self, directions: list[_Direction], c: Tensor, finished: Tensor | None = None) -> _Direction:
        """Go to the minimum over the span of the directions and the intercept, and return the step.

        Regressions that are ``finished``, (B,) bool, do not move. At their minimum, directions are rounding errors.
        """
        span = torch.stack([w for w, _ in directions], 1)
        margins = torch.stack([*(z for _, z in directions), torch.ones_like(self.z)], 1)
        size = len(directions)
        double = span.double()
        linear = double.new_zeros(len(c), size + 1)
        quadratic = double.new_zeros(len(c), size + 1, size + 1)
        linear[:, :size] = (double @ self.w.double()[..., None])[..., 0] / c[:, None]
        quadratic[:, :size, :size] = double @ double.mT / c[:, None, None]
        t = self._minimise(margins, linear, quadratic).to(span.dtype)
        if finished is not None:
            t = t.masked_fill(finished[:, None], 0)
        step_w, step_z = (t[:, None, :-1] @ span)[:, 0], (t[:, None, :-1] @ margins[:, :-1])[:, 0]
        self.w, self.z, self.b = self.w + step_w, self.z + step_z, self.b + t[:, -1]
        return step_w, step_z

    def _minimise(self, directions: Tensor, linear: Tensor, quadratic: Tensor) -> Tensor:
        """Find the t (B, S) with the lowest losses at margins z + b + t directions, plus linear t + t quadratic t / 2.

        ``directions`` (B, S, N) are changes of the margins.
        """
        start, sign = self.z + self.b[:, None], 1 - 2 * self.y

        def margins_at(t):
            return start + (t.to(directions.dtype)[:, None] @ directions)[:, 0]

        def objective(t, margins):
            losses = (softplus(sign * margins) * self.known).sum(1, dtype=torch.float64)
            return losses + (linear * t).sum(1) + (t * (quadratic @ t[..., None])[..., 0]).sum(1) / 2

        t = torch.zeros_like(linear)
        margins = start
        lowest = objective(t, margins)
        for _ in range(4):
            residuals, weights = self._derivatives(margins)
            gradient = (directions @ residuals[..., None])[..., 0].double()
            gradient += linear + (quadratic @ t[..., None])[..., 0]
            hessian = ((directions * weights[:, None]) @ directions.mT).double() + quadratic
            scale = hessian.diagonal(dim1=1, dim2=2).clamp(min=1e-60).sqrt()
            hessian = hessian / scale[:, None] / scale[..., None]
            hessian.diagonal(dim1=1, dim2=2).add_(1e-7)
            step = -torch.linalg.solve(hessian, gradient / scale) / scale
            gain = -(gradient * step).sum(1)
            if (gain <= _SMALL_GAIN * lowest).all():  # the minimum is so near that a further step would gain far less
                return t + step
            length = torch.ones_like(gain)
            for _ in range(20):
                candidate = t + length[:, None] * step
                margins = margins_at(candidate)
                value = objective(candidate, margins)
                # The last term allows for the rounding of the sum.
                higher = ~(value <= lowest - 1e-4 * length * gain + 2e-7 * lowest)
                if not higher.any():
                    break
                length = torch.where(higher, 0.3 * length, length)
            else:
                candidate = torch.where(higher[:, None], t, candidate)
                margins = margins_at(candidate)
                value = torch.where(higher, lowest, value)
            t, lowest = candidate, value
        return t


class _Hessian:
    """Hessian of the log losses at given weights of the samples. It can be scaled to another sum of the weights.

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
            rows = rows[:: max(1, len(rows) // (_SAMPLES_PER_FEATURE * x.shape[2]))]
            if len(rows) < 0.8 * x.shape[1]:
                x, weights = x.index_select(1, rows), weights[:, rows]
                weights = weights * (self.total / weights.sum(1))[:, None]
        mean = (weights[:, None] @ x) / self.total[:, None, None]
        self.matrix = -mean.mT @ mean * self.total[:, None, None]
        # The product is symmetric: each block of columns is computed down to the diagonal, and then mirrored.
        for start in range(0, x.shape[2], _BLOCK):
            columns, rows_above = slice(start, start + _BLOCK), slice(0, start + _BLOCK)
            product = x[..., rows_above].mT @ (x[..., columns] * weights[..., None])
            self.matrix[:, rows_above, columns] += product
            self.matrix[:, columns, :start] += product[:, :start].mT

    def drift(self, weights: Tensor, total: Tensor) -> float:
        """Largest change of the samples' shares of the weights over all regressions, from 0 to 2."""
        return float((weights / total[:, None] - self.shares).abs().sum(1).max())

    def factor(self, total: Tensor, c: Tensor) -> None:
        """Factorise the Hessian of the objective at ``c``, with weights that sum to ``total``."""
        self.scale, self.c = total / self.total, c
        self.triangle: Tensor | None = None
        if (c * self.scale * self.matrix.flatten(1).norm(dim=1) < _NEGLIGIBLE).all():
            return
        matrix = self.matrix * self.scale[:, None, None]
        jitter = 1e-6 * matrix.diagonal(dim1=1, dim2=2).amax(1)
        while True:
            shifted = matrix.clone()
            shifted.diagonal(dim1=1, dim2=2).add_((1 / c + jitter)[:, None])
            self.triangle, failed = torch.linalg.cholesky_ex(shifted)
            if not failed.any():
                return
            jitter = torch.where(failed > 0, 10 * jitter + 1e-30, jitter)

    def solve(self, gradient: Tensor) -> Tensor:
        """Inverse of the factorised Hessian times a gradient (B, M)."""
        if self.triangle is None:
            return gradient * self.c[:, None]
        return torch.cholesky_solve(gradient[..., None], self.triangle)[..., 0]

    def bound(self, gradient: Tensor, total: Tensor, c: Tensor) -> Tensor:
        """Upper bound (B,) of the product of gradient and Newton step at ``total`` and ``c``, without factorising."""
        smallest = torch.minimum(total / (self.total * self.scale), self.c / c)
        return (gradient * self.solve(gradient)).sum(1) / smallest
