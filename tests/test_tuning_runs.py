"""Hyperparameter searches as a user runs them, killed and shared, on the study of the test environment."""

import sqlite3
import time

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.slow


def search(variant: str, *settings: str) -> list[str]:
    """A search alone. Its figures and its part of the report are made in :func:`tuned`."""
    command = ["run", "--env", "test", "--pipelines", "tuning", "--nodes", "random.tuning.search_parameters"]
    return [*command, "--params", ",".join([f"variant={variant}", *settings])]


def folder(study, variant: str):
    return study.folder / "data" / "06_models" / "test_screen" / "random" / variant / "study"


def trials_of(study, variant: str) -> pd.DataFrame:
    return pd.read_parquet(folder(study, variant) / "trials.parquet")


def states(study, variant: str) -> list[str]:
    """States of a running study's trials."""
    if not (path := folder(study, variant) / "study.db").exists():
        return []
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return [state for (state,) in connection.execute("SELECT state FROM trials ORDER BY number")]
    except sqlite3.OperationalError:  # before its tables are made
        return []
    finally:
        connection.close()


def points(trials: pd.DataFrame) -> pd.DataFrame:
    return trials[[name for name in trials if "." in name]]


@pytest.fixture(scope="module")
def tuned(study):
    """The study of the test environment, one split of which was tuned."""
    study.tuned = study.kedro(
        *("run", "--env", "test", "--pipelines", "tune_and_train"),
        *("--namespaces", "random.tuning,random_tuned,random.reporting"),
    )
    return study


def test_the_winner_is_trained_and_tested_beside_the_default(tuned):
    trials, history = tuned.load("random.trials"), tuned.load("random.cloome.history")
    assert len(trials) == 4
    assert trials["source"].tolist() == ["default", "tpe", "tpe", "tpe"]
    assert trials["value"][0] == history["validation_top1"].max(), "trial 0 is the training of the study"
    winner = trials.query("best").iloc[0]
    assert winner["value"] == trials.query("state == 'COMPLETE'")["value"].max()
    trained = tuned.load("random_tuned.cloome.history")
    assert trained["validation_top1"].max() == winner["value"], "the winner is trained as it was in its trial"
    config = tuned.load("random_tuned.cloome.checkpoint").config
    assert config["fit"]["learning_rate"] == pytest.approx(winner["fit.learning_rate"])
    best = yaml.safe_load((folder(tuned, "default") / "best_parameters.yml").read_text())
    assert best["models"]["cloome"]["fit"]["learning_rate"] == config["fit"]["learning_rate"]
    for task in ("retrieval", "zero_shot", "probing"):
        default, other = tuned.load(f"random.{task}_metrics"), tuned.load(f"random_tuned.{task}_metrics")
        assert set(other["split_hash"]) == set(default["split_hash"])
    assert "winner" in tuned.tuned.stdout.rstrip()[-3000:], "the search is told last"


def test_the_report_shows_the_search(tuned):
    nodes = "random.reporting.write_section,reporting.write_report"  # they put the parts together
    tuned.kedro("run", "--env", "test", "--pipelines", "reporting", "--nodes", nodes)
    report = tuned.load("report")
    assert "Hyperparameter search" in report
    row = tuned.load("random_tuned.retrieval_metrics").query(
        "method == 'CLOOME' and metric == 'top-1' and pool == 'full' and draws == 1 and shown_by == 'field'"
    )
    for value in row["value"]:
        assert f"{100 * value:.1f}" in report


def test_seeds_take_the_winner_for_a_split_of_its_own(tuned):
    tuned.kedro("run", "--env", "test", "--pipelines", "seeds")
    table = tuned.folder / "data" / "08_reporting" / "test_screen" / "default" / "seeds_metrics.csv"
    assert {"random", "random_tuned", "scaffold"} <= set(pd.read_csv(table, dtype=str)["split"])


def test_a_search_that_has_ended_is_given_back_and_more_trials_are_added(tuned):
    first = trials_of(tuned, "default")
    tuned.kedro(*search("default"))
    assert trials_of(tuned, "default").equals(first)
    tuned.kedro(*search("default", "tuning.search.trials=5"))
    more = trials_of(tuned, "default")
    assert len(more) == 5
    assert more["value"][:4].equals(first["value"])
    for name in points(first):
        assert more[name][:4].astype(str).tolist() == first[name].astype(str).tolist()


#: points are drawn in advance, so that they do not depend on who tries them
DRAWN = ["tuning.search.sampler=random", "tuning.search.pruner=none", "tuning.search.trials=5"]


@pytest.fixture(scope="module")
def undisturbed(study):
    """Trials of one process that nothing disturbs."""
    study.kedro(*search("undisturbed", *DRAWN))
    return trials_of(study, "undisturbed")


def test_a_killed_search_goes_on_and_ends_with_the_same_trials(study, undisturbed):
    process = study.start(*search("killed", *DRAWN))
    while states(study, "killed").count("COMPLETE") < 2 and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert "WAITING" in states(study, "killed")
    study.kedro(*search("killed", *DRAWN))
    killed = trials_of(study, "killed")
    ended = killed[killed["state"] == "COMPLETE"]
    by = sorted(points(undisturbed))
    kept = [*by, "value", "epoch"]
    assert ended.sort_values(by)[kept].equals(undisturbed.sort_values(by)[kept].set_index(ended.sort_values(by).index))
    assert killed.query("state == 'FAIL'")["reason"].eq("its process was killed").all()


@pytest.mark.parametrize("together", ["two runs", "two workers"])
def test_several_processes_share_a_study(study, undisturbed, together):
    """No point is tried twice and none is left out."""
    variant = together.replace(" ", "_")
    if together == "two runs":
        runs = [study.start(*search(variant, *DRAWN)) for _ in range(2)]
        assert [run.wait() for run in runs] == [0, 0]
    else:
        study.kedro(*search(variant, *DRAWN, "tuning.search.workers=2"))
    trials = trials_of(study, variant)
    assert trials["state"].tolist() == ["COMPLETE"] * 5
    assert not points(trials).astype(str).duplicated().any()
    assert trials["worker"].nunique() == 2
    assert points(undisturbed).equals(points(trials)[list(points(undisturbed))])
    if together == "two runs":  # workers share the cores, and fewer threads round otherwise
        assert undisturbed["value"].equals(trials["value"])


def test_the_baseline_is_tuned_too(study):
    study.kedro(
        *("run", "--env", "test", "--pipelines", "tune_and_train"),
        *("--namespaces", "random.tuning,random_tuned,random.reporting"),
        *("--params", "tuning.space=laptop_bilinear"),
    )
    trials = study.load("random.trials")
    assert trials["tunes"].eq("bilinear").all()
    assert trials["value"][0] == study.load("random.bilinear.history")["validation_top1"].max()
    assert trials["value"].max() == study.load("random_tuned.bilinear.history")["validation_top1"].max()
    assert set(study.load("random_tuned.retrieval_metrics")["method"]) == {"Bilinear", "Random"}


def test_a_misspelt_search_stops_the_run_at_once(study):
    """Errors of single settings are told together; the name of the space is looked up when there are none."""
    space = {"tuning.space=laptob": "there is no space laptob, only laptop"}
    others = {
        "tuning.spaces.laptop.metric=top2": "there is no validation metric top2",
        "tuning.search.sampler=cmaes": "sampler",
        "tuning.search.heartbeat=3": "heartbeat",
    }
    for wrong in (space, others):
        done = study.kedro(*search("refused", *wrong), check=False)
        assert done.returncode != 0
        assert all(told in " ".join((done.stdout + done.stderr).split()) for told in wrong.values())
        assert not folder(study, "refused").exists()
