"""Hessians of many weighted sums of log losses, and the Newton steps that they give."""

import torch
from torch import Tensor

_SAMPLES_PER_FEATURE = 8  # this many samples per feature are enough for a Hessian
#: Samples with less than this share of the mean weight are left out of the Hessian. If C |H| is below this number, only
#: the penalty is used.
_NEGLIGIBLE = 0.02
_SOME_SAMPLES = 256  # from so many samples the trace is estimated
_BLOCK = 128  # columns of the Hessian that are computed at a time


class Hessian:
    """Hessian of the log losses at given weights of the samples. It can be scaled to another sum of the weights.

    It is computed only once the penalty does not outweigh it.

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
        self.x, self.weights, self.samples = x, weights, samples
        self.total = weights.sum(1).clamp(min=1e-30)
        self.shares = weights / self.total[:, None]
        self.matrix: Tensor | None = None
        some = slice(None, None, max(1, x.shape[1] // _SOME_SAMPLES))
        # The trace, estimated from some samples. It is at least the Frobenius norm, which replaces it when it is known.
        self.norm = self.total / weights[:, some].sum(1) * (weights[:, some] * x[:, some].square().sum(2)).sum(1)
        self.scale = self.c = torch.full_like(self.total, torch.nan)  # of the factors; NaN before there are any
        self.factors: tuple[Tensor, Tensor] | None = None  # None if only the penalty is used

    def drift(self, weights: Tensor, total: Tensor) -> float:
        """Largest change of the samples' shares of the weights over all regressions, from 0 to 2."""
        return float((weights / total[:, None] - self.shares).abs().sum(1).max())

    def step(self, gradient: Tensor, total: Tensor, c: Tensor, small: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the Newton step of the objective at ``c``, with weights that sum to ``total``.

        Parameters
        ----------
        gradient
            (B, M).
        total, c
            (B,).
        small
            (B,) decrement that is small enough. The last factors are used once more if they show that no decrement
            is larger.

        Returns
        -------
        direction
            (B, M).
        decrement
            (B,) product of gradient and Newton step, or an upper bound of it.
        """
        scale = total / self.total
        growth, direction = scale / self.scale, self._solve(gradient)
        # The product is convex in the share of the penalty, so it lies below a chord.
        penalty = ((c / self.c * growth).clamp(min=1) - 1) * (direction**2).sum(1) / self.c
        bound = ((gradient * direction).sum(1) + penalty) / growth
        if (bound <= small).all():
            return -direction, bound
        jitter = torch.full_like(c, 1e-6)
        while True:
            self._factor(scale, c, jitter)
            direction = self._solve(gradient)
            decrement = (gradient * direction).sum(1)
            if not (indefinite := decrement < 0).any():
                return -direction, decrement
            jitter = torch.where(indefinite, 10 * jitter, jitter)

    def _factor(self, scale: Tensor, c: Tensor, jitter: Tensor) -> None:
        """Factorise the Hessian of the objective at ``c``, with weights that are larger by ``scale``.

        The largest element of the diagonal, multiplied by ``jitter``, is added to the diagonal.
        """
        self.scale, self.c, self.factors = scale, c, None
        if (c * scale * self.norm < _NEGLIGIBLE).all():
            return
        if self.matrix is None:
            self.matrix = self._product()
            self.norm = self.matrix.flatten(1).norm(dim=1)
            if (c * scale * self.norm < _NEGLIGIBLE).all():
                return
        matrix = self.matrix * scale[:, None, None]
        diagonal = matrix.diagonal(dim1=1, dim2=2)
        diagonal += (1 / c + jitter * diagonal.amax(1))[:, None]
        # LU instead of Cholesky: torch takes longer to clear the other triangle than to compute the factor.
        self.factors = torch.linalg.lu_factor_ex(matrix.mT)[:2]

    def _solve(self, gradient: Tensor) -> Tensor:
        """Compute the inverse of the factorised Hessian times a gradient (B, M)."""
        if self.factors is None:
            return gradient * self.c[:, None]
        return torch.linalg.lu_solve(*self.factors, gradient[..., None])[..., 0]

    def _product(self) -> Tensor:
        """Compute the Hessian (B, M, M)."""
        x, weights = self.x, self.weights
        if len(x) == 1:
            (rows,) = (weights[0] > _NEGLIGIBLE * self.total / self.samples).nonzero(as_tuple=True)
            enough = _SAMPLES_PER_FEATURE * x.shape[2]
            if len(rows) > enough:
                rows = rows[torch.arange(enough, device=rows.device) * len(rows) // enough]
            if len(rows) < 0.8 * x.shape[1]:
                x, weights = x.index_select(1, rows), weights[:, rows]
                weights = weights * (self.total / weights.sum(1))[:, None]
        mean = (weights[:, None] @ x) / self.total[:, None, None]
        matrix = -mean.mT @ mean * self.total[:, None, None]
        # The product is symmetric: each block of columns is computed down to the diagonal, and then mirrored.
        for start in range(0, x.shape[2], _BLOCK):
            columns, rows_above = slice(start, start + _BLOCK), slice(0, start + _BLOCK)
            product = x[..., rows_above].mT @ (x[..., columns] * weights[..., None])
            matrix[:, rows_above, columns] += product
            matrix[:, columns, :start] += product[:, :start].mT
        return matrix
