"""Fusion of models: their standardised scores are added with weights.

The score of a field and a compound by one model is the dot product of its vectors f and c. Its standardised score is
the score divided by the standard deviation s of the scores of validation pairs. The mean of the scores is not
subtracted, since a constant changes no rank. The vectors of a fusion are the vectors of its parts side by side, each
multiplied by the root of w / s, where w is the weight of the part. So the dot product of two vectors of the fusion is
the weighted sum of the standardised scores of its parts, up to a common factor: if all parts have vectors of length 1,
so has the fusion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.evaluation.selection import match_quality, mean_quality, selection_table, validation_draws


@dataclass(frozen=True)
class Part:
    """A model that is part of a fusion.

    Attributes
    ----------
    fields, compounds
        Its embeddings.
    """

    fields: Embeddings
    compounds: Embeddings

    @property
    def normalised(self) -> bool:
        """Whether its vectors have length 1."""
        return bool(self.fields.meta.get("normalised", True))

    @property
    def learned(self) -> bool:
        """Whether it learned its vectors of fields."""
        return bool(self.fields.meta.get("learned", True))


Parts = Mapping[str, Part]


def weight_grid(n_parts: int, steps: int) -> np.ndarray:
    """All weights of ``n_parts`` parts that are multiples of 1 / ``steps`` and add up to 1: (candidates, n_parts).

    >>> weight_grid(2, 2)
    array([[0. , 1. ],
           [0.5, 0.5],
           [1. , 0. ]])
    """
    bars = np.array(list(combinations(range(steps + n_parts - 1), n_parts - 1))).reshape(-1, n_parts - 1)
    edges = np.hstack([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), steps + n_parts - 1)])
    return (np.diff(edges, axis=1) - 1) / steps


@dataclass(frozen=True)
class Weighting:
    """The weights of a fusion, and how they were chosen.

    Attributes
    ----------
    weights
        Weight of each part.
    scales
        Standard deviation of the scores of each part over validation pairs.
    balances
        Factor of the field vectors of each part, by which its compound vectors are divided. Scores do not change. Both
        then have the same mean square over validation pairs. Otherwise, the arbitrary lengths of vectors that are not
        normalised would decide how much a part counts when fields are compared with one another.
    selection
        Table ``selection``.
    """

    weights: dict[str, float]
    scales: dict[str, float]
    balances: dict[str, float]
    selection: pd.DataFrame


def choose_weights(parts: Parts, examples: pd.DataFrame, grid: np.ndarray, seed: int, draws: int) -> Weighting:
    """Choose the weights with the highest top-1 on the validation fold. Other folds are not read.

    Top-1 is the mean over both directions and several draws of one field per compound, in the full pool. The higher
    mean reciprocal rank decides between equal values, and then the order of the grid.

    Parameters
    ----------
    parts
        The models, by name.
    examples
        Table of that name.
    grid
        (candidates, parts) weights that are tried.
    seed, draws
        As in :func:`~cloome_kedro.evaluation.selection.validation_draws`.

    Raises
    ------
    ValueError
        If the scores of a part are all the same, or if fewer than two validation compounds are known to all parts.
    """
    known = np.ones(len(examples), bool)
    for part in parts.values():
        known &= part.fields.knows(examples["field_id"]) & part.compounds.knows(examples["inchikey"])
    tables = validation_draws(examples, known, seed, draws)
    scales = {name: _scale(name, part, tables) for name, part in parts.items()}
    qualities: list[list[tuple[float, float]]] = [[] for _ in grid]
    for table in tables:
        scores = [_scores(part, table) / scales[name] for name, part in parts.items()]
        for weights, of_draws in zip(grid, qualities, strict=True):
            total = sum(float(weight) * score for weight, score in zip(weights, scores, strict=True) if weight > 0)
            of_draws.append(match_quality(np.asarray(total)))
    settings = [pd.DataFrame({"setting": "weight", "part": list(parts), "value": weights}) for weights in grid]
    selection = selection_table(settings, [mean_quality(of_draws) for of_draws in qualities])
    best = selection[selection["best"]]
    weights = dict(zip(best["part"], best["value"], strict=True))
    return Weighting(weights, scales, {name: _balance(part, tables) for name, part in parts.items()}, selection)


def _scores(part: Part, table: pd.DataFrame) -> np.ndarray:
    """Scores of the fields of a draw (rows) with the compounds of the draw (columns)."""
    return part.fields.of(table["field_id"]) @ part.compounds.of(table["inchikey"]).T


def _scale(name: str, part: Part, tables: Sequence[pd.DataFrame]) -> float:
    """Standard deviation of scores over all pairs of all draws."""
    scores = [_scores(part, table).astype(np.float64) for table in tables]
    mean = float(np.mean([score.mean() for score in scores]))
    scale = float(np.sqrt(np.mean([np.square(score - mean).mean() for score in scores])))
    if not scale > 1e-12 * max(1.0, abs(mean)):
        raise ValueError(f"all validation scores of the model {name} are the same: leave it out of the fusion")
    return scale


def _balance(part: Part, tables: Sequence[pd.DataFrame]) -> float:
    """Fourth root of the ratio of the mean squares of compound vectors and of field vectors."""
    if part.normalised:
        return 1.0
    vectors = (
        np.concatenate([part.fields.of(table["field_id"]) for table in tables]),
        np.concatenate([part.compounds.of(table["inchikey"]) for table in tables]),
    )
    fields, compounds = (float(np.square(side, dtype=np.float64).mean()) for side in vectors)
    return (compounds / fields) ** 0.25  # neither is 0, since the scores differ


def factors(weighting: Weighting) -> dict[str, tuple[float, float]]:
    """Factors of the vectors of each part: of fields and of compounds. Parts with weight 0 are left out.

    Raises
    ------
    ValueError
        If no weight is above 0.
    """
    gains = {name: weight / weighting.scales[name] for name, weight in weighting.weights.items() if weight > 0}
    if not gains:
        raise ValueError("a fusion needs a part with a weight above 0")
    total, found = sum(gains.values()), {}
    for name, gain in gains.items():
        root, balance = float(np.sqrt(gain / total)), weighting.balances[name]
        found[name] = (root * balance, root / balance)
    return found


def join(vectors: Sequence[np.ndarray], by: Sequence[float]) -> np.ndarray:
    """Join the vectors of parts, each (n, d) times its factor, side by side: (n, sum of all d) float32."""
    return np.hstack([(part * np.float64(factor)).astype(np.float32) for part, factor in zip(vectors, by, strict=True)])


def fuse(parts: Parts, weighting: Weighting) -> tuple[Embeddings, Embeddings]:
    """Join the vectors of the parts side by side.

    Parameters
    ----------
    parts
        The models, by name.
    weighting
        Their weights. Parts with weight 0 have no columns.

    Returns
    -------
    fields, compounds : Embeddings
        float32 vectors of the keys that all parts know, without metadata.

    Raises
    ------
    ValueError
        If no weight is above 0, or if no field or no compound is known to all parts.
    """
    of_parts = factors(weighting)
    sides = []
    for side, name_of_side in enumerate(("fields", "compounds")):
        embeddings = {name: getattr(part, name_of_side) for name, part in parts.items()}
        first, *others = embeddings.values()
        keys = (
            first.keys[np.logical_and.reduce([other.knows(first.keys) for other in others])] if others else first.keys
        )
        if not len(keys):
            raise ValueError(f"none of the {name_of_side} is known to all parts of the fusion, {', '.join(parts)}")
        blocks = [embeddings[name].of(keys) for name in of_parts]
        sides.append(Embeddings(keys, join(blocks, [pair[side] for pair in of_parts.values()])))
    return sides[0], sides[1]
