"""Tables of the comparison of models over seeds and splits."""

import pandera.pandas as pa

from cloome_kedro.schemas.base import INCHIKEY, column, table
from cloome_kedro.words import DIRECTIONS

_top_k = column(float, pa.Check.in_range(0, 1), regex=True)

#: one row per model, seed, direction and compound
comparison_hits = table(
    {
        "split": column(str),
        "seed": column(int, pa.Check.ge(0)),
        "method": column(str),  # label of the model
        "direction": column(str, pa.Check.isin(DIRECTIONS)),
        "compound": column(str, INCHIKEY),
        "candidates": column(float, pa.Check.ge(1)),  # mean size of the pools
        r"^chance_[0-9]+$": _top_k,  # share of the first k that chance gives
        r"^top-[0-9]+$": _top_k,  # share of draws in which the match is among the first k
        "split_hash": column(str),
    },
    unique=["seed", "method", "direction", "compound"],
)

#: one row per split (or kind of folds), model, direction and metric
comparison = table(
    {
        "split": column(str),  # folds of a cross-validation are one split, such as scaffold_fold
        "method": column(str),
        "direction": column(str, pa.Check.isin(["both", *DIRECTIONS])),  # both: mean of the two directions
        "metric": column(str),
        "value": column(float),  # mean over seeds and compounds
        "low": column(float),  # bootstrap over compounds and seeds
        "high": column(float),
        "spread": column(float, nullable=True),  # standard deviation over seeds; empty for a single seed
        "seeds": column(int, pa.Check.ge(1)),
        "compounds": column(int, pa.Check.ge(1)),
        "candidates": column(float),
        "chance": column(float),
        "against": column(str, nullable=True),  # reference; empty in its own rows
        "difference": column(float, nullable=True),  # over compounds that both models know
        "difference_low": column(float, nullable=True),
        "difference_high": column(float, nullable=True),
        "verdict": column(str, pa.Check.isin(["above", "no different", "below"]), nullable=True),
        "split_hash": column(str),
    },
    unique=["split", "method", "direction", "metric"],
)
