import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.folds import pool_folds
from cloome_kedro.evaluation.intervals import exact_interval
from cloome_kedro.schemas import metrics as schema

SETTING = {
    "task": "retrieval",
    "images": "clean",
    "direction": "image to compound",
    "pool": "full",
    "shown_by": "field",
}

UNCOUNTED = {"successes": None}


def row(split, successes, n, method="A", metric="top-1", draws=1, **values):
    value = successes / n
    return {
        **{
            "split": split,
            "method": method,
            "excluded": None,
            "draws": draws,
            "candidates": float(n),
            "metric": metric,
        },
        **{"value": value, "low": value, "high": value, "interval": "exact", "n": n, "compounds": n, "spread": None},
        **{"successes": successes, "chance": 1 / n, "split_hash": split, **SETTING, **values},
    }


def test_queries_of_all_folds_are_added_up():
    table = pd.DataFrame(
        [
            *(
                row("f_1", 3, 10),
                row("f_2", 5, 30),
                row("f_1", 9, 10, metric="top-10"),
                row("f_2", 1, 30, metric="top-10"),
            ),
            *(row("f_1", 2, 10, method="B"), row("other", 9, 9), row("f_2", 9, 30, draws=10)),
            *(
                row("f_1", 1, 10, metric="mean rank") | UNCOUNTED,
                row("f_2", 1, 30, metric="mean rank") | UNCOUNTED,
            ),
            *(row(split, 1, n, method="Random") | UNCOUNTED for split, n in (("f_1", 10), ("f_2", 30))),
        ]
    )
    pooled = schema.validate(pool_folds(table, ["f_1", "f_2"], "f"))
    keys = pooled[["split", "method", "metric"]].to_numpy().tolist()
    assert keys == [["f", "A", "top-1"], ["f", "A", "top-10"], ["f", "Random", "top-1"]]
    first = pooled.iloc[0]
    assert (first["successes"], first["n"], first["compounds"], first["value"]) == (8, 40, 40, 0.2)
    assert (first["low"], first["high"]) == pytest.approx(exact_interval(8, 40))
    assert first["candidates"] == pytest.approx((10 * 10 + 30 * 30) / 40)
    assert first["chance"] == pytest.approx(2 / 40), "one expected success in each fold"
    assert np.isclose(pooled.iloc[1]["value"], 10 / 40)
    assert pooled.iloc[2]["value"] == pytest.approx(2 / 40)
    assert pd.isna(pooled.iloc[2]["successes"])
