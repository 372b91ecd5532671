"""Cells with intervals, and aligned text."""

import pandas as pd

from cloome_kedro.reporting.cells import auc_text, percent_text, text_lines

NO_INTERVAL = {"low": float("nan"), "high": float("nan")}


def test_points_of_a_difference_have_their_sign():
    row = {"difference": -0.0321, "low": -0.05, "high": 0.004}
    assert percent_text(row, signed=True) == "-3.2 (-5.0 to +0.4)"
    assert percent_text(row | {"difference": -0.0003}, signed=True) == "+0.0 (-5.0 to +0.4)"
    assert auc_text(row, signed=True) == "-0.032 (-0.050 to +0.004)"
    assert auc_text(row | {"difference": -0.0003}, signed=True) == "+0.000 (-0.050 to +0.004)"


def test_a_value_without_an_interval_stands_alone():
    assert percent_text({"value": 0.0123, **NO_INTERVAL}) == "1.2 %"
    assert auc_text({"value": 0.5, **NO_INTERVAL}) == "0.500"


def test_columns_are_aligned():
    table = pd.DataFrame({"method": ["CLOOME", "Random"], "n": ["28", "7"], "top-1": ["82.1 %", "5.0 %"]})
    assert text_lines(table, left=1) == [
        "  method   n   top-1",
        "  CLOOME  28  82.1 %",
        "  Random   7   5.0 %",
    ]
