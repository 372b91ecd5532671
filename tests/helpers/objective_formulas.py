"""The objectives by loops over pairs, in numpy, and pairs to try them on.

The formulas are analytic, so that they also take complex numbers: an imaginary step then gives their derivatives to the
precision of float64, without automatic differentiation and without a step size to choose.
"""

import numpy as np


def logsumexp(s):
    largest = s.real.max()
    return np.log(np.sum(np.exp(s - largest))) + largest


def info_nce(x, z, scale):
    s = scale * x @ z.T
    return -sum((s[i, i] - logsumexp(s[i])) + (s[i, i] - logsumexp(s[:, i])) for i in range(len(s))) / (2 * len(s))


def loob(a, b, scale):
    s = scale * a @ b.T
    return -sum(s[i, i] - logsumexp(np.delete(s[i], i)) for i in range(len(s))) / len(s)


def info_loob(x, z, scale):
    return (loob(x, z, scale) + loob(z, x, scale)) / scale


def retrieved(state, stored, beta):
    patterns = np.stack([np.exp(s - logsumexp(s)) @ stored for s in beta * state @ stored.T])
    return patterns / np.sqrt((patterns**2).sum(axis=1, keepdims=True))


def hopfield(x, z, scale, beta=14.3):
    from_fields = loob(retrieved(x, x, beta), retrieved(z, x, beta), scale)
    from_compounds = loob(retrieved(z, z, beta), retrieved(x, z, beta), scale)
    return (from_fields + from_compounds) / scale


def gradient(function, point):
    """Derivatives of an analytic function of a vector, by an imaginary step."""
    return np.array([function(point + 1e-30j * unit).imag / 1e-30 for unit in np.eye(len(point))])


def unit_vectors(n, d, seed=0):
    """Fields and compounds, (2, n, d), with rows of length 1."""
    pairs = np.random.default_rng(seed).normal(size=(2, n, d))
    return pairs / np.linalg.norm(pairs, axis=-1, keepdims=True)
