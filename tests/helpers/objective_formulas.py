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


def log_sigmoid(s):
    """log(1 / (1 + exp(-s)))."""
    return -logsumexp(np.array([0 * s, -s]))


def siglip(x, z, scale, bias, unit):
    total = 0
    for i in range(len(x)):
        for j in range(len(x)):
            s = scale * x[i] @ z[j] + bias
            total += log_sigmoid(s if unit[i] == unit[j] else -s)
    return -total / len(x)


def min_max(a, b):
    """Tanimoto coefficient of bits, min-max kernel of counts; 0 for two empty vectors."""
    smaller = sum(min(p, q) for p, q in zip(a, b, strict=True))
    larger = sum(max(p, q) for p, q in zip(a, b, strict=True))
    return smaller / larger if larger else 0.0


def cosine(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def similarity(inputs, unit, measure):
    rows = range(len(inputs))
    return np.array([[1.0 if unit[i] == unit[j] else measure(inputs[i], inputs[j]) for j in rows] for i in rows])


def cwcl(x, z, scale, weights, unit, soft="image_to_compound"):
    """Mean of the soft direction and of the other one, whose target is shared by the pairs of a compound."""
    s = scale * x @ z.T
    s = s if soft == "image_to_compound" else s.T
    loss = 0
    for i in range(len(s)):
        row, column = s[i] - logsumexp(s[i]), s[:, i] - logsumexp(s[:, i])
        matches = [j for j in range(len(s)) if unit[j] == unit[i]]
        loss -= sum(weights[i, j] * row[j] for j in range(len(s))) / sum(weights[i])
        loss -= sum(column[j] for j in matches) / len(matches)
    return loss / (2 * len(s))


def s2l(x, z, scale, bias, weights, gamma=1.0, delta=1.0):
    total = 0
    for i in range(len(x)):
        for j in range(len(x)):
            s, w = scale * x[i] @ z[j] + bias, weights[i, j]
            total += w * log_sigmoid(s) + (gamma - delta * w) * log_sigmoid(-s)
    return -total / len(x)


def replicate_term(fields, compounds, plates, scale, term):
    """Over single fields (n, d) of any length; ``plates`` None: positives may be on the same plate."""
    z = [vector / np.sqrt(vector @ vector) for vector in fields]
    losses, distances = [], []
    for a in range(len(z)):
        others = [b for b in range(len(z)) if b != a]
        positives = [b for b in others if compounds[b] == compounds[a] and (plates is None or plates[b] != plates[a])]
        if not positives:
            continue
        compared = positives + [b for b in others if compounds[b] != compounds[a]]
        total = logsumexp(np.array([scale * z[a] @ z[b] for b in compared]))
        losses.append(-sum(scale * z[a] @ z[p] - total for p in positives) / len(positives))
        distances += [((z[a] - z[p]) ** 2).sum() for p in positives]
    return sum(losses) / len(losses) if term == "contrastive" else sum(distances) / len(distances)


def gradient(function, point):
    """Derivatives of an analytic function of a vector, by an imaginary step."""
    return np.array([function(point + 1e-30j * unit).imag / 1e-30 for unit in np.eye(len(point))])


def unit_vectors(n, d, seed=0):
    """Fields and compounds, (2, n, d), with rows of length 1."""
    pairs = np.random.default_rng(seed).normal(size=(2, n, d))
    return pairs / np.linalg.norm(pairs, axis=-1, keepdims=True)
