import pandas as pd
import pytest

from cloome_kedro.reporting.tuning_metric import SearchMetric, winner_metrics
from synthetic_search import make_tuned
from synthetic_study import make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


def test_names_are_those_of_a_trainings_history():
    one = SearchMetric.named("top5_image_retrieval")
    assert (one.task, one.metric, one.directions) == ("retrieval", "top-5", ("image retrieval",))
    assert one.label == "top-5 in the full pool, compound → image"
    assert SearchMetric.named("top1").directions == ("structure retrieval", "image retrieval")
    assert SearchMetric.named("probing_auc").text(0.71249) == "0.712"
    assert SearchMetric.named("probing_auc").text(-0.004, signed=True) == "-0.004"
    assert SearchMetric.named("top1").text(0.1234) == "12.3 %"
    assert SearchMetric.named("zero_shot_moa_top1").text(0.041, signed=True) == "+4.1 points"
    assert SearchMetric.named("top1").text(-0.0001, signed=True) == "+0.0 points"


def test_every_setting_of_retrieval_has_a_row_with_n_and_chance(study):
    winner = make_tuned(study)["tuned.retrieval_metrics"]
    table = SearchMetric.named("top1").test_table("training", study["retrieval_metrics"], winner)
    assert table["test fold"].tolist() == [
        f"top-1, {direction}, {size} candidates"
        for direction in ("image → compound", "compound → image")
        for size in (28, 20)
    ]
    assert table["chance"].tolist() == ["3.6 %", "5.0 %"] * 2
    assert set(table["n"]) == {"28"}
    row = study["retrieval_metrics"].query(
        "method == 'CLOOME' and metric == 'top-1' and pool == 'full' and draws == 1 and shown_by == 'field'"
        " and direction == 'image retrieval'"
    ).iloc[0]  # fmt: skip
    assert table["default"][2].startswith(f"{100 * row['value']:.1f} % ({100 * row['low']:.1f}–")
    assert table["winner"][2].startswith(f"{100 * row['value'] + 10:.1f} % (")


def test_rows_are_those_of_what_was_tuned(study):
    metrics = study["retrieval_metrics"]
    nothing = metrics.iloc[:0]
    table = SearchMetric.named("top1").test_table("bilinear", metrics, nothing)
    other = SearchMetric.named("top1").test_table("training", metrics, nothing)
    assert not table["default"].equals(other["default"])
    assert set(table["winner"]) == {"–"}
    model = metrics.replace({"method": {"Bilinear": "CLOOME", "CLOOME": "Bilinear"}})
    pd.testing.assert_frame_equal(SearchMetric.named("top1").test_table("training", model, nothing), table)


def test_results_on_other_queries_do_not_stand_in_one_row(study):
    metrics = study["retrieval_metrics"]
    fewer = metrics.assign(n=metrics["n"] - 1)
    table = SearchMetric.named("top1").test_table("training", metrics, fewer)
    assert len(table) == 8
    assert ((table["default"] == "–") ^ (table["winner"] == "–")).all()


def test_a_metric_that_no_table_has_gives_no_rows(study):
    for name in ("top7", "own_metric"):
        assert (
            SearchMetric.named(name)
            .test_table("training", study["retrieval_metrics"], make_study()["probing_metrics"])
            .empty
        )


def test_the_default_model_beside_a_tuned_baseline_is_not_taken_for_a_winner(study):
    tuned_baseline = study["retrieval_metrics"]
    assert "Bilinear" in set(tuned_baseline["method"])
    assert winner_metrics("training", tuned_baseline).empty
    assert winner_metrics("bilinear", tuned_baseline) is tuned_baseline
    tuned_model = make_tuned(study)["tuned.retrieval_metrics"]
    assert winner_metrics("training", tuned_model) is tuned_model
    assert winner_metrics("bilinear", tuned_model).empty
