"""The table of settings that were chosen on the validation fold."""

import pandas as pd

from cloome_kedro.evaluation.selection import selection_table as tried
from cloome_kedro.reporting.cells import ABSENT
from cloome_kedro.reporting.selections import selection_table


def test_settings_and_parts_alone():
    alphas = [pd.DataFrame({"setting": ["alpha"], "part": [None], "value": [value]}) for value in (0.1, 1)]
    grid = [(1.0, 0.0), (0.5, 0.5), (0.0, 1.0)]
    weights = [pd.DataFrame({"setting": "weight", "part": ["a", "b"], "value": row}) for row in grid]
    selections = {
        "Ridge": tried(alphas, [(0.25, 0.4), (0.25, 0.5)]),
        "Fusion": tried(weights, [(0.2, 0.3), (0.4, 0.5), (0.1, 0.2)]),
    }
    table = selection_table(selections, {"a": "Model A"})
    assert table.to_numpy().tolist() == [
        ["Ridge", "alpha", "1", "2", "25.0 %", ABSENT],
        ["Fusion", "weight of Model A", "0.5", "3", "40.0 %", "20.0 %"],
        ["Fusion", "weight of b", "0.5", "3", "40.0 %", "10.0 %"],
    ]


def test_given_weights_were_not_compared_with_parts_alone():
    given = tried([pd.DataFrame({"setting": "weight", "part": ["a", "b"], "value": [1.0, 2.0]})], [(0.2, 0.3)])
    assert selection_table({"Fusion": given}, {})["this part alone"].tolist() == [ABSENT, ABSENT]


def test_without_such_models_there_are_no_rows():
    assert selection_table({}, {}).empty
