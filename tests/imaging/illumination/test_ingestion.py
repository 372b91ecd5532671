"""Ingestion with a correction of illumination: provided functions are found, and plates are corrected and kept."""

import shutil
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import tifffile

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Intensity, Storage
from cloome_kedro.imaging.illumination.functions import divide, scaled
from cloome_kedro.imaging.illumination.plate import TOO_FEW, read_kept
from cloome_kedro.imaging.illumination.provided import find_functions
from cloome_kedro.imaging.illumination.settings import EstimatedIllumination, ProvidedIllumination
from cloome_kedro.imaging.images import to_stored
from cloome_kedro.imaging.index import index_screen
from cloome_kedro.imaging.plates import ingest_plates
from cloome_kedro.imaging.store import PlateStore
from small_screens import edit_csv, make_source, write_load_data_screen

PATTERN = "illum/{plate}/{plate}_Illum{channel}.npy"
NAMES = {"Mito": "Mito", "ER": "ER", "RNA": "RNA", "AGP": "AGP", "DNA": "DNA"}


@pytest.fixture
def screen(tmp_path):
    folder = tmp_path / "screen"
    folder.mkdir()
    return folder, make_source(write_load_data_screen(folder))


@pytest.fixture
def store(tmp_path):
    (tmp_path / "plates").mkdir()
    return PlateStore(tmp_path / "plates")


def write_functions(folder, plates=("P1", "P2"), shape=(24, 32), names=NAMES):
    """Write one function per plate and channel, as the Cell Painting Gallery has them."""
    functions = {}
    for seed, plate in enumerate(plates):
        (folder / "illum" / plate).mkdir(parents=True, exist_ok=True)
        for number, (channel, name) in enumerate(names.items()):
            steps = np.linspace(1, 1.2 + 0.1 * number + 0.05 * seed, shape[0] * shape[1])
            functions[plate, channel] = steps.reshape(shape)
            np.save(folder / "illum" / plate / f"{plate}_Illum{name}.npy", functions[plate, channel])
    return functions


def with_columns(folder, plate):
    """Add the columns of illumination functions to the LoadData table of a plate."""
    columns = {f"FileName_Illum{c}": f"{plate}_Illum{c}.npy" for c in CHANNELS}
    columns |= {f"PathName_Illum{c}": f"/elsewhere/batch/illum/{plate}/" for c in CHANNELS}
    edit_csv(folder / f"load_data_csv/{plate}/load_data.csv", lambda rows: rows.assign(**columns))


def find(screen, files=None, plates=("P1", "P2")):
    folder, source = screen
    return find_functions(folder, [source], {source.name: plates}, ProvidedIllumination("provided", files))


def ingest(screen, store, illumination, functions=None, **storage):
    folder, source = screen
    index, _, rejected = index_screen(folder, "mine", [source])
    settings = Storage(Intensity(1, 256), illumination=illumination, **storage)
    return ingest_plates(store, index, rejected, settings, functions=functions, n_jobs=1)


def raw(folder, row):
    name = f"images/{row['plate']}/{row['well']}_s{row['site']}"
    return np.stack([tifffile.imread(folder / f"{name}_{channel}.tiff") for channel in CHANNELS])


@pytest.mark.parametrize("files", [None, PATTERN, "**/{plate}_Illum{channel}.npy", "*/{plate}/*_Illum{channel}.npy"])
@pytest.mark.parametrize("scope", ["field", "plate"])
def test_fields_are_divided_by_provided_functions(screen, store, files, scope):
    functions = write_functions(screen[0])
    for plate in ("P1", "P2"):
        with_columns(screen[0], plate)
    fields, _ = ingest(screen, store, ProvidedIllumination("provided", files), find(screen, files), scope=scope)
    reader = store.reader(list(fields["plate_file"]), fields["row"])
    for i, row in fields.iterrows():
        gains = np.stack([1 / scaled(functions[row["plate"], channel]) for channel in CHANNELS])
        corrected = divide(raw(screen[0], row), gains, 4095)
        thresholds = row[[f"threshold_{c}" for c in CHANNELS]].to_numpy(float) if scope == "plate" else None
        expected, used = to_stored(corrected, Storage(Intensity(1, 256)), thresholds)
        np.testing.assert_array_equal(reader([i])[0], expected)
        np.testing.assert_array_equal(used, row[[f"threshold_{c}" for c in CHANNELS]].to_numpy(float))
    kept = read_kept(store.illumination("P2"))
    np.testing.assert_array_equal(kept.functions[4], scaled(functions["P2", "DNA"]))
    assert (kept.basis, kept.estimated_from, kept.held_out) == ("provided", 0, True)
    assert store.storage(["P1", "P2"])["illumination"] == {"source": "provided", "files": files}


def test_other_names_of_channels_are_known(screen):
    names = {"Mito": "Mito", "ER": "ERSyto", "RNA": "ERSytoBleed", "AGP": "Ph_golgi", "DNA": "Hoechst"}
    write_functions(screen[0], names=names)
    found = find(screen, PATTERN)
    assert [path.rpartition("_Illum")[2] for path in found["P1"]] == [f"{names[c]}.npy" for c in CHANNELS]
    absolute = find(screen, f"{screen[0]}/{PATTERN}")
    assert absolute == found


def test_smaller_functions_are_enlarged(screen, store):
    write_functions(screen[0], shape=(12, 16))
    ingest(screen, store, ProvidedIllumination("provided", PATTERN), find(screen, PATTERN))
    assert read_kept(store.illumination("P1")).functions.shape == (5, 24, 32)


def test_a_plate_is_ingested_again_only_if_its_functions_change(screen, store, caplog):
    caplog.set_level("INFO")
    write_functions(screen[0])
    settings, functions = ProvidedIllumination("provided", PATTERN), find(screen, PATTERN)
    steps = [
        (settings, lambda: None, "2 to ingest, 0 up to date"),
        (settings, lambda: None, "0 to ingest, 2 up to date"),
        (settings, lambda: np.save(functions["P1"][0], np.ones((24, 32), np.float32)), "1 to ingest, 1 up to date"),
        (settings, store.illumination("P2").unlink, "1 to ingest, 1 up to date"),
        (EstimatedIllumination("estimate"), lambda: None, "2 to ingest, 0 up to date"),
        (None, lambda: None, "2 to ingest, 0 up to date"),
    ]
    for illumination, change, expected in steps:
        change()
        caplog.clear()
        is_provided = isinstance(illumination, ProvidedIllumination)
        ingest(screen, store, illumination, functions if is_provided else None)
        assert expected in caplog.text
    assert not store.illumination("P1").exists()
    assert "illumination" not in store.storage(["P1"])


def test_an_estimate_makes_uneven_plates_even(screen, store):
    folder, _ = screen
    light = np.linspace(0.5, 1, 24 * 32).reshape(24, 32)
    for path in (folder / "images").rglob("*.tiff"):
        tifffile.imwrite(path, np.rint(tifffile.imread(path) * light).astype(np.uint16))
    ingest(screen, store, EstimatedIllumination("estimate", minimum_fields=4, width=0.5))
    kept = read_kept(store.illumination("P1"))
    top, bottom = (kept.before[:, rows].mean(axis=(1, 2)) for rows in (slice(8, 16), slice(-8, None)))
    assert (bottom / top > 1.2).all()
    top, bottom = (kept.after[:, rows].mean(axis=(1, 2)) for rows in (slice(8, 16), slice(-8, None)))
    np.testing.assert_allclose(bottom / top, 1, atol=0.12)
    assert (kept.estimated_from, kept.held_out) == (8, False)


def test_plates_with_too_few_fields_are_counted(screen, store, caplog):
    ingest(screen, store, EstimatedIllumination("estimate", minimum_fields=9))
    assert "the illumination of 2 of 2 plates is not corrected" in caplog.text
    assert "minimum_fields (9)" in caplog.text
    assert read_kept(store.illumination("P1")).basis == TOO_FEW
    corrected = np.load(store.images("P1"))
    ingest(screen, store, None)
    np.testing.assert_array_equal(corrected, np.load(store.images("P1")))


def test_missing_functions_are_named(screen):
    with pytest.raises(FileNotFoundError, match=r"plate P1: there is no illumination function of the channel Mito, ER"):
        find(screen, PATTERN)
    with pytest.raises(ValueError, match=r"load_data\.csv has no column FileName_Illum<Channel>"):
        find(screen)
    write_functions(screen[0])
    (screen[0] / "illum/P2/P2_IllumRNA.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"plate P2: there is no illumination function of the channel RNA; "):
        find(screen, PATTERN)
    for plate in ("P1", "P2"):
        with_columns(screen[0], plate)
    with pytest.raises(
        FileNotFoundError, match=r"1 of 10 illumination functions do not exist, the first is .*IllumRNA"
    ):
        find(screen)
    assert len(find(screen, plates=["P1"])["P1"]) == 5


def test_several_functions_of_a_channel_are_refused(screen):
    write_functions(screen[0])
    shutil.copytree(screen[0] / "illum", screen[0] / "old/illum")
    with pytest.raises(ValueError, match=r"plate P1: the channel AGP has several illumination functions"):
        find(screen, "**/" + PATTERN)


def test_layouts_without_tables_need_a_pattern(screen):
    other = make_source({"name": "s", "layout": "imagexpress", "platemap": {"platemaps": "x"}})
    with pytest.raises(ValueError, match=r"has the layout imagexpress.*set `files` of storage\.illumination"):
        find((screen[0], other))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (np.zeros((24, 32)), r"P2_IllumDNA\.npy has 768 values that are 0 or negative"),
        (np.ones((24, 31)), r"P2_IllumDNA\.npy has the shape \(24, 31\), which is no whole multiple"),
    ],
)
def test_bad_functions_stop_before_the_first_plate(screen, store, function, message):
    write_functions(screen[0])
    np.save(screen[0] / "illum/P2/P2_IllumDNA.npy", function)
    with pytest.raises(ValueError, match=message):
        ingest(screen, store, ProvidedIllumination("provided", PATTERN), find(screen, PATTERN))
    assert not list(store.folder.iterdir())


def test_functions_are_read_to_check_and_to_divide_and_only_for_plates_to_ingest(screen, store, monkeypatch):
    write_functions(screen[0])
    opened = Counter()
    read_array = np.lib.format.read_array

    def count(file, *arguments, **options):
        if "_Illum" in str(file.name):
            opened[file.name] += 1
        return read_array(file, *arguments, **options)

    monkeypatch.setattr(np.lib.format, "read_array", count)
    settings = ProvidedIllumination("provided", PATTERN)
    ingest(screen, store, settings, find(screen, PATTERN))
    assert len(opened) == 10
    assert set(opened.values()) == {2}
    opened.clear()
    ingest(screen, store, settings, find(screen, PATTERN))
    assert not opened


def test_plates_with_strange_names(tmp_path):
    folder = tmp_path / "screen"
    (folder / "illum/a[1]+(b)").mkdir(parents=True)
    for channel in CHANNELS:
        np.save(folder / f"illum/a[1]+(b)/a[1]+(b)_Illum{channel}.npy", np.ones((2, 2)))
    source = make_source({"name": "s", "layout": "npz", "platemap": {"platemaps": "x"}})
    found = find_functions(folder, [source], {"s": ["a[1]+(b)"]}, ProvidedIllumination("provided", PATTERN))
    assert len(found["a[1]+(b)"]) == 5


def test_tables_list_each_function_once(screen):
    from cloome_kedro.imaging.layouts.load_data_csv import list_functions

    write_functions(screen[0])
    for plate in ("P1", "P2"):
        with_columns(screen[0], plate)
    table = list_functions(*screen)
    assert len(table) == 10
    assert isinstance(table, pd.DataFrame)
    assert set(table["channel"]) == set(CHANNELS)
