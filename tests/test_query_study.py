"""A study of the environment `test` is indexed and asked, in the project and without it."""

import json
import os
import shutil

import numpy as np
import pytest

import warm_python

pytest.importorskip("lancedb", reason="the extra `index` is not installed")
pytestmark = pytest.mark.slow


def cloome(folder, *arguments, status=0, **environment):
    environment = {**os.environ, "DO_NOT_TRACK": "1", **environment}
    done = warm_python.run("cloome_kedro", *arguments, folder=folder, environment=environment)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def test_every_model_is_asked_in_the_project(indexed):
    compounds, models = indexed.load("compounds"), indexed.load("random.methods")
    key = compounds["inchikey"].iloc[0]
    for name in json.loads(_info(indexed, "cloome").read_text())["models"]:
        options = ("query", "--env", "test", "--model", name, "--format", "json", "--top", "3")
        answer = json.loads(cloome(indexed.folder, *options, "--compound", key).stdout)
        method = models[answer["model"]["label"]]
        scores = method.fields.vectors @ method.compounds.of([key])[0]
        best = method.fields.keys[np.argsort(-scores)[:3]]
        assert [hit["score"] for hit in answer["hits"]] == pytest.approx(np.sort(scores)[:-4:-1].tolist(), abs=1e-4)
        assert set(best) & {hit["field_id"] for hit in answer["hits"]}
        assert answer["sets"]
        assert answer["hits"][0]["worth"] is not None


@pytest.mark.parametrize("model", ["cloome", "ridge", "fusion"])
def test_a_structure_gives_what_its_compound_gives(indexed, model):
    row = indexed.load("compounds").iloc[3]
    options = ("query", "--env", "test", "--model", model, "--format", "json", "--device", "cpu")
    by_smiles, by_key = (
        json.loads(cloome(indexed.folder, *options, *question).stdout)["hits"]
        for question in (("--smiles", row["smiles"]), ("--compound", row["inchikey"]))
    )
    np.testing.assert_allclose([hit["score"] for hit in by_smiles], [hit["score"] for hit in by_key], atol=1e-4)


def test_a_copied_index_is_asked_without_the_repository(indexed, tmp_path):
    shutil.copytree(_info(indexed, "cloome").parent, tmp_path / "given")
    done = cloome(tmp_path, "query", "--index", "given", "--smiles", "CCO", "--top", "2", "--gallery", "a.html")
    assert "CCO (LFQSCWFLJHTTHZ-UHFFFAOYSA-N) is not in the screen" in done.stdout
    assert (tmp_path / "a.html").is_file()
    done = cloome(tmp_path, "query", "--smiles", "CCO", status=2)
    assert done.stderr.strip().endswith("is in no project: run the command in the folder of the project")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "none"], "there is no model 'none'; the models of the study are: cloome"),
        (["--split", "none"], "there is no split 'none'; the splits of the study are: random"),
        (["--variant", "none"], "No index of this study is built. Run `cloome run --pipelines index --env test` first"),
    ],
)
def test_what_there_is_is_listed(indexed, arguments, message):
    done = cloome(indexed.folder, "query", "--env", "test", "--compound", "x", *arguments, status=2)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_building_again_keeps_all_rows(indexed):
    before = _info(indexed, "cloome").stat().st_mtime_ns
    done = indexed.kedro("run", "--env", "test", "--pipelines", "index", "--fresh")
    assert "kept" in done.stdout + done.stderr
    assert " added" not in done.stdout + done.stderr
    assert _info(indexed, "cloome").stat().st_mtime_ns > before


def _info(project, model):
    (path,) = (project.folder / "data" / "07_model_output").glob(f"*/random/default/seed_0/{model}/index/index.json")
    return path
