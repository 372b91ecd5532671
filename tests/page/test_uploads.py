"""Uploads: the answer is that of the files. Too many, too large or damaged files are refused, and other data."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from fastapi.testclient import TestClient

import small_index
from cloome_kedro import Cloome
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.index import Index
from cloome_kedro.page import uploads
from cloome_kedro.page.app import create_app

ADDRESS = "/api/indexes/made_up-random-cloome/answer"


def tiff(image):
    file = io.BytesIO()
    tifffile.imwrite(file, image)
    return file.getvalue()


def files_of(field, encode=tiff, suffix=".tif"):
    """Files of a form, in an order that is not that of the channels."""
    named = [
        (channel, (f"A01_{channel}{suffix}", encode(plane))) for channel, plane in zip(CHANNELS, field, strict=True)
    ]
    return named[::-1]


@pytest.fixture(scope="module")
def field():
    return small_index.invented_fields(1, seed=7, side=64)[0]


@pytest.fixture(scope="module")
def post(client):
    def post(files, status=200, **parameters):
        answer = client.post(ADDRESS, files=files, params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()

    return post


@pytest.mark.parametrize("encode", [tiff, imagecodecs.png_encode], ids=["tiff", "png"])
@pytest.mark.parametrize("bits", [8, 16])
def test_the_answer_is_that_of_the_files(post, field, index_folders, tmp_path, encode, bits):
    """Fields of 64 x 64 pixels become 32 x 32, as the model was trained."""
    image = field if bits == 8 else field.astype(np.uint16) * 200
    suffix = ".tif" if encode is tiff else ".png"
    paths = {}
    for channel, (name, data) in files_of(image, encode, suffix):
        paths[channel] = tmp_path / name
        paths[channel].write_bytes(data)
    model = Cloome.load(index_folders[0] / "model", device="cpu")
    vectors = model.embed_fields([paths], progress=False)
    expected = Index.open(index_folders[0]).search(vectors, "compounds", 7)
    found = post(files_of(image, encode, suffix), top=7)
    assert [hit["key"] for hit in found["hits"]] == expected["inchikey"].tolist()
    np.testing.assert_allclose([hit["score"] for hit in found["hits"]], expected["score"], atol=1e-6)
    assert found["direction"] == "image → compound"
    assert found["asked"]["trained"] is None


def test_images_are_scaled_by_the_named_plate(field, tmp_path):
    folder = small_index.build(tmp_path / "index", by_plate=True)
    client = TestClient(create_app([folder], "cpu"), base_url="http://localhost")
    raw = field.astype(np.uint16) * 200
    plate = small_index.PLATES[1]
    model = Cloome.load(folder / "model", device="cpu")
    statistics = {"mean": [41.0] * 5, "std": [20.0] * 5}
    vectors = model.embed_fields(raw[None], progress=False, statistics=statistics, thresholds=[30_000] * 5)
    expected = Index.open(folder).search(vectors, "compounds", 7)
    answer = client.post(ADDRESS, files=files_of(raw), params={"scaled_by": plate, "top": 7})
    assert answer.status_code == 200, answer.text
    np.testing.assert_allclose([hit["score"] for hit in answer.json()["hits"]], expected["score"], atol=1e-6)
    for parameters in ({}, {"scaled_by": "other"}):
        answer = client.post(ADDRESS, files=files_of(raw), params=parameters)
        assert (answer.status_code, "name the plate of the screen" in answer.json()["detail"]) == (422, True)


def test_names_are_not_trusted(post, field):
    """The content says what a file is; hostile names are shown without folders, and only in messages."""
    names = ["../../etc/passwd", "a b.exe", "<script>.svg", "x" * 1000, "C:\\DNA.tif"]
    files = [(channel, (name, tiff(plane))) for channel, name, plane in zip(CHANNELS, names, field, strict=True)]
    assert post(files)["asked"]["text"] == "passwd"
    assert uploads.shown_name("../" * 10 + "\u202ea\x1b.tif") == "a.tif"


def huge_png():
    """A PNG of some bytes that claims to have 60,000 x 60,000 pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def huge_tiff():
    """A TIFF of few bytes that claims to have 60,000 x 60,000 pixels."""
    entries = [(256, 60_000), (257, 60_000), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 60_000), (279, 8)]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<I", 16) + bytes(8) + struct.pack("<H", len(entries)) + body + bytes(4)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "neither TIFF nor PNG"),
        (b"MZ" + bytes(100), "neither TIFF nor PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "neither TIFF nor PNG"),
        (b"II*\0" + bytes(20), "unreadable or truncated"),
        (tiff(np.ones((64, 64), np.uint8))[:300], "unreadable or truncated"),
        (huge_png(), "too large"),
        (huge_tiff(), "too large"),
        (tiff(np.ones((64, 64, 3), np.uint8)), "one grey image"),
        (tiff(np.ones((64, 64), np.float32)), "8 or 16 bits"),
        (tiff(np.ones((64, 60), np.uint8)), "(64, 60)"),
        (tiff(np.ones((64, 64), np.uint16)), "uint16"),
    ],
    ids=["empty", "exe", "svg", "head", "cut", "png_bomb", "tiff_bomb", "colour", "float", "size", "bits"],
)
def test_a_file_that_is_no_image_of_the_field_is_refused(post, field, data, sentence):
    files = dict(files_of(field))
    files["DNA"] = ("A01_DNA.tif", data)
    problem = post(files, 422)["detail"]
    assert sentence in problem
    assert problem.startswith("DNA: A01_DNA.tif")


def test_one_file_for_each_channel_is_needed(post, client, field):
    files = files_of(field)
    assert "of DNA is missing" in post([file for file in files if file[0] != "DNA"], 422)["detail"]
    assert "Too many files" in post([*files, ("Mito", ("m.tif", b"x"))], 422)["detail"]
    assert "not for 'Mito'" in post([*files[1:], files[-1]], 422)["detail"]
    assert "not for 'other'" in post([*files[1:], ("other", ("m.tif", b"x"))], 422)["detail"]
    answer = client.post(ADDRESS, json={"DNA": "x"})
    assert (answer.status_code, "multipart/form-data" in answer.json()["detail"]) == (422, True)
    answer = client.post(ADDRESS, data={"DNA": "x"}, files={"ER": ("x", b"x")})
    assert "form cannot be read" in answer.json()["detail"]


def test_black_images_are_refused(post):
    assert "every pixel" in post(files_of(np.zeros((5, 64, 64), np.uint8)), 422)["detail"]


def test_too_large_files_and_requests_are_refused(post, field, index_folders, monkeypatch):
    files = files_of(field)
    monkeypatch.setattr(uploads, "LARGEST_FILE", 2000)
    assert "limit for one file" in post(files, 422)["detail"]
    small = TestClient(create_app(index_folders, "cpu", largest_request=10_000), base_url="http://localhost")
    answer = small.post(ADDRESS, files=files)
    assert (answer.status_code, "larger than" in answer.json()["detail"]) == (413, True)

    def endless():  # without a length, so that the server has to count
        yield b'--x\r\nContent-Disposition: form-data; name="DNA"; filename="a.tif"\r\n\r\n'
        for _ in range(100):
            yield bytes(1000)

    answer = small.post(ADDRESS, content=endless(), headers={"content-type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 413


def test_nothing_is_written_to_disk(post, field, monkeypatch):
    """Neither files nor temporary files: parts of a form stay in memory."""
    import tempfile

    def refuse(self, *arguments):
        raise AssertionError("an upload was written to a file")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    large = np.kron(field.astype(np.uint16) * 200, np.ones((1, 20, 20), np.uint16))  # 3.3 MB per file
    assert post(files_of(large))["hits"]


def test_a_form_of_another_site_is_refused(client, field):
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        answer = client.post(ADDRESS, files=files_of(field), headers=headers)
        assert (answer.status_code, answer.json()["detail"]) == (403, "another site has sent this request")
    assert client.post(ADDRESS, files=files_of(field), headers={"origin": "http://127.0.0.1:8000"}).status_code == 200
