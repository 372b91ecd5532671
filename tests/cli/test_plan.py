"""`cloome plan`: from the records of a run, or from a short measurement of this machine."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from cloome_kedro.cli import cloome
from cloome_kedro.cli.project import Project
from cloome_kedro.node_records import Record, write_record
from cloome_kedro.pipeline_registry import register_pipelines
from project import ROOT


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "src").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cloome_kedro.atomic.flush", lambda *arguments, **options: None)  # a disk can be slow
    return tmp_path


def planned(*arguments):
    done = CliRunner().invoke(cloome, ["plan", "--env", "test", "--json", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    return found["planned"], {step["step"]: step for step in found["steps"]}


def run_of(folder, *steps, seconds):
    """Make up the tables and records of a run of some steps."""
    project = Project.find("test")
    pipelines = register_pipelines(project.loader)
    for step in steps:
        for node in pipelines[step].nodes:
            places = {name: str(project.place(name).relative_to(folder)) for name in node.outputs}
            measured = {"seconds": seconds, "cores": 2, "memory_before": 1e9, "memory": 2e9}
            path = folder / "data" / ".runs" / "nodes" / f"{node.name}-0123.json"
            write_record(path, Record(places=places, measured=measured))
    tables = {
        "fields": pd.DataFrame({"plate_file": ["A"] * 40}),
        "compounds": pd.DataFrame({"inchikey": list("abcde")}),
        "labels": pd.DataFrame({"inchikey": ["a"], "1": [1.0], "2": [0.0]}),
    }
    for name, table in tables.items():
        project.place(name).parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(project.place(name))
    project.place("plate_store").mkdir(parents=True)
    np.save(project.place("plate_store") / "A.npy", np.zeros((40, 5, 8, 10), np.uint8))
    return {step: len(pipelines[step].nodes) for step in steps}


def test_the_last_run_of_each_step_is_scaled(folder):
    nodes = run_of(folder, "ingestion", "retrieval", "uncertainty", seconds=36.0)
    planned_sizes, steps = planned("--fields", "4000", "--cores", "2")
    assert planned_sizes == {"fields": 4000, "compounds": 500, "assays": 2, "pixels": 80}
    assert steps["ingestion"]["hours"] == pytest.approx(nodes["ingestion"] * (2 + 34 * 100) / 3600)
    assert steps["uncertainty"]["hours"] == pytest.approx(nodes["uncertainty"] * (2 + 34 * 100) / 3600)
    assert steps["retrieval"]["hours"] > nodes["retrieval"] * (2 + 34 * 100) / 3600, "and the pairs"
    assert steps["ingestion"]["memory"] == pytest.approx(1e9 + 100e9)
    store = (folder / Project.find("test").place("plate_store") / "A.npy").stat().st_size
    assert steps["ingestion"]["disk"] > 100 * store
    assert steps["ingestion"]["source"].startswith("measured in test_screen on 20")
    assert not steps["ingestion"]["guess"]
    assert steps["training"]["hours"] is None
    larger, again = planned("--fields", "4000", "--compounds", "5", "--size", "16x10", "--cores", "2")
    assert larger["pixels"] == 160
    assert again["ingestion"]["hours"] == pytest.approx(nodes["ingestion"] * (2 + 34 * 200) / 3600)
    assert again["uncertainty"]["hours"] == pytest.approx(nodes["uncertainty"] * 0.01)


def test_the_table_says_where_its_numbers_come_from(folder):
    run_of(folder, "ingestion", seconds=36.0)
    done = CliRunner().invoke(cloome, ["plan", "--env", "test", "--fields", "4000", "--cores", "64", "--gpus", "8"])
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].startswith("4,000 fields, 500 compounds, 2 assays, stored images of 80 pixels; 64 cores, 8 GPUs")
    (ingestion,) = [line for line in lines if line.split()[:2] == ["*", "ingestion"]]
    assert "measured in test_screen on" in ingestion
    assert "guess: 64 cores in place of 2" in ingestion
    assert "not measured: run the step on a small study first" in done.output
    assert "Rows with * contain a guess" in " ".join(done.output.split())


def test_records_of_datasets_that_are_gone_do_not_count(folder):
    run_of(folder, "ingestion", seconds=36.0)
    path = folder / "data" / ".runs" / "nodes" / "old_node-0123.json"
    write_record(path, Record(places={"old_table": "data/old_table.parquet"}, measured={"seconds": 1.0, "cores": 2}))
    assert planned("--fields", "4000")[1]["ingestion"]["hours"] > 0


def test_records_of_another_variant_do_not_count(folder):
    run_of(folder, "ingestion", "retrieval", seconds=36.0)
    assert planned("--fields", "4000", "--variant", "other")[1]["retrieval"]["hours"] is None


def test_without_a_run_this_machine_is_measured(folder):
    _, steps = planned("--fields", "1000", "--gpus", "2", "--rate", "100")
    assert steps["ingestion"]["hours"] > 0
    height, width = Project.find("test").loader["parameters"]["ingestion"]["storage"]["size"]
    assert steps["ingestion"]["disk"] == 1000 * 5 * height * width
    assert "measured now on this machine" in steps["ingestion"]["source"]
    assert "100 fields/s per GPU as given" in steps["training"]["source"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fields", "10", "--size", "big"], "--size is 'big': give height x width in pixels, such as 520x696"),
        (["--fields", "10", "--env", "none"], "there is no environment none"),
        ([], "Missing option '--fields'"),
    ],
)
def test_mistakes_are_one_line(folder, arguments, message):
    run_of(folder, "ingestion", seconds=1.0)
    done = CliRunner().invoke(cloome, ["plan", *(["--env", "test"] if "--env" not in arguments else []), *arguments])
    assert done.exit_code == 2
    assert message in done.output
