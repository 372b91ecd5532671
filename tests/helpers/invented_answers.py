"""Invented embeddings of fields and compounds of three folds, whose difficulty can differ between folds."""

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.methods import Embeddings, Method
from cloome_kedro.evaluation.scored_queries import ScoreBlock, ScoredQueries
from cloome_kedro.words import TASKS
from planted_examples import inchikey, make_examples, unit

FOLDS = ("train", "validation", "test")


def invented_screen(sizes=(40, 120, 120), noise=(0.8, 0.8, 0.8), plates=3, mechanisms=6, seed=0):
    """Examples, and a method with vectors of fields and compounds.

    Parameters
    ----------
    sizes, noise
        Number of compounds of each fold, and how far its fields lie from their compound.
    plates
        Each compound has one field on each.
    mechanisms
        Compounds of a mechanism lie near to one another.
    seed
        Seed of everything.

    Returns
    -------
    examples : pandas.DataFrame
    method : Method
    """
    generator = np.random.default_rng(seed)
    n = sum(sizes)
    fold = np.repeat(FOLDS, sizes)
    of_fold = dict(zip(FOLDS, noise, strict=True))
    number = np.arange(n)
    fields = pd.concat(
        [pd.DataFrame({"plate": f"P{plate}", "number": number}) for plate in range(plates)], ignore_index=True
    )
    wells = np.concatenate([generator.permutation(n) for _ in range(plates)])
    fields["well"] = [f"{chr(65 + well // 48)}{well % 48 + 1:02d}" for well in wells]
    mechanism = generator.integers(0, mechanisms, n)
    examples = make_examples(fields, fold, moa=[f"mechanism {m}" for m in mechanism])
    compounds = generator.normal(size=(mechanisms, 12))[mechanism] + generator.normal(size=(n, 12))
    spread = np.array([of_fold[name] for name in fold])[fields["number"]]
    images = compounds[fields["number"]] + spread[:, None] * generator.normal(size=(len(fields), 12))
    meta = {"split_hash": examples["split_hash"].iloc[0], "weights": "w", "inverse_temperature": 10.0}
    vectors = Embeddings(examples["field_id"].to_numpy(str), unit(images), meta)
    structures = Embeddings(np.array([inchikey(i) for i in number]), unit(compounds), meta)
    return examples, Method(vectors, structures, tasks=TASKS)


def queries_of(scores, match, size=3):
    """Queries with these scores, in blocks of so many; minus infinity where a candidate is not in the pool."""
    scores, match = np.asarray(scores, float), np.asarray(match)
    own = scores[np.arange(len(match)), match][:, None]

    def blocks():
        for start in range(0, len(match), size):
            rows = np.arange(start, min(start + size, len(match)))
            yield ScoreBlock(rows, scores[rows], match[rows])

    return ScoredQueries(
        np.array([f"compound{i:03d}" for i in range(len(match))]),
        (scores >= own).sum(axis=1),
        np.isfinite(scores).sum(axis=1),
        blocks,
    )
