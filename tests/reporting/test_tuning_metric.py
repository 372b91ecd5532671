"""The metric that a search maximised, and the same metric on the test fold."""

import pandas as pd
import pytest

from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS
from cloome_kedro.reporting.tuning_metric import SearchMetric
from synthetic_search import make_tuned
from synthetic_study import make_study


@pytest.fixture(scope="module")
def metrics():
    return make_study()["metrics"]


def test_names_are_those_of_a_trainings_history():
    one = SearchMetric.named("top5_compound_to_image")
    assert (one.task, one.metric, one.directions) == ("retrieval", "top-5", ("compound to image",))
    assert one.label == "top-5 in the full pool, compound → image"
    assert SearchMetric.named("top1").directions == ("image to compound", "compound to image")
    assert SearchMetric.named("top1").label == "top-1 in the full pool, mean of both directions"
    assert SearchMetric.named("probing_auc").text(0.71249) == "0.712"
    assert SearchMetric.named("probing_auc").text(-0.004, signed=True) == "-0.004"
    assert SearchMetric.named("top1").text(0.1234) == "12.3 %"
    assert SearchMetric.named("zero_shot_moa_top1").text(0.041, signed=True) == "+4.1 points"
    assert SearchMetric.named("top1").text(-0.0001, signed=True) == "+0.0 points"


@pytest.mark.parametrize("name", list(VALIDATION_METRICS))
def test_every_registered_metric_has_rows_of_the_test_fold(metrics, name):
    assert not SearchMetric.named(name).test_table(metrics, metrics, "CLOOME").empty


def test_every_setting_of_retrieval_has_a_row_with_n_and_chance(metrics):
    table = SearchMetric.named("top1").test_table(metrics, make_tuned(metrics), "CLOOME")
    assert table["test fold"].tolist() == [
        f"top-1, {direction}, {size} candidates"
        for direction in ("image → compound", "compound → image")
        for size in (28, 20)
    ]
    assert table["chance"].tolist() == ["3.6 %", "5.0 %"] * 2
    assert set(table["n"]) == {"28"}
    row = metrics.query(
        "images == 'clean' and method == 'CLOOME' and metric == 'top-1' and pool == 'full' and draws == 1"
        " and shown_by == 'field' and direction == 'compound to image'"
    ).iloc[0]  # fmt: skip
    assert table["default"][2].startswith(f"{100 * row['value']:.1f} % ({100 * row['low']:.1f}–")
    assert table["winner"][2].startswith(f"{100 * row['value'] + 10:.1f} % (")


def test_rows_are_those_of_the_model_that_was_tuned(metrics):
    nothing = metrics.iloc[:0]
    table = SearchMetric.named("top1").test_table(metrics, nothing, "Bilinear")
    other = SearchMetric.named("top1").test_table(metrics, nothing, "CLOOME")
    assert not table["default"].equals(other["default"])
    assert set(table["winner"]) == {"–"}
    model = metrics.replace({"method": {"Bilinear": "CLOOME", "CLOOME": "Bilinear"}})
    pd.testing.assert_frame_equal(SearchMetric.named("top1").test_table(model, nothing, "CLOOME"), table)


def test_a_winner_of_another_model_does_not_stand_beside_the_default(metrics):
    table = SearchMetric.named("top1").test_table(metrics, make_tuned(metrics, "Bilinear"), "CLOOME")
    assert len(table) == 4
    assert set(table["winner"]) == {"–"}


def test_results_on_other_queries_do_not_stand_in_one_row(metrics):
    fewer = metrics.assign(n=metrics["n"] - 1)
    table = SearchMetric.named("top1").test_table(metrics, fewer, "CLOOME")
    assert len(table) == 8
    assert ((table["default"] == "–") ^ (table["winner"] == "–")).all()


def test_a_metric_that_no_table_has_gives_no_rows(metrics):
    for name in ("top7", "own_metric"):
        assert SearchMetric.named(name).test_table(metrics, metrics, "CLOOME").empty
    assert SearchMetric.named("own_metric").label == "own_metric"
