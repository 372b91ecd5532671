import numpy as np
import pandas as pd
import pytest

from cloome_kedro.reporting.comparison import comparison_figure, comparison_tables, format_comparison
from cloome_kedro.reporting.style import Look

LOOK = Look(note="simulated data", models={"cloome": "CLOOME", "bilinear": "Bilinear"}, reference="Bilinear")


@pytest.fixture
def comparison():
    rows = []
    for split in ("random", "scaffold"):
        for direction in ("both", "image to compound", "compound to image"):
            for metric, shift in (("top-1", 0.0), ("top-5", 0.1), ("top-10", 0.3)):
                common = {"split": split, "direction": direction, "metric": metric, "seeds": 3, "candidates": 100.0}
                common |= {"spread": 0.012, "chance": 0.01 + shift, "compounds": 256}
                value = {"value": 0.431 + shift, "low": 0.39 + shift, "high": 0.47 + shift}
                difference = {"difference": 0.1, "difference_low": 0.06, "difference_high": 0.137, "verdict": "above"}
                rows.append({**common, "method": "CLOOME", **value, "against": "Bilinear", **difference})
                rows.append({**common, "method": "Bilinear", "value": 0.331 + shift, "low": 0.3, "high": 0.37})
    return pd.DataFrame(rows)


def test_a_row_has_accuracy_difference_and_verdict(comparison):
    table = comparison_tables(comparison, LOOK)["random"]
    assert table["model"].tolist() == ["CLOOME", "Bilinear"]
    assert table["top-1"].tolist() == ["43.1 ± 1.2 % (39.0–47.0)", "33.1 ± 1.2 % (30.0–37.0)"]
    assert table["top-10"].tolist()[0] == "73.1 % (69.0–77.0)"
    assert table["minus Bilinear"].tolist() == ["+10.0 (+6.0 to +13.7)", "–"]
    assert table["verdict"].tolist() == ["above", "reference"]


def test_the_text_has_one_block_per_split_and_says_that_data_are_simulated(comparison):
    text = format_comparison(comparison, LOOK)
    assert text.splitlines()[0].endswith("SIMULATED DATA")
    assert [line for line in text.splitlines() if line.endswith("split")] == ["random split", "scaffold split"]


def test_the_figure_shows_values_and_differences(comparison):
    figure = comparison_figure(comparison, LOOK)
    accuracy, difference, *_ = figure.axes
    assert [label.get_text() for label in accuracy.get_yticklabels()] == ["CLOOME", "Bilinear"]
    points = [line.get_xydata()[0] for line in difference.lines if len(line.get_xdata()) == 1]
    np.testing.assert_allclose(points, [[0.1, 0]])
    assert len(figure.axes) == 4


def test_a_single_seed_has_no_spread(comparison):
    table = comparison_tables(comparison.assign(spread=np.nan, seeds=1), LOOK)["random"]
    assert table["top-1"].tolist()[0] == "43.1 % (39.0–47.0)"
    assert "over 1 seed," in format_comparison(comparison.assign(seeds=1), LOOK)
