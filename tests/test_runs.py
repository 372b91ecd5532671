"""Locks of results and the record of their parameters; the locks in other processes, as other runs hold them."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloome_kedro.runs import Results, changes, lock, read_parameters, results_of, write_parameters

SCREEN = Results("virtual_screen", "", 0, "")
EXAMPLES = Results("virtual_screen", "", 0, "random")
MODEL = Results("virtual_screen", "default", 0, "random.cloome")
HOLDER = """
import sys
from pathlib import Path
from cloome_kedro.runs import Results, lock
locks = lock(Path(sys.argv[1]), [Results(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])])
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_run(folder, results):
    """A process that holds the lock until the block ends."""
    names = (results.screen, results.variant, str(results.seed), results.namespace)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "locked\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("results", "text", "advice"),
    [
        (SCREEN, r"another run writes the screen virtual_screen \(process", "only the steps after featurization"),
        (EXAMPLES, r"another run writes random of the screen virtual_screen \(process", "after featurization"),
        (MODEL, r"writes random\.cloome of the variant default, seed 0, of the screen", "--params variant=NAME"),
    ],
)
def test_of_two_runs_the_second_is_refused_and_told_of_the_first(tmp_path, results, text, advice):
    with another_run(tmp_path, results) as other:
        with pytest.raises(ValueError, match=rf"{text}.*{other.pid}.*since 20.*Wait until it has ended, .*{advice}"):
            lock(tmp_path, [results])
        others = {SCREEN, EXAMPLES, MODEL, Results("virtual_screen", "default", 1, "random.cloome")} - {results}
        lock(tmp_path, others).close()
    lock(tmp_path, [results]).close()


def test_a_killed_run_leaves_no_lock(tmp_path):
    with another_run(tmp_path, MODEL) as other:
        other.kill()
        other.wait()
        lock(tmp_path, [MODEL]).close()


def test_a_refused_run_leaves_no_lock(tmp_path):
    with another_run(tmp_path, SCREEN), pytest.raises(ValueError, match="another run"):
        lock(tmp_path, [EXAMPLES, SCREEN, MODEL])
    check = "import sys; from pathlib import Path; from cloome_kedro.runs import *; lock(Path(sys.argv[1]), [Results("
    check += "'virtual_screen', '', 0, 'random'), Results('virtual_screen', 'default', 0, 'random.cloome')])"
    subprocess.run([sys.executable, "-c", check, str(tmp_path)], check=True)


def test_an_owner_that_is_not_known_yet_is_left_out(tmp_path):
    with another_run(tmp_path, SCREEN):
        (tmp_path / "virtual_screen" / "all.owner.json").write_text("")
        with pytest.raises(ValueError, match=r"writes the screen virtual_screen\. Wait"):
            lock(tmp_path, [SCREEN])


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch, caplog):
    def acquire(self):
        raise NotImplementedError

    monkeypatch.setattr("filelock.FileLock.__enter__", acquire)
    lock(tmp_path, [SCREEN]).close()
    assert f"{tmp_path} is on a file system without locks" in caplog.text
    assert "that writes the screen virtual_screen" in caplog.text


def test_locks_are_released_when_they_are_closed(tmp_path):
    locks = lock(tmp_path, [SCREEN])
    owner = json.loads((tmp_path / "virtual_screen" / "all.owner.json").read_text())
    assert owner["process"] == os.getpid()
    locks.close()
    with another_run(tmp_path, SCREEN):
        pass


def test_results_are_those_of_the_screen_or_of_a_variant_and_seed():
    data = Path("/project/data")
    paths = {
        "fields": "03_primary/default/fields.parquet",  # a screen with the name of the variant
        "random.examples": "05_model_input/default/random/examples.parquet",
        "random.cloome.checkpoint": "06_models/default/random/default/seed_1/cloome/checkpoint",
        "random.metrics": "08_reporting/default/random/default/seed_1/metrics.parquet",
        "random.retrieval_metrics": "08_reporting/default/random/default/seed_1/retrieval_metrics.parquet",
        "report": "08_reporting/default/default/seed_1/report.html",
        "random.trials": "06_models/default/random/default/study/trials.parquet",  # several searches share a study
        "seeds_metrics": "08_reporting/default/default/seeds_metrics.csv",
    }
    outputs = {name: str(data / path) for name, path in paths.items()}
    found = results_of(outputs | {"compounds": "/elsewhere/compounds.parquet"}, data, "default", "default", 1)
    assert found == {
        Results("default", "", 0, ""): ["compounds", "fields"],
        Results("default", "", 0, "random"): ["random.examples"],
        Results("default", "default", 1, "random.cloome"): ["random.cloome.checkpoint"],
        Results("default", "default", 1, "random"): ["random.metrics", "random.retrieval_metrics"],
        Results("default", "default", 1, ""): ["report"],
    }


@pytest.mark.parametrize(
    ("before", "after", "texts"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["g.a is 2, was 1"]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, ["g.a.b is 3, was 1"]),
        ({"a": None}, {"a": {"b": 1}}, ['g.a is {"b": 1}, was null']),
        ({}, {"a": "x"}, ['g.a is "x", was null']),
        ({"a": 1}, {}, ["g.a is null, was 1"]),
        ({"n_jobs": 1, "a": 1}, {"n_jobs": 2, "a": 1}, []),
    ],
)
def test_changes_name_the_settings(before, after, texts):
    assert changes(before, after, "g", ["n_jobs"]) == texts


def test_the_record_keeps_groups_of_earlier_runs(tmp_path):
    assert read_parameters(tmp_path, MODEL) == {}
    write_parameters(tmp_path, MODEL, {"retrieval": {"draws": 1}, "embedding": {"batch_size": 2}})
    write_parameters(tmp_path, MODEL, {"retrieval": {"draws": 3}})
    assert read_parameters(tmp_path, MODEL) == {"retrieval": {"draws": 3}, "embedding": {"batch_size": 2}}
    MODEL.path(tmp_path, ".parameters.json").write_text("{")
    assert read_parameters(tmp_path, MODEL) == {}
