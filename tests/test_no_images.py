"""Studies of screens that are known by tables of profiles alone, run as a user runs them."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml

from profile_screens import FEATURES, invented_profiles, write_anndata, write_labels
from project import Project

pytestmark = pytest.mark.slow

FIT = "fit.batch_size=16,models.{0}.fit.warmup_steps=2,models.{0}.fit.epochs=3"
SMALL = ",".join(f"models.{name}.{FIT.format(name)}" for name in ("profiles", "bilinear"))
QUICK = (
    f"{SMALL},structure_features.n_jobs=1,retrieval.candidates=10,retrieval.draws=2,zero_shot.draws=2,"
    "probing.resamples=100"
)


def one_split(project, env, split) -> dict:
    """Let a shipped environment have one split. Give its settings."""
    path = project.folder / "conf" / env / "globals.yml"
    settings = yaml.safe_load(path.read_text()) | {"splits": [split]}
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return settings


@pytest.fixture(scope="module")
def published_form(tmp_path_factory):
    """A study of an invented file in the form of the published profiles."""
    pytest.importorskip("anndata")
    project, data = Project(tmp_path_factory.mktemp("wawer")), tmp_path_factory.mktemp("data")
    one_split(project, "wawer_profiles", "random")
    wells, values = invented_profiles(compounds=80, plates=3, controls=10)
    twice = [*range(len(wells)), 5]
    write_anndata(data / "profiles" / "wawer_2014.h5ad", wells.iloc[twice], values[twice])
    write_labels(data / "labels", wells)
    project.run = project.kedro("run", "--env", "wawer_profiles", "--params", QUICK, CLOOME_DATA=str(data))
    project.data, project.wells = data, wells
    return project


def test_every_task_of_the_published_form_has_results(published_form, monkeypatch):
    monkeypatch.setenv("CLOOME_DATA", str(published_form.data))
    metrics = published_form.load("random.metrics", env="wawer_profiles")
    assert set(metrics["task"]) == {"retrieval", "zero-shot compound", "probing"}, "it names no mechanisms"
    assert {"Profile model", "Bilinear", "Profiles", "Plate only"} <= set(metrics["method"])
    assert set(metrics["images"]) == {"clean"}
    fields = published_form.load("fields", env="wawer_profiles")
    assert len(fields) == len(published_form.wells) == 270
    assert fields["control"].sum() == 30
    assert "plate_file" not in fields
    assert len(published_form.load("labels", env="wawer_profiles")) > 60
    assert "1 wells or fields are in several rows" in re.sub(r"\s+", " ", published_form.run.stdout)


def test_profiles_learn_more_than_chance(published_form, monkeypatch):
    """Compounds of one mechanism have similar profiles, so zero-shot classification of compounds beats chance."""
    monkeypatch.setenv("CLOOME_DATA", str(published_form.data))
    metrics = published_form.load("random.zero_shot_metrics", env="wawer_profiles")
    row = metrics.query("method == 'Profiles' and metric == 'top-1' and draws == 1 and excluded == 'plate'").iloc[0]
    assert row["low"] > row["chance"]


def test_the_report_says_that_there_are_no_images(published_form, monkeypatch):
    monkeypatch.setenv("CLOOME_DATA", str(published_form.data))
    report = published_form.load("report", env="wawer_profiles")
    assert "The screen has no images." in report
    assert "<h3>Replicates</h3>" in report
    assert "Retrieval gallery" not in report
    assert "Figure 1" not in report
    assert "orruption</h3>" not in report


def test_a_cross_validation_of_tables_tests_each_compound_once(tmp_path):
    """Two plates as CSV, in an environment that a user would write."""
    project = Project(tmp_path)
    wells, values = invented_profiles(compounds=60, plates=2, controls=8)
    folder = tmp_path / "data" / "01_raw" / "mine" / "profiles"
    folder.mkdir(parents=True)
    table = pd.concat([wells, pd.DataFrame(values, columns=FEATURES)], axis=1)
    for plate, rows in table.groupby("Plate"):
        rows.to_csv(folder / f"{plate}.csv", index=False)
    folds = [f"random_fold_{number}" for number in (1, 2, 3)]
    (tmp_path / "conf" / "mine").mkdir()
    (tmp_path / "conf" / "mine" / "globals.yml").write_text(
        yaml.safe_dump(
            {
                **{"screen": "mine", "simulate": False, "images": False, "splits": folds},
                **{"models": {"profiles": "Profile model"}, "reference": None},
            }
        )
    )
    parameters = {"splits": {"folds": 3}, "profile_tables": {"columns": {"compound": "broad_sample"}}}
    (tmp_path / "conf" / "mine" / "parameters.yml").write_text(yaml.safe_dump(parameters))
    project.kedro("run", "--env", "mine", "--params", QUICK)
    tested = [
        project.load(f"{name}.examples", env="mine").query("fold == 'test'")["inchikey"].unique() for name in folds
    ]
    assert np.unique(np.concatenate(tested)).size == sum(map(len, tested)) == 60
    assert {len(compounds) for compounds in tested} == {20}
    assert "3 × random_fold: 20 candidates (full pool)" in project.load("report", env="mine")
    replicates = project.load("replicate_metrics", env="mine").set_index("metric")
    assert replicates.loc["top-10", "low"] > replicates.loc["top-10", "chance"]
    assert replicates.loc["top-1", "n"] == 60


def test_dark_chemical_matter(cloome_data, tmp_path, monkeypatch):
    """The shipped environment on the real table, with one fold."""
    project = Project(tmp_path)
    settings = one_split(project, "dcm", "scaffold_fold_1")
    short = "models.profiles.fit.epochs=2,models.bilinear.fit.epochs=2"
    project.kedro("run", "--env", "dcm", "--params", short, CLOOME_DATA=str(cloome_data))
    monkeypatch.setenv("CLOOME_DATA", str(cloome_data))
    replicates = project.load("replicate_metrics", env="dcm").set_index("metric")["value"]
    assert replicates["top-1"] == pytest.approx(0.131, abs=0.001)
    assert replicates["top-10"] == pytest.approx(0.362, abs=0.001)
    metrics = project.load("scaffold_fold_1.retrieval_metrics", env="dcm")
    full = metrics.query("pool == 'full' and metric == 'top-10' and shown_by == 'mean'")
    assert 105 <= full["candidates"].iloc[0] <= 115
    assert set(full["method"]) >= set(settings["models"].values())
    ridge = full[full["method"] == settings["models"]["ridge"]]
    assert len(ridge) == 2, "both directions"
    assert (ridge["low"] > 2 * ridge["chance"]).all()
    assert (ridge["value"] > 3.5 * ridge["chance"]).all(), "about 45 % of 110, chance is 9 %"
    selection = project.load("scaffold_fold_1.ridge.selection", env="dcm")
    assert set(selection["value"]) == {0.5, 1, 2, 4}
