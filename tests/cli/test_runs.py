"""``cloome runs`` in a small project."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from cloome_kedro.cli import cloome
from cloome_kedro.parameters import FusionParameters
from cloome_kedro.run_store import RunStore, Training

ROOT = Path(__file__).parents[2]
EXAMPLES = pd.DataFrame({"split_hash": ["h"]})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project of which the screen `test_screen` has two trainings; those of conf/base has none."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    for name in ("pyproject.toml", "src"):
        (tmp_path / name).symlink_to(ROOT / name)
    store = RunStore(tmp_path / "data/06_models/test_screen/runs.parquet/default")
    for weight, model in ((1, "cloome"), (2, "profiles")):
        settings = FusionParameters.model_validate(
            {"kind": "fusion", "parts": ["a", "b"], "weights": {"a": weight, "b": 1}}
        )
        with store.open(Training("training", f"random/{model}", 0, settings, EXAMPLES)) as run:
            result = {"validation_top1": weight / 10}
            run.finish(weights="w", data_hash="d", selected_by="top1", validation=result, epoch=1, epochs=2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(cloome, ["runs", *arguments])


def test_runs_are_listed(folder):
    listed = call("--env", "test", "--format", "json")
    assert listed.exit_code == 0, listed.output
    rows = json.loads(listed.stdout)
    assert [row["model"] for row in rows] == ["profiles", "cloome"]
    assert [row["validation"] for row in rows] == ["top1 0.200", "top1 0.100"]
    assert "profiles" not in call("--env", "test", "--model", "cloome").output
    last = call("--env", "test", "--last", "1").output
    assert "profiles" in last
    assert "cloome" not in last


def test_two_runs_are_compared(folder):
    newest, oldest = (row["run"] for row in json.loads(call("-e", "test", "--format", "json").stdout))
    compared = call("-e", "test", oldest, newest, "--format", "csv")
    lines = compared.stdout.splitlines()
    assert lines[0] == f"kind,name,{oldest},{newest}"
    assert "fact,model,cloome,profiles" in lines
    assert "parameter,weights.a,1.0,2.0" in lines or "parameter,weights.a,1,2" in lines
    assert "validation,validation_top1,0.1,0.2" in lines
    assert not [line for line in lines if line.startswith("parameter,parts")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "no training of the screen virtual_screen is recorded yet"),
        (("-e", "no_such"), "there is no environment no_such"),
        (("-e", "test", "2"), "1 runs are given: name two runs"),
        (("-e", "test", "2", "1999"), "2 runs begin with '2'"),
        (("-e", "test", "--model", "bilinear"), "no run has the model bilinear"),
    ],
)
def test_a_mistake_is_one_line(folder, arguments, told):
    done = call(*arguments)
    assert done.exit_code == 2
    assert told in done.output
    assert "Traceback" not in done.output


def test_outside_a_project_there_are_no_runs(monkeypatch):
    monkeypatch.setattr("kedro.utils.find_kedro_project", lambda folder: None)
    done = call()
    assert done.exit_code == 2
    assert "is in no project" in done.output
