"""What a study has found, as tables."""

import optuna
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from cloome_kedro import schemas
from cloome_kedro.tuning.results import epochs_table, importances, trials_table, winner

LOOB = {"rate": 0.1, "objective": "info_loob", "clip": None, "beta": 8}
NCE = {"rate": 0.2, "objective": "info_nce", "clip": 1.5}
DISTRIBUTIONS = {
    "rate": FloatDistribution(0, 1),
    "objective": CategoricalDistribution(("info_nce", "info_loob")),
    "clip": CategoricalDistribution((None, 1.5)),
    "beta": CategoricalDistribution((8, 14.3)),
}


def make_study(*rows):
    study = optuna.create_study(study_name="s", direction="maximize")
    for point, options in rows:
        options = {"state": TrialState.COMPLETE, **options}
        study.add_trial(
            optuna.create_trial(params=point, distributions={name: DISTRIBUTIONS[name] for name in point}, **options)
        )
    return study


@pytest.fixture
def study():
    ended = {"source": "tpe", "epoch": 1, "seconds": 2.5, "worker": "host:1", "device": "cpu"}
    study = make_study(
        (NCE, {"value": 0.5, "user_attrs": {**ended, "source": "default"}, "intermediate_values": {0: 0.1, 1: 0.5}}),
        (LOOB, {"value": 0.7, "user_attrs": ended, "intermediate_values": {0: 0.7}}),
        (NCE, {"value": 0.7, "user_attrs": ended}),
        (NCE, {"state": TrialState.PRUNED, "value": 0.3, "intermediate_values": {1: 0.3, 0: 0.2}}),
        (LOOB, {"state": TrialState.FAIL, "user_attrs": {"reason": "ValueError: no"}}),
        (LOOB, {"state": TrialState.FAIL}),
        (LOOB, {"state": TrialState.RUNNING, "system_attrs": {"failed_trial": 5}}),
    )
    study.enqueue_trial({"rate": 0.4, "objective": "info_nce", "clip": None}, {"source": "published"})
    study.enqueue_trial({}, {"source": "tpe"})
    return study


def test_of_equal_values_the_first_wins(study):
    assert winner(study).number == 1
    with pytest.raises(ValueError, match="'s' has no complete trial"):
        winner(make_study())


def test_one_row_a_trial(study):
    table = trials_table(study).set_index("number")
    assert table["state"].tolist() == ["COMPLETE"] * 3 + ["PRUNED", "FAIL", "FAIL", "RUNNING", "WAITING", "WAITING"]
    assert table["value"].dropna().to_dict() == {0: 0.5, 1: 0.7, 2: 0.7, 3: 0.3}
    assert table["epochs"].tolist() == [2, 1, 0, 2, 0, 0, 0, 0, 0]
    assert table["reason"].dropna().to_dict() == {4: "ValueError: no", 5: "its process was killed"}
    assert table["retry_of"].dropna().to_dict() == {6: 5}
    assert table["best"].tolist() == [number == 1 for number in range(9)]
    assert table.loc[0, ["source", "epoch", "seconds", "worker", "device"]].tolist() == [
        "default",
        1,
        2.5,
        "host:1",
        "cpu",
    ]
    assert table.loc[0, "started"].startswith("20")
    assert pd.isna(table.loc[7, "started"])


def test_one_column_a_parameter_empty_where_it_is_not_searched(study):
    table = trials_table(study).set_index("number")
    assert table.columns[-4:].tolist() == ["rate", "objective", "clip", "beta"]
    assert table["rate"].tolist()[:8] == [0.2, 0.1, 0.2, 0.2, 0.1, 0.1, 0.1, 0.4]
    assert table["clip"].tolist()[:2] == ["1.5", "null"]  # numbers and null: text, as it is written in YAML
    assert table["beta"].dropna().to_dict() == dict.fromkeys((1, 4, 5, 6), 8)
    assert table["beta"].dtype == "Int64"
    assert table.loc[8, ["rate", "objective", "clip", "beta"]].isna().all()


def test_tables_are_those_of_the_schemas(study):
    known = {"study": "s", "split": "random", "tunes": "training", "metric": "top1", "split_hash": "h"}
    dotted = {name: f"training.{name}" for name in DISTRIBUTIONS}
    for made in (study, make_study()):
        schemas.trials.validate(trials_table(made).rename(columns=dotted).assign(**known, n_validation=9))
        schemas.trial_epochs.validate(epochs_table(made))
        schemas.importances.validate(importances(made, 0))


def test_one_row_an_epoch(study):
    assert epochs_table(study).to_numpy().tolist() == [[0, 0, 0.1], [0, 1, 0.5], [1, 0, 0.7], [3, 0, 0.2], [3, 1, 0.3]]


def planted(trials=30, beta=0.0):
    """Values that the rate decides, and beta where it is searched."""
    rows = []
    for number in range(trials):
        point = {"rate": (number * 7 % 30) / 30, "objective": ("info_nce", "info_loob")[number % 2]}
        if number % 2:
            point["beta"] = (8, 14.3)[number // 2 % 2]
        rows.append((point, {"value": point["rate"] * (1 - beta) + beta * (point.get("beta") == 8)}))
    return make_study(*rows)


def test_the_parameter_that_decides_is_the_most_important():
    table = importances(planted(), 0)
    assert table["parameter"].iloc[0] == "rate"
    assert table["importance"].iloc[0] > 0.9
    assert table.set_index("parameter")["trials"].to_dict() == {"rate": 30, "objective": 30, "beta": 15}
    pd.testing.assert_frame_equal(importances(planted(), 0), table)


def test_a_conditional_parameter_is_judged_where_it_is_searched():
    share = {beta: importances(planted(beta=beta), 0).set_index("parameter")["importance"] for beta in (0.0, 0.9)}
    assert share[0.0]["beta"] < 0.1
    assert share[0.9]["beta"] > 0.9


@pytest.mark.parametrize("rows", [[(NCE, {"value": 0.1 * n}) for n in range(3)], [(NCE, {"value": 0.1})] * 9])
def test_no_importance_from_few_trials_or_equal_values(rows):
    table = importances(make_study(*rows), 0)
    assert table.empty
    assert table.columns.tolist() == ["parameter", "importance", "trials"]
