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

from cloome_kedro.evaluation.hessians import Hessian

#: The Hessian is computed again if the samples' shares of the weights have changed by more than this: in the first
#: three steps, and later.
_DRIFT = 0.6, 0.15
_SMALL_GAIN = 1e-2  # a step with a smaller gain, relative to the objective, is taken without a check
_MAX_RESIDUAL = 0.9  # a sample with a larger residual has the curvature of this residual
_STEPS = 25
#: Added to the diagonal of the scaled Hessian of a search in a subspace. Directions can be parallel, and the Hessian is
#: then singular up to the rounding of float32. This number is far above that rounding.
_PARALLEL = 1e-5
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
        self._slopes: tuple[Tensor, Tensor] | None = None  # derivatives at the current margins
        self._hessian: Hessian | None = None
        self._previous: _Direction | None = None  # solution of the previous C

    def start(self, w: Tensor, b: Tensor) -> None:
        """Start from coefficients (B, M) and intercepts (B,)."""
        self.w, self.b, self.z, self._slopes = w, b, (self.x @ w[..., None])[..., 0], None

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
            residuals, weights = self._slopes = self._slopes or self._derivatives(self.z + self.b[:, None])
            gradient = (residuals[:, None] @ self.x)[:, 0] + self.w / c[:, None]
            total = weights.sum(1).clamp(min=1e-30)
            centred = self.z - ((weights * self.z).sum(1) / total)[:, None]
            size = (weights * centred**2).sum(1) + (self.w**2).sum(1) / c
            keep = self._hessian is not None and self._hessian.drift(weights, total) <= _DRIFT[i > 2]
            if self._hessian is None or not keep:
                self._hessian = Hessian(self.x, weights, self.samples)
            small = tolerance**2 * size if i == 0 else torch.full_like(size, torch.inf)
            direction, decrement = self._hessian.step(gradient, total, c, small)
            last_error, error = error, (decrement / size.clamp(min=1e-30)).clamp(min=0).sqrt()
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
        self.w, self.z, self.b, self._slopes = self.w + step_w, self.z + step_z, self.b + t[:, -1], None
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
        slopes = self._slopes
        for _ in range(4):
            residuals, weights = slopes or self._derivatives(margins)
            slopes = None
            gradient = (directions @ residuals[..., None])[..., 0].double()
            gradient += linear + (quadratic @ t[..., None])[..., 0]
            hessian = ((directions * weights[:, None]) @ directions.mT).double() + quadratic
            scale = hessian.diagonal(dim1=1, dim2=2).clamp(min=1e-60).sqrt()
            hessian = hessian / scale[:, None] / scale[..., None]
            hessian.diagonal(dim1=1, dim2=2).add_(_PARALLEL)
            step = -torch.linalg.solve_ex(hessian, gradient / scale)[0] / scale
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
