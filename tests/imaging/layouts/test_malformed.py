"""Damaged or hostile copies of archives and npz files: one clear message, or rejected fields."""

import io
import logging
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cloome_kedro import schemas
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.index import index_screen
from cloome_kedro.imaging.plates import ingest_plates
from cloome_kedro.imaging.readers import BadField, locate, npz, read_image, stamp, zip_member
from cloome_kedro.imaging.store import PlateStore
from exported_screens import as_imagexpress, as_npz, as_zips, images_of
from small_screens import make_source, write_load_data_screen


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """One plate with two wells, A01 and B01, of one site, as archives, as npz files and as an export."""
    folder = tmp_path_factory.mktemp("exports")
    described = write_load_data_screen(folder, plates=1, wells=2, sites=1)
    images = images_of(folder)
    eight = lambda field: (field // 16).astype(np.uint8)  # noqa: E731
    return folder, {
        "zip": described | as_zips(folder, images),
        "npz": described | as_npz(folder, images, eight),
        "imagexpress": described | as_imagexpress(folder, images),
    }


@pytest.fixture
def screen(exports, tmp_path):
    """A copy of the screen that a test may damage."""
    folder, sources = exports
    shutil.copytree(folder, tmp_path / "screen", symlinks=True)
    return tmp_path / "screen", sources


def ingest(folder, description):
    """Good fields, and the reason of each rejected one."""
    store = PlateStore(folder / "store")
    store.folder.mkdir()
    index, _, rejected = index_screen(folder, "mine", [make_source(description)])
    schemas.rejected_fields.validate(rejected)
    if len(index):
        fields, rejected = ingest_plates(store, index, rejected, Storage(), max_rejected_fraction=0.9, n_jobs=1)
    return (fields["well"].tolist() if len(index) else []), dict(zip(rejected["well"], rejected["reason"], strict=True))


def rewrite(archive: Path, change):
    """Write an archive again with the name and content of each member as ``change`` gives them."""
    with zipfile.ZipFile(archive) as old:
        members = [(info.filename, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members:
            new.writestr(*change(name, content))


def of_well(name, well="a01"):
    return f"_{well}_" in name and "thumb" not in name


def flip_data(archive: Path, well="a01"):
    """Change bytes in the compressed data of a well's image."""
    with zipfile.ZipFile(archive) as file:
        info = next(info for info in file.infolist() if of_well(info.filename, well))
    data = bytearray(archive.read_bytes())
    start = info.header_offset + 30 + len(info.filename)
    for i in range(start + 40, start + 60):
        data[i] ^= 0xFF
    archive.write_bytes(data)


def encrypt(archive: Path, *wells: str):
    """Mark members of these wells as encrypted in the directory of the archive."""
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        position, number = file.start_dir, len(file.infolist())
    for _ in range(number):
        lengths = [int.from_bytes(data[position + i : position + i + 2], "little") for i in (28, 30, 32)]
        name = data[position + 46 : position + 46 + lengths[0]].decode()
        if any(of_well(name, well) for well in wells):
            data[position + 8] |= 1
        position += 46 + sum(lengths)
    archive.write_bytes(data)


# ---- archives


def test_an_archive_that_is_truncated_is_named_and_its_plate_lacks_the_channel(screen, caplog):
    folder, sources = screen
    archive = folder / "zips/P1-Hoechst.zip"
    archive.write_bytes(archive.read_bytes()[:-500])
    with caplog.at_level(logging.WARNING):
        good, reasons = ingest(folder, sources["zip"])
    assert "plate P1 lacks the channel Hoechst: P1-Hoechst.zip cannot be read as a zip archive" in caplog.text
    assert good == []
    assert reasons[""] == f"{archive}: P1-Hoechst.zip cannot be read as a zip archive: File is not a zip file"
    assert {reasons[well] for well in ("A01", "B01")} == {"missing channel DNA: no file is listed"}


def test_unreadable_members_are_rejected_one_by_one(screen):
    folder, sources = screen
    flip_data(folder / "zips/P1-Hoechst.zip")
    good, reasons = ingest(folder, sources["zip"])
    assert good == ["B01"]
    assert list(reasons) == ["A01"]
    assert reasons["A01"].startswith("channel DNA: cdp2bioactives_a01_s1_w1")
    assert " in P1-Hoechst.zip is unreadable or truncated: " in reasons["A01"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda image: image[: len(image) // 2], "is unreadable or truncated"),
        (lambda image: b"", "is unreadable or truncated"),
        (
            lambda image: tiff(np.ones((5, 24, 32), np.uint16)),
            r"has the shape (5, 24, 32); one plane of two dimensions",
        ),
        (lambda image: tiff(np.ones((24, 32), np.uint8)), "is uint8, but bit_depth 12 needs uint16"),
    ],
)
def test_bad_images_in_archives_are_rejected(screen, content, reason):
    folder, sources = screen
    rewrite(folder / "zips/P1-Mito.zip", lambda name, data: (name, content(data) if of_well(name) else data))
    good, reasons = ingest(folder, sources["zip"])
    assert good == ["B01"]
    assert reason in reasons["A01"]
    assert reasons["A01"].startswith("channel Mito: ")


def tiff(image):
    file = io.BytesIO()
    tifffile.imwrite(file, image, photometric="minisblack")
    return file.getvalue()


def test_a_missing_member_is_a_missing_channel(screen):
    folder, sources = screen
    rewrite(folder / "zips/P1-ERSyto.zip", lambda name, data: (name.replace("_a01_", "_z99_"), data))
    good, reasons = ingest(folder, sources["zip"])
    assert good == ["B01"]
    assert reasons["A01"] == "missing channel ER: no file is listed"


@pytest.mark.parametrize("way_out", ["../../{}", "/{}", "..\\{}", "a/../../{}"])
def test_members_that_lead_out_of_an_archive_are_never_read_or_written(screen, way_out):
    folder, sources = screen
    outside = {path.name: path.stat().st_mtime_ns for path in folder.parent.iterdir()}
    rewrite(
        folder / "zips/P1-Ph_golgi.zip",
        lambda name, data: (way_out.format(name.rpartition("/")[2]) if of_well(name) else name, data),
    )
    before = sorted(folder.rglob("*"))
    index, _, rejected = index_screen(folder, "mine", [make_source(sources["zip"])])
    assert sorted(folder.rglob("*")) == before
    assert {path.name: path.stat().st_mtime_ns for path in folder.parent.iterdir()} == outside
    assert index["well"].tolist() == ["B01"]
    reasons = set(rejected["reason"])
    assert any("has a path that leads out of its archive" in reason for reason in reasons)
    assert "missing channel AGP: no file is listed" in reasons


def test_encrypted_members_are_rejected_before_ingestion(screen):
    folder, sources = screen
    encrypt(folder / "zips/P1-ERSytoBleed.zip", "a01")
    index, _, rejected = index_screen(folder, "mine", [make_source(sources["zip"])])
    assert index["well"].tolist() == ["B01"]
    assert any("is encrypted; pack the archive without a password" in reason for reason in rejected["reason"])
    encrypted = next(path for path in (folder / "zips").glob("*Bleed.zip"))
    with zipfile.ZipFile(encrypted) as archive:
        name = next(name for name in archive.namelist() if of_well(name))
    with pytest.raises(BadField, match=r"in P1-ERSytoBleed.zip is encrypted; pack the archive without a password"):
        read_image(f"{encrypted}!/{name}")


def test_if_all_is_encrypted_the_first_reason_stops_the_run(screen):
    folder, sources = screen
    for archive in (folder / "zips").glob("*.zip"):
        encrypt(archive, "a01", "b01")
    with pytest.raises(ValueError, match=r"source virtual: none of its images can be used: .*\.tif is encrypted; pack"):
        index_screen(folder, "mine", [make_source(sources["zip"])])


def test_archives_of_other_names_or_contents_are_refused(screen):
    folder, sources = screen
    source = make_source(sources["zip"])
    for archive in (folder / "zips").glob("*.zip"):
        rewrite(archive, lambda name, data: (name.replace("_s1_", "-"), data))
    with pytest.raises(
        FileNotFoundError,
        match=r"have no image named like PLATE_B02_s1_w1.tif; .* layout `pattern`, whose paths are like P1-",
    ):
        index_screen(folder, "mine", [source])
    for archive in (folder / "zips").glob("*.zip"):
        archive.unlink()
    (folder / "zips/plate.zip").touch()
    with pytest.raises(FileNotFoundError, match=r"no archive named like PLATE-CHANNEL.zip .* are plate.zip. Correct"):
        index_screen(folder, "mine", [source])


def test_zip_bombs_are_not_unpacked(tmp_path, monkeypatch):
    """The size in the directory of the archive is refused; a size that is too small limits what is decompressed."""
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.tif", bytes(3_000_000))
        file.writestr("b.tif", tiff(np.zeros((2_000, 2_000), np.uint16)))
    monkeypatch.setattr(zip_member, "LARGEST_IMAGE", 2_999_999)
    with pytest.raises(
        BadField, match=r"a.tif in bomb.zip is too large: it has 3,000,000 bytes, at most 2,999,999 are read"
    ):
        read_image(f"{archive}!/a.tif")
    monkeypatch.undo()
    data = archive.read_bytes()
    archive.write_bytes(data.replace((3_000_000).to_bytes(4, "little"), (30).to_bytes(4, "little")))
    sizes = []
    inflate = zipfile._get_decompressor

    class Spy:
        def __init__(self, kind):
            self.inflater = inflate(kind)

        def __getattr__(self, name):
            return getattr(self.inflater, name)

        def decompress(self, data, size=0):
            inflated = self.inflater.decompress(data, size)
            sizes.append(len(inflated))
            return inflated

    monkeypatch.setattr(zipfile, "_get_decompressor", Spy)
    with pytest.raises(BadField, match=r"a.tif in bomb.zip is unreadable or truncated"):
        read_image(f"{archive}!/a.tif")
    assert 0 < max(sizes) <= 4096


def test_a_tiff_in_an_archive_that_claims_to_be_huge_is_not_decoded(tmp_path):
    """The TIFF is small; its header says 60,000 x 60,000."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((8, 8), np.uint16))
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[name].overwrite(60_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "a.tif")
    with pytest.raises(BadField, match=r"a.tif in a.zip is too large: its images have 7,200,000,000 bytes"):
        read_image(f"{tmp_path}/a.zip!/a.tif")


def test_other_members_and_archives(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", b"")
        archive.writestr("b.tif", tiff(np.ones((8, 8), np.uint16)))
    there, elsewhere, lost = (f"{tmp_path}/{name}" for name in ("a.zip!/b.tif", "a.zip!/c.tif", "b.zip!/b.tif"))
    assert locate([there, elsewhere, lost]) == [there, None, None]
    assert stamp(elsewhere) == stamp(lost) == (-1, -1)
    assert stamp(there)[0] > 0
    for path, message in (
        (f"{tmp_path}/a.zip!/a.jpg", "a.jpg in a.zip is neither TIFF nor PNG"),
        (elsewhere, "c.tif in a.zip does not exist"),
        (lost, "b.zip does not exist"),
    ):
        with pytest.raises(BadField, match=message):
            read_image(path)


def test_an_archive_is_opened_once_and_again_if_it_has_changed(tmp_path, monkeypatch):
    opened = []
    original = zipfile.ZipFile

    def counting(path):
        opened.append(path)
        return original(path)

    def write(value):
        with original(tmp_path / "a.zip", "w") as archive:
            for name in "ab":
                archive.writestr(f"{name}.tif", tiff(np.full((value + 7, 8), value, np.uint16)))

    write(1)
    monkeypatch.setattr(zip_member.zipfile, "ZipFile", counting)
    for _ in range(2):
        assert [read_image(f"{tmp_path}/a.zip!/{name}.tif").max() for name in "ab"] == [1, 1]
    assert len(opened) == 1
    write(2)
    assert read_image(f"{tmp_path}/a.zip!/a.tif").max() == 2
    assert len(opened) == 2


# ---- npz


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda path: path.write_bytes(path.read_bytes()[:-300]),
            "P1-A01-1.npz is unreadable or truncated: File is not a zip",
        ),
        (
            lambda path: np.savez(path, image=np.ones((24, 32, 5), np.uint8)),
            "P1-A01-1.npz has no array `sample`; it has image",
        ),
        (
            lambda path: np.savez(path, sample=np.ones((24, 32, 4), np.uint8)),
            r"has the shape (24, 32, 4); it needs (height,",
        ),
        (
            lambda path: np.savez(path, sample=np.ones((5, 24, 32), np.uint8)),
            r"has the shape (5, 24, 32); it needs (height,",
        ),
        (lambda path: np.savez(path, sample=np.ones((24, 32, 5), np.uint16)), "is uint16, but bit_depth 8 needs uint8"),
        (lambda path: np.savez(path, sample=np.zeros((24, 32, 5), np.uint8)), "black field"),
        (
            lambda path: np.savez(path, sample=np.ones((30, 32, 5), np.uint8)),
            "has the shape (30, 32), but the images of the",
        ),
        (
            lambda path: np.savez(path, sample=np.array([{}], object), allow_pickle=True),
            "has pickled objects in `sample`",
        ),
    ],
)
def test_bad_npz_files_are_rejected(screen, change, reason):
    folder, sources = screen
    change(folder / "npz/P1-A01-1.npz")
    good, reasons = ingest(folder, sources["npz"])
    assert good == ["B01"]
    assert list(reasons) == ["A01"]
    assert reason in reasons["A01"]


class Malicious:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickles_are_never_unpickled(tmp_path):
    trap = tmp_path / "trap"
    objects = np.empty((2, 2, 5), object)
    objects[:] = Malicious(trap)
    np.savez(tmp_path / "P-A01-1.npz", sample=objects)
    pickle.loads(pickle.dumps(Malicious(trap)))
    assert trap.exists(), "the trap works"
    trap.unlink()
    with zipfile.ZipFile(tmp_path / "pickle.npz", "w") as archive:
        archive.writestr("sample.npy", pickle.dumps(Malicious(trap)))
    for name in ("P-A01-1", "pickle"):
        with pytest.raises(BadField, match=f"{name}.npz (has pickled objects|is unreadable)"):
            read_image(str(tmp_path / f"{name}.npz"), 0)
    assert not trap.exists()


def test_an_array_that_claims_to_be_huge_is_not_read(tmp_path, monkeypatch):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (60_000, 60_000, 5)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("sample.npy", header.getvalue())
    monkeypatch.setattr(np.lib.format, "read_array", None)
    with pytest.raises(BadField, match=r"a.npz is too large: its images have 18,000,000,000 bytes"):
        read_image(str(tmp_path / "a.npz"), 0)


def test_channels_of_an_npz_are_numbered(tmp_path):
    sample = np.arange(5, dtype=np.uint8) * np.ones((4, 6, 1), np.uint8)
    np.savez_compressed(tmp_path / "a.npz", sample=sample)
    assert [array[0, 0] for array in npz.read(str(tmp_path / "a.npz"), [4, 0])] == [4, 0]
    for plane in (5, None):
        with pytest.raises(BadField, match=f"a.npz has the channels 0 to 4, but no image {plane}"):
            read_image(str(tmp_path / "a.npz"), plane)


def test_npz_files_need_eight_bits(exports):
    folder, sources = exports
    with pytest.raises(
        ValueError, match="images of the layout npz are scaled to 8 bits already; set bit_depth: 8, not 16"
    ):
        index_screen(folder, "mine", [make_source(sources["npz"], bit_depth=16)])


# ---- exports of single images


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "is unreadable or truncated"),
        (lambda path: path.unlink(), "missing channel DNA: no file is listed"),
        (lambda path: path.write_bytes(tiff(np.ones((3, 24, 32), np.uint16))), "has the shape (3, 24, 32); one plane"),
    ],
)
def test_bad_images_of_an_export_are_rejected(screen, change, reason):
    folder, sources = screen
    path = next(path for path in (folder / "export").rglob("P1_A01_s1_w1*") if "thumb" not in path.name)
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    change(path)
    good, reasons = ingest(folder, sources["imagexpress"])
    assert good == ["B01"]
    assert reason in reasons["A01"]
