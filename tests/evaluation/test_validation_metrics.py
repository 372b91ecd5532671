"""The registry of validation metrics: what its lines say fits the tables of evaluations."""

import subprocess
import sys

import pandas as pd
import pytest

from cloome_kedro.evaluation import validation
from cloome_kedro.evaluation.probe_metrics import ProbeSummary, summarise_probes
from cloome_kedro.evaluation.rank_metrics import rank_metrics
from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS
from cloome_kedro.words import PROBING, RETRIEVAL_METRICS, TASKS, ZERO_SHOT
from registries import restored


def test_entries():
    assert {name: VALIDATION_METRICS[name] for name in VALIDATION_METRICS} == {
        "zero_shot_compound_top1": validation.ZeroShotCompoundTop1,
        "zero_shot_moa_top1": validation.ZeroShotMoaTop1,
        "probing_auc": validation.ProbingAuc,
    }


def test_facts_fit_the_words_of_tables(probed):
    """A row of the tables ``metrics`` measures the same on the test fold."""
    probing, _ = summarise_probes(probed, [], ProbeSummary(resamples=20))
    metrics = {task: {metric.name for metric in rank_metrics([1, 5, 10])} for task in ZERO_SHOT}
    metrics[PROBING] = set(probing["metric"])
    assert set(probing["task"]) == {PROBING}
    for name in VALIDATION_METRICS:
        facts = VALIDATION_METRICS.facts(name)
        assert set(facts) == {"label", "task", "metric"}
        assert facts["task"] in TASKS
        assert facts["metric"] in metrics[facts["task"]]


def test_names_and_labels_are_told_apart():
    assert not set(VALIDATION_METRICS) & set(RETRIEVAL_METRICS)
    labels = [VALIDATION_METRICS.facts(name)["label"] for name in VALIDATION_METRICS]
    assert len(set(labels)) == len(labels)
    assert not pd.Series(labels).str.contains("_").any(), "labels are for people"


def test_zero_shot_metrics_ask_about_the_task_of_their_facts():
    for name in ("zero_shot_compound_top1", "zero_shot_moa_top1"):
        assert VALIDATION_METRICS[name].task == VALIDATION_METRICS.facts(name)["task"]


def test_names_and_facts_are_known_without_torch():
    code = (
        "import sys; from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS as metrics;"
        "[metrics.facts(name) for name in metrics]; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_metric_of_ones_own_and_unknown_ones():
    with restored(VALIDATION_METRICS):

        @VALIDATION_METRICS.register("alignment", label="alignment of pairs", task=PROBING, metric="mean AUC")
        class Alignment:
            pass

        assert VALIDATION_METRICS["alignment"] is Alignment
        assert VALIDATION_METRICS.facts("alignment")["label"] == "alignment of pairs"
    with pytest.raises(ValueError, match="there is no validation metric 'alignment'"):
        VALIDATION_METRICS["alignment"]
    with pytest.raises(ValueError, match="the nearest are: probing_auc"):
        VALIDATION_METRICS.facts("probing_acu")
