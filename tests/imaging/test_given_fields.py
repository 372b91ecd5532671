"""Fields that a user gives: their form, their thresholds, and warnings."""

import numpy as np
import pytest
import tifffile

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Intensity, Storage
from cloome_kedro.imaging.given_fields import ContrastCheck, by_channel, open_fields, stored_reader
from cloome_kedro.imaging.images import to_stored
from cloome_kedro.imaging.intensity import pooled_thresholds

RAW = np.random.default_rng(0).integers(0, 5000, (4, 5, 12, 14), dtype=np.uint16)
BY_PLATE = Storage(Intensity(1, 255), scope="plate", size=(6, 7))
THRESHOLDS = pooled_thresholds(RAW, 5, 1)
STORED = to_stored(RAW, BY_PLATE, THRESHOLDS)[0]


@pytest.fixture
def groups(tmp_path):
    """Files of each field, in the order of the channels."""
    for row, field in enumerate(RAW):
        for channel, plane in zip(CHANNELS, field, strict=True):
            tifffile.imwrite(tmp_path / f"{row}_{channel}.tif", plane)
    return [[tmp_path / f"{row}_{channel}.tif" for channel in CHANNELS] for row in range(len(RAW))]


@pytest.mark.parametrize("form", ["array", "slice", "lists", "texts", "mappings", "generator"])
def test_every_form_is_read_as_it_is_stored(groups, form):
    fields = {
        "array": RAW,
        "slice": np.repeat(RAW, 2, axis=3)[..., ::2],
        "lists": groups,
        "texts": [[str(path) for path in group] for group in groups],
        "mappings": [dict(zip(CHANNELS[::-1], group[::-1], strict=True)) for group in groups],
        "generator": ((path for path in group) for group in groups),
    }[form]
    given = open_fields(fields)
    assert (given.number, given.shape, given.bits, given.are_stored) == (4, (12, 14), 16, False)
    for options in ({"thresholds": THRESHOLDS}, {"plate": open_fields(RAW)}):
        read = stored_reader(given, BY_PLATE, **options)
        np.testing.assert_array_equal(read(np.array([2, 0])), STORED[[2, 0]])


def test_eight_bit_fields_need_no_thresholds():
    given = open_fields(STORED)
    assert (given.bits, given.are_stored) == (8, True)
    np.testing.assert_array_equal(stored_reader(given, BY_PLATE)(np.array([3, 1])), STORED[[3, 1]])
    assert stored_reader(open_fields([]), BY_PLATE)(np.array([], int)).shape == (0, 5, 1, 1)


def test_a_shape_is_said_with_what_to_do():
    with pytest.raises(
        ValueError, match=r"must be \(N, 5, H, W\), not \(5, 12, 14\); for one field, give field\[None\]"
    ):
        open_fields(RAW[0])
    for wrong in (RAW[:, :, :0], RAW[:, :3], RAW[None]):
        with pytest.raises(ValueError, match=r"must be \(N, 5, H, W\), not \([\d, ]+\)$"):
            open_fields(wrong)
    for dtype in (np.int16, np.uint32, np.float32, bool, object):
        with pytest.raises(TypeError, match=r"must be uint8 .* or uint16 .*, not"):
            open_fields(RAW.astype(dtype))


def test_values_by_channel():
    assert by_channel({"dna": 5, "Ph_golgi": 4, "RNA": 3, "ER": 2, "OrigMito": 1}, "it") == [1, 2, 3, 4, 5]
    for wrong in ({}, {"DNA": 1}, dict.fromkeys([*CHANNELS, "Hoechst"]), dict.fromkeys([*CHANNELS, "BF"])):
        with pytest.raises(ValueError, match=r"it has the channels .*; it needs one each for Mito, ER, RNA, AGP, DNA"):
            by_channel(wrong, "it")


def test_contrast_is_checked_over_all_batches(recwarn):
    images = STORED.copy()
    check = ContrastCheck(lambda rows: images[rows])
    for rows in ([1, 0], [3], []):
        np.testing.assert_array_equal(check(np.array(rows, int)), images[rows])
    check.warn()
    assert not recwarn
    images[2, 1], images[3, 0] = 7, 0
    check(np.array([3, 2]))
    with pytest.warns(UserWarning, match="2 images have the same value .*, the first is channel ER of field 2"):
        check.warn()
    dark = ContrastCheck(lambda rows: images[rows] // 10)
    dark(np.arange(2))
    with pytest.warns(UserWarning, match="the brightest pixel of all fields is 22 of 255"):
        dark.warn()
