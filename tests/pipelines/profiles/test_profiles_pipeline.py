"""The nodes, run by Kedro through the schemas of the catalog."""

import logging

import numpy as np
import pandas as pd
import pytest
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError

from cloome_kedro import schemas
from cloome_kedro.datasets.handle import HandleDataset
from cloome_kedro.datasets.tables import Table
from cloome_kedro.parameters import ProfileParameters
from cloome_kedro.pipelines.profiles import create_pipeline
from planted_examples import run_pipeline
from planted_fields import write_screen

TABLES = {name: getattr(schemas, name) for name in ("profile_index", "field_profiles", "cell_counts")}
QUICK = {"families": ["intensity"], "compartments": ["nuclei", "field"], "nucleus_diameter": 10}


def settings(measure=None, normalise=None, select=None):
    """Quick ones, but for what is given."""
    groups = {"measure": {**QUICK, **(measure or {})}, "normalise": normalise or {}, "select": select or {}}
    return ProfileParameters.model_validate({**groups, "n_jobs": 1})


def run(folder, screen, **groups):
    """Run the pipeline; give its tables, validated as the catalog does."""
    plates, fields = screen
    datasets = {name: Table(filepath=str(folder / f"{name}.parquet")) for name in TABLES}
    store = HandleDataset(filepath=str(folder / "profiles"), handle="cloome_kedro.stores.TableStore")
    inputs = {"plate_store": plates, "fields": fields, "params:profiles": settings(**groups)}
    found = run_pipeline(create_pipeline(), inputs, profile_store=store, **datasets)
    return {name: schema.validate(found[name]) for name, schema in TABLES.items()}


def test_a_screen(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    screen = write_screen(tmp_path / "plates")
    tables = run(tmp_path, screen)
    profiles = tables["field_profiles"]
    assert profiles["field_id"].tolist() == screen[1]["field_id"].tolist()
    features = profiles.drop(columns="field_id")
    assert np.isfinite(features).all(axis=None)
    assert features.abs().max(axis=None) <= 20
    assert 3 < features.shape[1] < tables["profile_index"]["features"].iloc[0]
    assert (features.loc[profiles["field_id"].isin(["s/P1/A20/1", "s/P2/A20/1"]), "Nuclei_Count"] < 0).all()
    assert "2 of 40 fields have no nucleus" in caplog.text
    counts = tables["cell_counts"].set_index("field_id")["nuclei"]
    assert set(counts.index) == set(screen[1]["field_id"])
    assert counts.index[counts == 0].tolist() == ["s/P1/A20/1", "s/P2/A20/1"]

    # what is only about normalisation measures nothing anew
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "profiles").iterdir()}
    other = run(tmp_path, screen, normalise={"method": "standardize", "clip": 3}, select={"operations": []})
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "profiles").iterdir()} == stamps
    assert other["field_profiles"].shape[1] == 1 + other["profile_index"]["features"].iloc[0]
    assert other["field_profiles"].drop(columns="field_id").abs().max(axis=None) == pytest.approx(3)


def test_more_nuclei_show(tmp_path):
    plates, fields = write_screen(tmp_path / "plates")
    profiles = run(tmp_path, (plates, fields))["field_profiles"].set_index("field_id")
    raw = pd.concat([pd.read_parquet(path) for path in (tmp_path / "profiles").iterdir()]).set_index("field_id")
    assert profiles["Nuclei_Count"].corr(raw["Nuclei_Count"]) > 0.95


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"measure": {"families": ["colour"]}}, "families"),
        ({"measure": {"families": []}}, "families"),
        ({"measure": {"compartments": ["cells"]}}, "compartments"),
        (
            {"measure": {"compartments": ["field"], "families": ["sizeshape", "feret"]}},
            "add nuclei to profiles.measure.compa",
        ),
        ({"select": {"operations": ["noise_removal"]}}, "operations"),
        ({"measure": {"nucleus_diameter": 0}}, "nucleus_diameter"),
        ({"measure": {"nucleus_size": 9}}, "nucleus_size"),
        ({"normalise": {"clip": 0}}, "clip must be above 0"),
    ],
)
def test_wrong_parameters_are_named(wrong, message):
    with pytest.raises(ValidationError, match=message):
        settings(**wrong)


def test_wiring():
    pipeline = create_pipeline()
    assert pipeline.inputs() == {"profile_store", "plate_store", "fields", "params:profiles"}
    assert pipeline.outputs() == {"field_profiles", "cell_counts"}
    assert [node.name for node in pipeline.nodes] == [
        "profiles.measure_profiles", "profiles.count_nuclei", "profiles.normalise_profiles"
    ]  # fmt: skip
    assert TypeExtractor({"profiles": pipeline}).extract_types_from_pipelines() == {"profiles": ProfileParameters}
