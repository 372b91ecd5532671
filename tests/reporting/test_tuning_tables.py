"""A hyperparameter search in sentences and tables."""

import pandas as pd
import pytest

from cloome_kedro.reporting import tuning_tables as tables
from cloome_kedro.reporting.style import Look
from synthetic_search import BETA, FAILED, KILLED, OBJECTIVE, RATE, WIDTH, WINNER, make_search
from synthetic_study import LOOK, make_study


@pytest.fixture
def trials():
    return make_search(make_study()["examples"])["trials"]


def test_default_and_winner_are_found_and_a_repeated_default_is_the_complete_one(trials):
    assert tables.default_trial(trials)["number"] == 0
    assert tables.winner_trial(trials)["number"] == WINNER
    trials.loc[0, "state"] = "FAIL"
    trials.loc[5, ["source", "retry_of"]] = ["default", 0]
    assert tables.default_trial(trials)["number"] == 5
    assert tables.default_trial(trials.assign(source="tpe")) is None
    assert tables.winner_trial(trials.assign(best=False)) is None


def test_what_was_killed_is_counted_once_with_what_repeats_it(trials):
    text = tables.search_text(trials)
    assert text.startswith(
        "Study laptop, model cloome: 15 trials (11 complete, 3 pruned, 1 failed). In addition, 1 killed or interrupted"
        " trial was repeated. The trials ran on 2026-01-02, with 7.3 minutes of training in total. The search maximises"
        " validation top-1 in the full pool, mean of both directions, at the best epoch of a trial."
    )
    assert "The validation fold has 14 compounds." in text
    assert "Study laptop, model bilinear: 15" in tables.search_text(trials.assign(tunes="bilinear"))
    trials.loc[14, "retry_of"] = KILLED  # killed a second time
    trials.loc[14, "state"] = "FAIL"
    assert trials["number"][tables.was_repeated(trials)].tolist() == [KILLED, 14]
    assert (
        "14 trials (10 complete, 3 pruned, 1 failed). In addition, 2 killed or interrupted trials were repeated."
        in (tables.search_text(trials))
    )
    assert tables.failure_table(trials)["example"].tolist() == [f"trial {FAILED}"]
    trials.loc[15, "state"] = "WAITING"
    assert "(9 complete, 3 pruned, 1 failed, 1 waiting)" in tables.search_text(trials)


def test_a_search_over_days_says_so(trials):
    trials.loc[3, "started"] = "2026-01-05T10:00:00"
    trials["seconds"] = 3600.0
    assert "ran from 2026-01-02 to 2026-01-05, with 16.0 hours of training" in tables.search_text(trials)


def test_the_gain_is_the_difference_of_the_two_and_called_optimistic(trials):
    text = tables.gain_text(trials)
    assert text.startswith(
        "Default: 10.0 %. Winner: 50.0 % (trial 11, epoch 5, counted from 0). Difference on validation: +40.0 points."
        " The best value of 11 trials"
    )
    assert "optimistic" in text
    assert "test fold" in text


def test_the_gain_where_there_is_nothing_to_compare_with(trials):
    beaten = trials.assign(best=trials["number"] == 0)
    assert tables.gain_text(beaten).startswith("No trial was better than the default configuration: 10.0 % (trial 0")
    assert tables.gain_text(trials.assign(best=False)) == "No trial is complete yet."
    assert "was not among the trials" in tables.gain_text(trials.assign(source="tpe"))
    trials.loc[0, ["state", "value"]] = ["PRUNED", 0.01]
    text = tables.gain_text(trials)
    assert "The trial of the default configuration is pruned" in text
    assert "+" not in text


def test_parameters_stand_side_by_side_as_they_are_written(trials):
    table = tables.parameter_table(trials).set_index("parameter")
    assert list(table.index) == [RATE, OBJECTIVE, BETA, WIDTH]
    assert table["default"].tolist()[:3] == ["0.004", "info_nce", "–"]
    assert table.loc[BETA].tolist() == ["–", "22", "8, 14.3, 22"]
    assert table.loc[WIDTH, "winner"] == str(trials[WIDTH][WINNER])
    low, high = table.loc[RATE, "all trials"].split(" – ")
    assert (float(low), float(high)) == pytest.approx((trials[RATE].min(), trials[RATE].max()), rel=0.01)


@pytest.mark.parametrize(
    ("value", "text"),
    [(20000, "20000"), (1e-5, "1e-05"), (0.0043217, "0.00432"), (14.3, "14.3"), (True, "true"), (pd.NA, "–"),
     ("info_nce", "info_nce"), (256.0, "256")],
)  # fmt: skip
def test_cells(value, text):
    assert tables.value_text(value) == text


def test_booleans_and_absent_values_of_nullable_columns(trials):
    values = pd.array([True, False] * 7 + [None, True], dtype="boolean")
    table = tables.parameter_table(trials.assign(**{"fit.flag": values})).set_index("parameter")
    assert table.loc["fit.flag"].tolist() == ["true", "false", "false, true"]


def test_short_names():
    assert [tables.short_name(name) for name in (RATE, WIDTH, "fingerprints.bits", OBJECTIVE)] == [
        *("learning_rate", "compound.encoder.width", "fingerprints.bits", "objective.name")
    ]


def test_the_summary_for_the_terminal(trials):
    lines = tables.search_summary(trials, LOOK).splitlines()
    assert lines[0] == "Hyperparameter search, random split — SIMULATED DATA"
    assert max(map(len, lines)) <= 100
    assert "Default: 10.0 %. Winner: 50.0 %" in " ".join(lines)
    assert any(line.split() == [BETA, "–", "22", "8,", "14.3,", "22"] for line in lines)
    assert lines[-1] == f"1 failed, such as trial {FAILED}: OutOfMemoryError: no memory is left"
    trials.loc[FAILED, "reason"] = "ValueError: " + "many words " * 30
    assert max(map(len, tables.search_summary(trials, LOOK).splitlines())) <= 100
    assert "SIMULATED" not in tables.search_summary(trials, Look())
    assert tables.search_summary(trials.iloc[:0], LOOK) == ""
