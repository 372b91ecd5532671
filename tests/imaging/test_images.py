import io
import os
import socket
import struct
import zlib
from fractions import Fraction

import imagecodecs
import numpy as np
import pytest
import scipy.ndimage
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.imaging.config import Intensity, Storage
from cloome_kedro.imaging.images import (
    area_average,
    area_means,
    centre_crop,
    empty_field,
    read_field,
    statistics,
    to_stored,
    usual_shape,
)
from cloome_kedro.imaging.intensity import to_uint8
from cloome_kedro.imaging.readers import LARGEST_IMAGE, BadField, read_image, tiff_png


def image(seed=0, size=(40, 50), top=4095, dtype=np.uint16):
    return np.random.default_rng(seed).integers(0, top, size, dtype=dtype)


def _header():
    file = io.BytesIO()
    tifffile.imwrite(file, image(), metadata=None)
    return file.getvalue()[:400]


HEADER = _header()


@pytest.fixture
def field(tmp_path):
    """Five files of one image each, and the images."""
    planes, images = [], np.stack([image(i) for i in range(5)])
    for i in range(5):
        planes.append((str(tmp_path / f"ch{i}.tiff"), None))
        tifffile.imwrite(planes[i][0], images[i], compression="zlib")
    return planes, images


@pytest.fixture
def pages(tmp_path):
    """One file of five pages, and the pages."""
    images = np.stack([image(i) for i in range(5)])
    tifffile.imwrite(tmp_path / "pages.tiff", images, photometric="minisblack", compression="zlib")
    return tmp_path / "pages.tiff", images


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib", "compressionargs": {"level": 1}, "predictor": True},
        {"compression": "lzw", "predictor": True},
        {"tile": (16, 16)},
        {"byteorder": ">"},
        {"rowsperstrip": 7},
    ],
)
def test_tiffs_as_microscopes_write_them(tmp_path, options):
    tifffile.imwrite(tmp_path / "a.tif", image(), **options)
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.tif")), image())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png(tmp_path, dtype):
    raw = image(top=255, dtype=dtype)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(raw))
    read = read_image(str(tmp_path / "a.png"))
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, raw)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9, 0.999])
def test_truncated_tiffs_never_pass(tmp_path, compression, share):
    path = tmp_path / "a.tiff"
    tifffile.imwrite(path, image(), compression=compression)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadField, match=r"a.tiff is unreadable or truncated"):
        read_image(str(path))


def test_truncated_pngs_never_pass(tmp_path):
    whole = imagecodecs.png_encode(image())
    (tmp_path / "a.png").write_bytes(whole[:-200])
    with pytest.raises(BadField, match=r"a.png is unreadable or truncated"):
        read_image(str(tmp_path / "a.png"))


@pytest.mark.parametrize("compression", ["jpeg2000", "jpegxr", "jpegxl", "png"])
def test_a_sound_file_of_another_compression_is_not_called_truncated(tmp_path, compression):
    image = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    tifffile.imwrite(tmp_path / "a.tiff", image, compression=compression)
    with pytest.raises(
        BadField, match=rf"^a.tiff has the compression {compression.upper()}.*, which cannot be read\. S"
    ):
        read_image(str(tmp_path / "a.tiff"))


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "packbits", "lzma", "zstd"])
def test_compressions_that_are_read(tmp_path, compression):
    image = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    tifffile.imwrite(tmp_path / "a.tiff", image, compression=compression)
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.tiff")), image)


def test_missing_and_other_files(tmp_path):
    with pytest.raises(BadField, match=r"b.tiff does not exist"):
        read_image(str(tmp_path / "b.tiff"))
    with pytest.raises(BadField, match=r"b.jpg is neither TIFF nor PNG"):
        read_image(str(tmp_path / "b.jpg"))
    (tmp_path / "c.tiff").mkdir()
    with pytest.raises(BadField, match=r"c.tiff cannot be read: Is a directory"):
        read_image(str(tmp_path / "c.tiff"))


# ---- files that would never end, and images that would fill the memory


def fifo(path):
    os.mkfifo(path)


def unix_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


SPECIAL = {
    "pipe": fifo,
    "link to a pipe": lambda path: (os.mkfifo(path.with_name("pipe")), path.symlink_to(path.with_name("pipe"))),
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "empty device": lambda path: path.symlink_to("/dev/null"),
    "socket": unix_socket,
}


@pytest.mark.skipif(os.name != "posix", reason="special files")
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("suffix", [".tiff", ".png"])
def test_pipes_and_devices_are_not_read(tmp_path, monkeypatch, kind, suffix):
    monkeypatch.chdir(tmp_path)  # names of sockets must be short
    SPECIAL[kind](type(tmp_path)(f"a{suffix}"))
    with pytest.raises(BadField, match=rf"a{suffix} is a pipe or a device, not a file"):
        read_image(f"a{suffix}")
    assert usual_shape([(f"a{suffix}", None)]) is None


def change_tags(**tags):
    """A TIFF whose header claims other sizes than it has."""

    def change(path):
        tifffile.imwrite(path, image(), compression="zlib", **({"tile": (16, 16)} if "TileWidth" in tags else {}))
        with tifffile.TiffFile(path, mode="r+b") as file:
            for name, value in tags.items():
                file.pages[0].tags[name].overwrite(value, dtype="I" if value > 65535 else None)

    return change


def png_header(width, height, bits=8, colour=0):
    def write(path):
        header = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
        chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\x00" * 1000)

    return write


def many_pages(path):
    tifffile.imwrite(path, np.zeros((300, 2, 2), np.uint8), photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+b") as file:
        for page in file.pages:
            page.tags["ImageWidth"].overwrite(60_000)
            page.tags["ImageLength"].overwrite(60_000)


BOMBS = {
    "sides of a TIFF": (".tiff", change_tags(ImageWidth=60_000, ImageLength=60_000)),
    "width of a TIFF": (".tiff", change_tags(ImageWidth=2**31)),
    "tiles of a TIFF": (".tiff", change_tags(TileWidth=60_000, TileLength=60_000)),
    "samples of a TIFF": (".tiff", change_tags(ImageWidth=20_000, ImageLength=20_000, SamplesPerPixel=4)),
    "pages of a TIFF": (".tiff", many_pages),
    "sides of a PNG": (".png", png_header(50_000, 50_000)),
    "16-bit PNG": (".png", png_header(30_000, 30_000, 16)),
    "coloured PNG": (".png", png_header(20_000, 20_000, 8, 2)),
    "width of a PNG": (".png", png_header(2**31 - 1, 2**31 - 1)),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_images_that_claim_to_be_huge_are_not_decoded(tmp_path, monkeypatch, kind):
    suffix, write = BOMBS[kind]
    path = tmp_path / f"a{suffix}"
    write(path)
    for decoder in ("tiff_decode", "png_decode"):
        monkeypatch.setattr(imagecodecs, decoder, None)
    with pytest.raises(BadField, match=rf"a{suffix} is too large: its images have [\d,]+ bytes, at most 1,073,741,824"):
        read_image(str(path))


@pytest.mark.parametrize(
    ("options", "is_usual"),
    [
        ({}, True),
        ({"byteorder": ">"}, True),
        ({"compression": "zlib", "predictor": True}, True),
        ({"rowsperstrip": 7}, True),
        ({"bigtiff": True}, False),
        ({"tile": (64, 64)}, False),
        ({"volumetric": True, "tile": (16, 16, 16)}, False),
        ({"photometric": "rgb"}, False),
        ({"photometric": "rgb", "planarconfig": "separate"}, False),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_sizes_in_headers_are_those_of_tifffile(tmp_path, monkeypatch, options, is_usual, dtype):
    """Usual headers are read by a quick function. It must say what tifffile says, or leave the file to it."""
    shape = (3, 40, 50) if options.get("planarconfig") else (40, 50, 3) if "photometric" in options else (3, 40, 50)
    options = {"photometric": "minisblack", **options}
    if options["photometric"] == "minisblack" and np.dtype(dtype).kind == "f":
        options.pop("predictor", None)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, dtype), metadata=None, **options)
    data = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        pages = len(file.pages)
    cases = [*range(pages), None]
    found = [tiff_png._tiff_bytes(data, case) for case in cases]
    quick = [tiff_png._grey_page_bytes(data, case or 0, case is None) for case in cases]
    monkeypatch.setattr(tiff_png, "_grey_page_bytes", lambda *arguments, **named: None)
    assert found == [tiff_png._tiff_bytes(data, case) for case in cases]
    assert quick == [40 * 50 * np.dtype(dtype).itemsize if is_usual and case is not None else None for case in cases]


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4), st.booleans())
def test_quick_headers_survive_damage(place, garbage, is_only):
    """A damaged header gives a number or None, and no other error."""
    data = bytearray(HEADER)
    place %= len(data)
    data[place : place + len(garbage)] = garbage
    found = tiff_png._grey_page_bytes(bytes(data), 0, is_only)
    assert found is None or found >= 0


def test_a_page_of_a_large_file_is_read(tmp_path):
    """Of a file with many pages only the size of the page counts."""
    tifffile.imwrite(tmp_path / "a.tiff", np.stack([image()] * 3), photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.tiff", mode="r+b") as file:
        file.pages[2].tags["ImageWidth"].overwrite(2**31, dtype="I")
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.tiff"), 1), image())
    with pytest.raises(BadField, match="too large"):
        read_image(str(tmp_path / "a.tiff"), 2)
    assert LARGEST_IMAGE >= 16_384**2 * 4, "a stitched well is read"


def test_a_good_field(field):
    planes, images = field
    np.testing.assert_array_equal(read_field(planes, 12, (40, 50)), images)
    np.testing.assert_array_equal(read_field(planes, 16, None), images)
    out = empty_field(12, (40, 50))
    assert read_field(planes, 12, (40, 50), out) is out
    np.testing.assert_array_equal(out, images)


def test_pages_are_read_by_number(pages):
    path, images = pages
    np.testing.assert_array_equal(read_image(str(path)), images)
    for number in (0, 3, 4):
        np.testing.assert_array_equal(read_image(str(path), number), images[number])
    with pytest.raises(BadField, match=r"pages.tiff, page 5, is unreadable or truncated"):
        read_image(str(path), 5)


def test_a_truncated_file_of_pages_never_passes(pages):
    path, _ = pages
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadField, match=r"channel .*: pages.tiff, page \d, is unreadable or truncated"):
        read_field([(str(path), number) for number in range(5)], 12, None)


def test_a_png_has_no_pages(tmp_path):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image()))
    with pytest.raises(BadField, match=r"a.png is a PNG, which has no page 0"):
        read_image(str(tmp_path / "a.png"), 0)


def test_a_field_is_put_together_from_the_pages_of_its_channels(pages):
    path, images = pages
    order = [4, 3, 2, 1, 0]
    np.testing.assert_array_equal(read_field([(str(path), number) for number in order], 12, None), images[order])


def test_a_file_of_several_channels_is_read_once(field, pages, monkeypatch):
    (single, images), (several, of_pages) = field, pages
    opened = []

    def counting(path, *arguments):
        opened.append(os.path.basename(path))
        return open(path, *arguments)

    monkeypatch.setattr("cloome_kedro.imaging.readers.base.open", counting, raising=False)
    read = read_field([single[0], *((str(several), number) for number in range(1, 5))], 12, None)
    np.testing.assert_array_equal(read, np.concatenate([images[:1], of_pages[1:]]))
    assert opened == ["ch0.tiff", "pages.tiff"]


@pytest.mark.parametrize(
    ("bad", "bit_depth", "reason"),
    [
        (image().astype(np.float32), 12, "channel RNA: ch2.tiff is float32, but bit_depth 12 needs uint16"),
        (image(top=255).astype(np.uint8), 16, "channel RNA: ch2.tiff is uint8, but bit_depth 16 needs uint16"),
        (
            image(size=(20, 50)),
            12,
            r"channel RNA: ch2.tiff has the shape \(20, 50\), but the images of the plate have \(40, 50\)",
        ),
        (np.stack([image()] * 4), 12, r"channel RNA: ch2.tiff has the shape \(4, 40, 50\); one plane"),
        (
            np.full((40, 50), 4096, np.uint16),
            12,
            "channel RNA: ch2.tiff has the value 4096, but bit_depth 12 allows at most 4095",
        ),
    ],
)
def test_a_bad_image_is_named(field, bad, bit_depth, reason):
    tifffile.imwrite(field[0][2][0], bad, photometric="minisblack")
    with pytest.raises(BadField, match=reason):
        read_field(field[0], bit_depth, (40, 50))


def test_one_black_channel_is_kept_five_are_not(field):
    planes, _ = field
    for path, _ in planes:
        assert read_field(planes, 12, None).any(), path
        tifffile.imwrite(path, np.zeros((40, 50), np.uint16))
    with pytest.raises(BadField, match="black field: every pixel of all five channels is 0"):
        read_field(planes, 12, None)


def test_usual_shape_is_that_of_most(tmp_path):
    planes = [(str(tmp_path / f"{i}.tiff"), None) for i in range(9)]
    for i, (path, _) in enumerate(planes):
        tifffile.imwrite(path, image(size=(8, 9) if i == 0 else (10, 12)))
    (tmp_path / "5.tiff").write_bytes(b"no image")
    assert usual_shape(planes) == (10, 12)
    assert usual_shape(planes[:1]) == (8, 9)
    assert usual_shape([planes[5], (str(tmp_path / "none.tiff"), None)]) is None


def test_usual_shape_of_pages_is_that_of_a_page(pages):
    path, _ = pages
    assert usual_shape([(str(path), 3)]) == (40, 50)
    assert usual_shape([(str(path), None)]) is None, "the whole file has three dimensions"


def test_what_is_stored_is_scaled_then_cropped_then_averaged():
    raw = np.random.default_rng(0).integers(0, 4096, (5, 20, 30), dtype=np.uint16)
    storage = Storage(intensity=Intensity(1, 255), crop=16, size=(4, 8))
    stored, thresholds = to_stored(raw, storage)
    scaled, expected = to_uint8(raw, Intensity(1, 255))
    boxes = scaled[:, 2:18, 7:23].reshape(5, 4, 4, 8, 2).mean((2, 4))
    np.testing.assert_array_equal(stored, np.rint(boxes))
    np.testing.assert_array_equal(thresholds, expected)
    given, used = to_stored(raw, Storage(), np.full(5, 5000))
    np.testing.assert_array_equal(given, raw.astype(int) * 256 // 5000)
    assert used.tolist() == [5000] * 5


def test_centre_crop():
    images = np.arange(2 * 7 * 10).reshape(2, 7, 10)
    np.testing.assert_array_equal(centre_crop(images, 3), images[:, 2:5, 3:6])


def brute_average(plane, size):
    """Area averaging by its definition, in fractions."""
    (h, w), (m, n) = plane.shape, size

    def share(i, source, j, target):
        low, high = max(Fraction(i * source, target), j), min(Fraction((i + 1) * source, target), j + 1)
        return max(high - low, Fraction(0))

    out = np.empty(size, np.uint8)
    for y, x in np.ndindex(size):
        total = sum(
            share(y, h, i, m) * share(x, w, j, n) * int(plane[i, j])
            for i in range(y * h // m, -(-(y + 1) * h // m))
            for j in range(x * w // n, -(-(x + 1) * w // n))
        )
        out[y, x] = round(total / (Fraction(h, m) * Fraction(w, n)))
    return out


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_area_average_is_exact(h, w, data):
    size = (data.draw(st.integers(1, h)), data.draw(st.integers(1, w)))
    planes = np.random.default_rng(h * 10 + w).integers(0, 256, (2, h, w), dtype=np.uint8)
    expected = np.stack([brute_average(plane, size) for plane in planes])
    np.testing.assert_array_equal(area_average(planes, size), expected)


def test_area_average_agrees_with_torch_where_boxes_are_whole():
    planes = np.random.default_rng(0).integers(0, 256, (5, 120, 96), dtype=np.uint8)
    area = torch.nn.functional.interpolate(torch.tensor(planes)[None].double(), (40, 24), mode="area")[0]
    np.testing.assert_array_equal(area_average(planes, (40, 24)), np.rint(area.numpy()))
    np.testing.assert_array_equal(area_average(planes, (120, 96)), planes)


@pytest.mark.parametrize("shape", [(251, 257), (256, 256), (257, 257)], ids=str)
@pytest.mark.parametrize("level", [0, 200, 201, 254])
def test_means_beside_a_half_are_rounded_to_their_own_side(shape, level):
    pixels = shape[0] * shape[1]
    for brighter in ((pixels - 1) // 2, pixels // 2, pixels // 2 + 1):
        image = np.full(pixels, level, np.uint8)
        image[:brighter] += 1
        assert area_average(image.reshape(shape), (1, 1)).item() == round(Fraction(int(image.sum()), pixels))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(52, 70), (26, 35), (13, 14), (25, 33), (51, 69), (1, 1), (52, 23)])
def test_area_means_are_the_product_with_the_overlaps(size, dtype):
    """Bit by bit, with the largest values as well. The overlaps are whole numbers of 1/new source pixel."""
    planes = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (3, 52, 70), dtype=dtype, endpoint=True)
    planes[2] = np.iinfo(dtype).max

    def overlaps(old, new):
        starts, sources = np.arange(new)[:, None] * old, np.arange(old)[None] * new
        return np.clip(np.minimum(starts + old, sources + new) - np.maximum(starts, sources), 0, None)

    expected = overlaps(52, size[0]) @ planes.astype(np.int64) @ overlaps(70, size[1]).T / (52 * 70)
    np.testing.assert_array_equal(area_means(planes, size), expected)
    np.testing.assert_allclose(area_means(planes.astype(np.float32), size), expected, rtol=1e-6)
    if dtype == np.uint8:
        np.testing.assert_array_equal(area_average(planes, size), np.rint(expected))


def test_statistics_against_scipy():
    planes = np.random.default_rng(0).integers(0, 256, (5, 30, 40), dtype=np.uint8)
    found = statistics(planes)
    np.testing.assert_allclose(found["mean"], planes.mean((1, 2)))
    np.testing.assert_allclose(found["std"], planes.std((1, 2)))
    for plane, focus in zip(planes, found["focus"], strict=True):
        laplacian = scipy.ndimage.laplace(plane.astype(float))[1:-1, 1:-1]
        np.testing.assert_allclose(focus, laplacian.var() / plane.var())


@pytest.mark.parametrize("width", [2048, 2050, 6000])
def test_statistics_of_the_sharpest_image(width):
    """A checkerboard has the largest Laplacian, 1020 or -1020 in each pixel."""
    board = 255 * (np.indices((52, width)).sum(0) % 2).astype(np.uint8)
    found = statistics(np.stack([board] * 5))
    assert found["mean"].tolist() == found["std"].tolist() == [127.5] * 5
    assert found["focus"].tolist() == [1020**2 / 127.5**2] * 5


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 9), (9, 2)], ids=str)
def test_images_without_inner_pixels_have_no_focus(shape):
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    found = statistics(images)
    np.testing.assert_allclose(found["std"], images.std((1, 2)))
    assert found["focus"].tolist() == [0] * 5


def test_focus_falls_with_blur_and_not_with_brightness():
    sharp = np.random.default_rng(0).integers(0, 120, (64, 64)).astype(np.uint8)
    blurred = scipy.ndimage.gaussian_filter(sharp, 2)
    flat = np.full_like(sharp, 7)
    focus = statistics(np.stack([sharp, sharp * 2, blurred, flat, sharp]))["focus"]
    assert focus[1] == pytest.approx(focus[0])
    assert focus[2] < 0.1 * focus[0]
    assert focus[3] == 0
