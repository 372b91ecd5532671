"""What a few images of each plate say: sizes, types, bit depth, and the cost of the ingestion."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile

from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.illumination.settings import EstimatedIllumination
from cloome_kedro.imaging.inspection import doubled, images
from cloome_kedro.imaging.inspection.fields import index_sources
from cloome_kedro.imaging.plates import ingest_plates
from cloome_kedro.imaging.sources import Source
from cloome_kedro.imaging.store import PlateStore
from raw_screens import write_screen

STORAGE = Storage(size=(12, 16))


def indexed(folder, bit_depth=16, **options):
    source = {**write_screen(folder, **options), "bit_depth": bit_depth}
    return index_sources(folder, "s", [Source(**source)]).fields


def texts(findings, verdict):
    return [finding.text for finding in findings if finding.verdict == verdict]


def test_images_as_they_should_be(tmp_path):
    index = indexed(tmp_path)
    sample = images.sample_fields(index, STORAGE, 2, 60)
    assert sample.groupby("plate").size().to_dict() == {"P1": 2, "P2": 2}
    assert sample["reason"].isna().all()
    assert set(sample["bytes"]) == {5 * (tmp_path / "images/P1/r01c01f01p01-ch1sk1fk1fl1.tiff").stat().st_size}
    (finding,) = images.check_images(sample, index, STORAGE)
    assert finding.verdict == "ok"
    assert finding.text == (
        "24 x 24 uint16, largest value 60,000, stored as 12 x 16 uint8 (4 fields of 2 of 2 plates were read)"
    )


def test_after_the_time_no_further_field_is_read(tmp_path):
    index = indexed(tmp_path)
    assert len(images.sample_fields(index, STORAGE, 2, 1e-9)) == 1
    assert images.sample_fields(index.iloc[:0], STORAGE, 2, 1).empty


@pytest.mark.parametrize(("largest", "bits"), [(4095, 12), (255, 8), (4096, None), (256, 12)])
def test_a_bit_depth_that_is_too_high(tmp_path, largest, bits):
    index = indexed(tmp_path, largest=largest)
    found = texts(images.check_images(images.sample_fields(index, STORAGE, 2, 60), index, STORAGE), "warning")
    assert [text.partition("set bit_depth: ")[2][:2].strip(",") for text in found] == (
        [] if bits is None else [str(bits)]
    )


@pytest.mark.parametrize(
    ("options", "storage", "message"),
    [
        ({"dtype": "uint8", "largest": 200, "bit_depth": 16}, STORAGE, "is uint8, but bit_depth 16 needs uint16"),
        ({"largest": 5000, "bit_depth": 12}, STORAGE, "has the value 5000, but bit_depth 12 allows at most 4095"),
        ({}, Storage(size=(32, 32)), r"size (32, 32) in params:ingestion.storage is larger than the images, (24, 24)"),
    ],
    ids=["dtype", "value", "size"],
)
def test_what_the_ingestion_would_refuse(tmp_path, options, storage, message):
    index = indexed(tmp_path, **options)
    sample = images.sample_fields(index, storage, 1, 60)
    (error,) = texts(images.check_images(sample, index, storage), "error")
    assert error.startswith("2 of 2 fields of 2 of 2 plates that were read cannot be used, e.g. s/P1/A01/1: ")
    assert message in error
    assert np.isnan(images.ingestion_cost(sample, index, storage, 1).seconds)
    assert set(sample["height"]) == {24}, "what can be said of the images is said"


def test_one_plate_of_small_images_stops_the_ingestion(tmp_path):
    plates = tuple(f"P{number}" for number in range(1, 22))
    index = indexed(tmp_path, plates=plates)
    storage = Storage(size=(24, 24))
    for path in (tmp_path / "images" / "P7").iterdir():
        tifffile.imwrite(path, np.full((24, 20), 60_000, np.uint16))
    sample = images.sample_fields(index, storage, 1, 60)
    (error,) = texts(images.check_images(sample, index, storage), "error")
    assert "1 of 21 fields of 21 of 21 plates that were read cannot be used, e.g. s/P7/A01/1: size (24, 24)" in error
    with pytest.raises(ValueError, match=r"plate P7: size \(24, 24\).* is larger than the images, \(24, 20\)"):
        ingest_plates(PlateStore(tmp_path), index, index.iloc[:0], storage, n_jobs=1)


def test_plates_that_would_be_stored_differently(tmp_path):
    index = indexed(tmp_path)
    for path in (tmp_path / "images" / "P2").iterdir():
        tifffile.imwrite(path, np.full((20, 24), 60_000, np.uint16))
    sample = images.sample_fields(index, Storage(), 1, 60)
    (error,) = texts(images.check_images(sample, index, Storage()), "error")
    assert "20 x 24 uint16, 24 x 24 uint16" in error
    assert texts(images.check_images(sample, index, STORAGE), "error") == []


@pytest.mark.parametrize(("scope", "depth", "reads"), [("plate", 16, 2), ("field", 16, 1), ("plate", 8, 1)])
def test_the_cost_follows_from_the_means(scope, depth, reads):
    """8 fields of 2 plates with 2 processes: 4 fields one after the other."""
    index = pd.DataFrame({"plate": ["a", "b"] * 4, "bit_depth": depth})
    rows = [(24, 24, 100, 0.1, 0.3, None), (24, 24, 300, 0.3, 0.5, None), (9, 9, 1, 9, 9, "bad")]
    sample = pd.DataFrame(rows, columns=["height", "width", "bytes", "read_seconds", "store_seconds", "reason"])
    cost = images.ingestion_cost(sample, index, dataclasses.replace(STORAGE, scope=scope), 2)
    assert cost.raw_bytes == 8 * 200
    assert cost.stored_bytes == 8 * 5 * 12 * 16
    assert cost.seconds == pytest.approx(4 * (reads * 0.2 + 0.4))


def test_doubled_files_are_found_by_their_content(tmp_path):
    index = indexed(tmp_path)
    first, second = (
        tmp_path / "images/P1/r01c01f01p01-ch5sk1fk1fl1.tiff",
        tmp_path / "images/P2/r01c03f02p01-ch5sk1fk1fl1.tiff",
    )
    (ok,) = doubled.check_doubled(index, 100, 60)
    assert ok.verdict == "ok"
    assert ok.text == "no two files have the same content among 16 files of the channel DNA"
    shutil.copy(first, second)
    (found,) = doubled.check_doubled(index, 100, 60)
    assert found.verdict == "warning"
    assert (
        f"1 file with the content of another one among 16 files of the channel DNA: {first} and {second}" in found.text
    )
    assert doubled.check_doubled(index.iloc[:0], 100, 60) == []


def test_files_that_differ_only_in_the_middle_are_different(tmp_path):
    data = bytearray(300_000)
    paths = [str(tmp_path / name) for name in "abcd"]
    for number, path in enumerate(paths):
        data[150_000] = number % 3
        (tmp_path / path).write_bytes(data)
    pairs, looked_at = doubled.doubled_files([*paths, paths[0], str(tmp_path / "absent")], 10, 60)
    assert (pairs, looked_at) == ([(paths[0], paths[3])], 4)
    assert doubled.doubled_files(paths, 2, 60) == ([(paths[0], paths[3])], 2), "the chosen ones are spread"


def test_an_estimate_of_illumination_reads_fields_once_more(tmp_path):
    index = indexed(tmp_path)
    sample = images.sample_fields(index, STORAGE, 2, 60).assign(read_seconds=3.0, store_seconds=1.0)
    seconds = []
    for fields in (None, 2, 1000):
        illumination = None if fields is None else EstimatedIllumination("estimate", fields=fields, minimum_fields=2)
        storage = Storage(size=(12, 16), illumination=illumination)
        seconds.append(images.ingestion_cost(sample, index, storage, 1).seconds / len(index))
    per_plate = len(index) / index["plate"].nunique()
    assert seconds == pytest.approx([4, 4 + 3 * min(1, 2 / per_plate), 7])
