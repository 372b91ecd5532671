import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile

import damaged_files
from cloome_kedro import schemas
from cloome_kedro.imaging import plates
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Intensity, Storage
from cloome_kedro.imaging.index import index_screen
from cloome_kedro.imaging.intensity import to_uint8
from cloome_kedro.imaging.plates import ingest_plates
from cloome_kedro.imaging.store import PlateStore
from small_screens import edit_csv, make_source, write_load_data_screen, write_opera_screen


@pytest.fixture
def screen(tmp_path):
    folder = tmp_path / "screen"
    folder.mkdir()
    return folder, write_load_data_screen(folder)


@pytest.fixture
def store(tmp_path):
    (tmp_path / "plates").mkdir()
    return PlateStore(tmp_path / "plates")


PUBLISHED = Storage()
ONE_PERCENT = Intensity(1, 256)


def index_of(screen):
    """The index of a screen, and the fields that it sets aside."""
    folder, source = screen
    index, _, rejected = index_screen(folder, "mine", [make_source(source)])
    return index, rejected


def ingest(screen, store, storage=PUBLISHED, **options):
    return ingest_plates(store, *index_of(screen), storage, **{"n_jobs": 1, **options})


def image(screen, channel, plate="P1", well="B01", site=1):
    return screen[0] / f"images/{plate}/{well}_s{site}_{channel}.tiff"


def raw(screen, row):
    return np.stack([tifffile.imread(image(screen, c, row["plate"], row["well"], row["site"])) for c in CHANNELS])


def contents(store):
    return {path.name: path.read_bytes() for path in store.folder.iterdir()}


def test_round_trip(screen, store):
    fields, rejected = ingest(screen, store, Storage(ONE_PERCENT))
    schemas.fields.validate(fields)
    schemas.rejected_fields.validate(rejected)
    assert len(fields) == 16
    assert rejected.empty
    reader = store.reader(list(fields["plate_file"]), fields["row"])
    for i, row in fields.iterrows():
        images = raw(screen, row)
        expected, thresholds = to_uint8(images, ONE_PERCENT)
        stored = reader(np.array([i]))[0]
        np.testing.assert_array_equal(stored, expected)
        for channel, plane, t, before in zip(CHANNELS, stored, thresholds, images, strict=True):
            assert row[f"threshold_{channel}"] == t
            assert row[f"mean_{channel}"] == pytest.approx(plane.mean())
            assert row[f"std_{channel}"] == pytest.approx(plane.std())
            assert row[f"saturated_{channel}"] == (before >= 4095).mean()


def test_annotation_goes_along(screen, store):
    fields, _ = ingest(screen, store)
    row = fields.set_index("field_id").loc["mine/P1/C01/1"]
    assert (row["compound_id"], row["concentration_um"], row["control"]) == ("C2", pytest.approx(5), False)
    assert fields.groupby("plate_file")["row"].apply(list).to_dict() == {"P1": [*range(8)], "P2": [*range(8)]}


def test_plate_scope_has_one_exact_threshold_per_plate_and_channel(screen, store):
    fields, _ = ingest(screen, store, Storage(ONE_PERCENT, scope="plate"))
    for _, of_plate in fields.groupby("plate"):
        images = np.stack([raw(screen, row) for _, row in of_plate.iterrows()])
        n = round(images[:, 0].size / 100)
        for c, channel in enumerate(CHANNELS):
            expected = np.sort(images[:, c], axis=None)[-n]
            assert set(of_plate[f"threshold_{channel}"]) == {expected}
        stored = store.reader(list(of_plate["plate_file"]), of_plate["row"])(np.arange(len(of_plate)))
        t = of_plate["threshold_ER"].iloc[0]
        np.testing.assert_array_equal(stored[:, 1], np.trunc(np.minimum(images[:, 1] * 256.0 / t, 255)))


def test_crop_and_size(screen, store):
    fields, _ = ingest(screen, store, Storage(crop=20, size=(10, 5)))
    stored = store.reader(list(fields["plate_file"]), fields["row"])(np.array([3]))[0]
    full, _ = to_uint8(raw(screen, fields.loc[3]))
    boxes = full[:, 2:22, 6:26].reshape(5, 10, 2, 5, 4).mean((2, 4))
    np.testing.assert_array_equal(stored, np.rint(boxes))


@pytest.mark.parametrize("storage", [Storage(crop=25), Storage(size=(24, 33))])
def test_nothing_is_enlarged(screen, store, storage):
    message = r"plate P1: (crop|size) \(\d+, \d+\) in params:ingestion.storage is larger than the (cropped )?images, "
    with pytest.raises(ValueError, match=message):
        ingest(screen, store, storage)
    assert not list(store.folder.iterdir())


def test_a_size_beyond_the_crop_is_no_storage():
    with pytest.raises(ValueError, match=r"size \(9, 9\) is larger than crop 8, but images are never enlarged"):
        Storage(crop=8, size=(9, 9))


def test_eight_bit_png_of_opera_pass_unscaled(tmp_path, store):
    source = write_opera_screen(tmp_path, suffix=".png", bit_depth=8)
    fields, _ = ingest((tmp_path, source), store, Storage(scope="plate"))
    assert (fields.filter(like="threshold_") == 256).all(axis=None)
    assert store.reader(list(fields["plate_file"]), fields["row"])(np.arange(len(fields))).max() < 255


def black(path):
    tifffile.imwrite(path, np.zeros((24, 32), np.uint16))


BAD_ITEMS = {
    "truncated": (
        lambda paths: paths[1].write_bytes(paths[1].read_bytes()[:-40]),
        "channel ER: .* unreadable or truncated",
    ),
    "no image": (lambda paths: paths[4].write_text("hello"), "channel DNA: .* unreadable or truncated"),
    "gone": (lambda paths: paths[2].unlink(), "channel RNA: .* does not exist"),
    "dtype": (lambda paths: tifffile.imwrite(paths[0], np.zeros((24, 32), np.float32)), "channel Mito: .* is float32"),
    "shape": (
        lambda paths: tifffile.imwrite(paths[0], np.ones((24, 24), np.uint16)),
        r"shape \(24, 24\), but the images of the plate have",
    ),
    "all of another shape": (
        lambda paths: [tifffile.imwrite(path, np.ones((24, 24), np.uint16)) for path in paths],
        r"shape \(24, 24\), but the images of the plate have \(24, 32\)",
    ),
    "black": (lambda paths: [black(path) for path in paths], "black field"),
}


@pytest.mark.parametrize("kind", BAD_ITEMS)
@pytest.mark.parametrize("scope", ["field", "plate"])
def test_a_bad_field_is_set_aside_and_the_run_goes_on(screen, store, kind, scope):
    spoil, reason = BAD_ITEMS[kind]
    index, rejected = index_of(screen)
    spoil([image(screen, channel, well="A01") for channel in CHANNELS])  # the plate's first field
    fields, rejected = ingest_plates(store, index, rejected, Storage(scope=scope), max_rejected_fraction=0.1, n_jobs=1)
    schemas.rejected_fields.validate(rejected)
    assert rejected["field_id"].tolist() == ["mine/P1/A01/1"]
    assert rejected["stage"].tolist() == ["image"]
    assert rejected["reason"].str.contains(reason).all()
    assert len(fields) == 15
    assert store.reader(["P1"] * 7, range(7)).shape == (5, 24, 32)


def test_a_black_channel_is_kept_and_flagged(screen, store):
    black(image(screen, "AGP"))
    fields, rejected = ingest(screen, store)
    assert rejected.empty
    row = fields.set_index("field_id").loc["mine/P1/B01/1"]
    assert row["threshold_AGP"] == 0
    assert row["mean_AGP"] == 0
    assert row["threshold_DNA"] > 0


def test_a_plate_without_any_readable_image(screen, store):
    for path in (screen[0] / "images/P2").iterdir():
        path.write_bytes(b"")
    fields, rejected = ingest(screen, store, max_rejected_fraction=0.5)
    assert set(fields["plate"]) == {"P1"}
    assert len(rejected) == 8
    again, _ = ingest(screen, store, max_rejected_fraction=0.5)
    assert again.equals(fields)


def test_too_many_bad_fields_stop_the_run(screen, store):
    for well in ("B01", "C01"):
        image(screen, "ER", well=well).write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"2 of 16 fields were rejected; max_rejected_fraction .* allows a share of 0.1"
    ) as error:
        ingest(screen, store, max_rejected_fraction=0.1)
    assert "mine/P1/B01/1: channel ER: B01_s1_ER.tiff is unreadable" in str(error.value)


def test_fields_set_aside_by_the_index_count_too(screen, store):
    image(screen, "ER").unlink()
    image(screen, "ER", well="C01").write_bytes(b"")
    _, rejected = ingest(screen, store, max_rejected_fraction=0.125)
    assert rejected["stage"].tolist() == ["index", "image"]
    with pytest.raises(ValueError, match="2 of 16"):
        ingest(screen, store, max_rejected_fraction=0.12)


def test_plates_of_different_sizes_stop_before_work(screen, store):
    folder, _ = screen
    for path in (folder / "images/P2").iterdir():
        tifffile.imwrite(path, np.ones((30, 30), np.uint16))
    with pytest.raises(
        ValueError, match=r"different shapes: \(24, 32\) in plate P1, \(30, 30\) in plate P2; set `storage.size`"
    ):
        ingest(screen, store)
    assert not list(store.folder.iterdir())
    fields, _ = ingest(screen, store, Storage(size=(12, 12)))
    assert len(fields) == 16


# ---- doing only what is missing or changed


def test_a_second_run_writes_nothing(screen, store, monkeypatch):
    fields, _ = ingest(screen, store)
    stamps = {path: path.stat().st_mtime_ns for path in store.folder.iterdir()}
    monkeypatch.setattr(plates, "read_field", None)
    again, _ = ingest(screen, store)
    assert again.equals(fields)
    assert {path: path.stat().st_mtime_ns for path in store.folder.iterdir()} == stamps


@pytest.mark.parametrize("changed", ["touched", "rewritten", "removed", "storage", "lost file", "platemap"])
def test_what_changed_is_done_again(screen, store, changed):
    ingest(screen, store)
    stamps = {path.name: path.stat().st_mtime_ns for path in store.folder.iterdir()}
    storage, redone = PUBLISHED, {"P1.npy", "P1.parquet"}
    if changed == "touched":
        os.utime(image(screen, "ER"))
    elif changed == "rewritten":
        tifffile.imwrite(image(screen, "ER"), np.ones((24, 32), np.uint16))
    elif changed == "removed":
        image(screen, "ER").unlink()
    elif changed == "storage":
        storage, redone = Storage(Intensity(0.0028, 255)), set(stamps)
    elif changed == "lost file":
        store.images("P1").unlink()
        stamps["P1.npy"] = 0
    elif changed == "platemap":
        edit_csv(screen[0] / "platemaps/map1.tsv", lambda rows: rows.assign(mmoles_per_liter="0.001"))
        redone = set()
    fields, _ = ingest(screen, store, storage, max_rejected_fraction=0.1)
    now = {path.name: path.stat().st_mtime_ns for path in store.folder.iterdir()}
    assert {name for name in now if now[name] != stamps[name]} == redone
    assert set(fields["concentration_um"]) == {1.0 if changed == "platemap" else 5.0}
    fresh = PlateStore(store.folder.with_name("fresh"))
    fresh.folder.mkdir()
    ingest(screen, fresh, storage, max_rejected_fraction=0.1)
    assert contents(store) == contents(fresh)


def test_a_screen_that_moved_stays_done(screen, store, tmp_path):
    ingest(screen, store)
    before = contents(store)
    screen[0].rename(tmp_path / "elsewhere")
    ingest((tmp_path / "elsewhere", screen[1]), store)
    assert contents(store) == before
    assert all(path.stat().st_mtime_ns for path in store.folder.iterdir())


def test_plates_no_longer_in_the_index_are_left_alone(screen, store):
    ingest(screen, store)
    fields, _ = ingest((screen[0], {**screen[1], "files": "load_data_csv/P2/*.csv"}), store)
    assert set(fields["plate"]) == {"P2"}
    assert store.images("P1").exists()


def test_several_processes_write_the_same_bytes(screen, store, tmp_path):
    one, _ = ingest(screen, store)
    other = PlateStore(tmp_path / "other")
    other.folder.mkdir()
    two, _ = ingest(screen, other, n_jobs=2)
    assert two.equals(one)
    assert contents(other) == contents(store)


# ---- killed in the middle

RUN = """
import sys
from pathlib import Path
import pandas as pd
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.index import REJECTED
from cloome_kedro.imaging.plates import ingest_plates
from cloome_kedro.imaging.store import PlateStore
store, index = PlateStore(Path(sys.argv[1])), pd.read_parquet(sys.argv[2])
ingest_plates(store, index, pd.DataFrame(columns=REJECTED), Storage(size=(40, 40)), n_jobs=int(sys.argv[3]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_killed_and_resumed_it_ends_with_the_same_bytes(tmp_path, n_jobs):
    (tmp_path / "screen").mkdir()
    source = write_load_data_screen(tmp_path / "screen", plates=6, wells=24, size=(300, 300))
    index, rejected = index_of((tmp_path / "screen", source))
    index.to_parquet(tmp_path / "index.parquet")
    stores = {name: PlateStore(tmp_path / name) for name in ("killed", "whole")}
    for store in stores.values():
        store.folder.mkdir()
    ingest_plates(stores["whole"], index, rejected, Storage(size=(40, 40)), n_jobs=1)

    killed = stores["killed"].folder
    command = [sys.executable, "-c", RUN, str(killed), str(tmp_path / "index.parquet"), str(n_jobs)]
    for finished_before_kill in (1, 3):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 120
        # in the middle of a plate: some are finished, another is being written
        while len(list(killed.glob("P*.parquet"))) < finished_before_kill or not list(killed.glob(".*.part.npy")):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert len(list(killed.glob("P*.parquet"))) < 6
    finished = {
        path: path.stat().st_mtime_ns for path in killed.glob("P*.npy") if path.with_suffix(".parquet").exists()
    }

    subprocess.run(command, check=True, capture_output=True)
    assert contents(stores["killed"]) == contents(stores["whole"])
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, "finished plates were done again"


@pytest.mark.parametrize(
    ("suffix", "damages"), [("npy", damaged_files.PLATES), ("parquet", damaged_files.TABLES)], ids=["images", "record"]
)
def test_damaged_plates_are_made_anew(screen, store, suffix, damages):
    fields, _ = ingest(screen, store)
    before = contents(store)
    for damage in damages.values():
        damage(store.folder / f"P1.{suffix}")
        assert contents(store) != before
        again, rejected = ingest(screen, store)
        assert contents(store) == before
        assert again.equals(fields)
        assert rejected.empty
