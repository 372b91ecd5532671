import importlib.metadata
import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import damaged_files
from cloome_kedro import schemas
from cloome_kedro.imaging import profiles
from cloome_kedro.imaging.config import Measurement
from cloome_kedro.imaging.features import feature_names, measure_field
from cloome_kedro.imaging.profiles import count_nuclei, measure_profiles
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.stores import TableStore
from planted_fields import grid, planted_field, write_plate, write_screen

QUICK = Measurement(families=("intensity",), nucleus_diameter=10)


@pytest.fixture
def screen(tmp_path):
    return write_screen(tmp_path / "plates")


@pytest.fixture
def store(tmp_path):
    (tmp_path / "profiles").mkdir()
    return TableStore(tmp_path / "profiles")


def measure(store, screen, measurement=QUICK, **options):
    return measure_profiles(store, *screen, measurement, **{"n_jobs": 1, **options})


def contents(store):
    return {path.name: path.read_bytes() for path in store.folder.iterdir()}


def stamps(store):
    return {path.stem: path.stat().st_mtime_ns for path in store.folder.iterdir()}


def test_every_field_has_its_features(store, screen):
    plates, fields = screen
    index = schemas.profile_index.validate(measure(store, screen))
    assert index["plate_file"].tolist() == ["P1", "P2"]
    assert index["fields"].tolist() == [20, 20]
    assert index["without_nuclei"].tolist() == [1, 1]
    assert (index["features"] == len(feature_names(QUICK))).all()
    for name in ("P1", "P2"):
        table = store.read(name)
        assert table.columns.tolist() == ["field_id", *feature_names(QUICK)]
        for row in (0, 7, 19):
            field = fields[(fields["plate_file"] == name) & (fields["row"] == row)].iloc[0]
            images = plates.reader([name], [row])(np.array([0]))[0]
            found = table.set_index("field_id").loc[field["field_id"]].to_numpy(np.float32)
            np.testing.assert_array_equal(found, measure_field(images, QUICK))


def test_several_processes_write_the_same_bytes(store, screen, tmp_path):
    one = measure(store, screen)
    other = TableStore(tmp_path / "other")
    other.folder.mkdir()
    assert measure(other, screen, n_jobs=2).equals(one)
    assert contents(other) == contents(store)


def test_a_second_run_measures_nothing(store, screen, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    index, before = measure(store, screen), stamps(store)
    monkeypatch.setattr(profiles, "measure_field", None)
    assert measure(store, screen).equals(index)
    assert stamps(store) == before
    assert "0 plates to measure, 2 up to date" in caplog.text


@pytest.mark.parametrize("changed", ["settings", "images", "fields", "version", "lost", "damaged"])
def test_what_changed_is_measured_again(store, screen, changed, monkeypatch):
    plates, fields = screen
    measure(store, screen)
    measurement, again = QUICK, {"P1"}
    if changed == "settings":
        measurement, again = Measurement(families=("intensity",), nucleus_diameter=9), {"P1", "P2"}
    elif changed == "images":
        write_plate(
            plates, "P1", plates.reader(["P1"] * 20, range(20))(np.arange(20))[:, :, ::-1], digest="other images"
        )
    elif changed == "fields":
        fields = fields.drop(3)
    elif changed == "version":
        monkeypatch.setattr(importlib.metadata, "version", lambda _: "99")
        again = {"P1", "P2"}
    elif changed == "lost":
        store.path("P1").unlink()
    elif changed == "damaged":
        store.path("P1").write_bytes(store.path("P1").read_bytes()[:-100])
    before = {"P1": 0, **stamps(store)} if changed == "lost" else stamps(store)
    measure(store, (plates, fields), measurement)
    after = stamps(store)
    assert {name for name in after if after[name] != before[name]} == again
    assert len(store.read("P1")) == (19 if changed == "fields" else 20)


def test_compounds_and_controls_are_no_reason_to_measure_again(store, screen):
    plates, fields = screen
    measure(store, screen)
    before = stamps(store)
    measure(store, (plates, fields.assign(control=False).sample(frac=1, random_state=0)))
    assert stamps(store) == before


def test_a_field_that_cannot_be_measured_is_named(store, screen, monkeypatch):
    def fail(images, measurement):
        raise ZeroDivisionError("of something")

    monkeypatch.setattr(profiles, "measure_field", fail)
    with pytest.raises(RuntimeError, match="field s/P1/A01/1 cannot be measured: of something"):
        measure(store, screen)
    assert not list(store.folder.iterdir())


def test_a_missing_plate_file_is_named(store, screen):
    plates, _ = screen
    plates.images("P2").unlink()
    with pytest.raises(FileNotFoundError, match=r"P2\.npy; run the pipeline ingestion"):
        measure(store, screen)


def test_the_whole_field_alone_has_no_nuclei_to_count(store, screen):
    index = measure(store, screen, Measurement(families=("intensity",), compartments=("field",)))
    assert index["without_nuclei"].tolist() == [0, 0]
    counts = count_nuclei(store, index)
    assert counts.empty
    assert list(counts) == ["field_id", "nuclei"]


def test_nuclei_are_counted_field_by_field(store, screen):
    counts = count_nuclei(store, measure(store, screen))
    expected = pd.concat([store.read("P1"), store.read("P2")], ignore_index=True)
    assert counts["field_id"].tolist() == expected["field_id"].tolist()
    assert counts["nuclei"].tolist() == expected["Nuclei_Count"].tolist()
    assert counts["nuclei"].max() > 1


# ---- killed in the middle

RUN = """
import sys
from pathlib import Path
import pandas as pd
from cloome_kedro.imaging.config import Measurement
from cloome_kedro.imaging.profiles import measure_profiles
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.stores import TableStore
measure_profiles(
    TableStore(Path(sys.argv[1])), PlateStore(Path(sys.argv[2])), pd.read_parquet(sys.argv[3]), Measurement(), n_jobs=1
)
"""


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_bytes(tmp_path):
    names = [f"P{i}" for i in range(6)]
    plates = PlateStore(tmp_path / "plates")
    plates.folder.mkdir()
    images = np.stack([planted_field(grid(9), seed=seed) for seed in range(24)])
    fields = pd.concat([write_plate(plates, name, images) for name in names], ignore_index=True)
    fields.to_parquet(tmp_path / "fields.parquet")
    stores = {name: TableStore(tmp_path / name) for name in ("killed", "whole")}
    for store in stores.values():
        store.folder.mkdir()
    measure_profiles(stores["whole"], plates, fields, Measurement(), n_jobs=1)

    killed = stores["killed"]
    command = [sys.executable, "-c", RUN, *map(str, (killed.folder, plates.folder, tmp_path / "fields.parquet"))]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(killed.folder.glob("P*.parquet"))) < 2:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in killed.folder.glob("P*.parquet")}
    assert 2 <= len(finished) < 6
    assert {path.name: path.read_bytes() for path in finished}.items() <= contents(stores["whole"]).items()

    subprocess.run(command, check=True, capture_output=True)
    assert contents(killed) == contents(stores["whole"])
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, "finished plates were measured again"


def test_damaged_profiles_are_measured_anew(screen, store):
    index = measure(store, screen)
    before = contents(store)
    for damage in damaged_files.TABLES.values():
        damage(store.path("P2"))
        pd.testing.assert_frame_equal(measure(store, screen), index)
        assert contents(store) == before
