"""Tables of wells, and pictures of raw fields."""

import numpy as np
import pandas as pd
import tifffile

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.thumbnails import raw_thumbnail
from cloome_kedro.imaging.well_quality import well_quality


def fields(wells, plate="P"):
    table = pd.DataFrame({"well": np.repeat(wells, 2), "plate": plate})
    table["field_id"] = [f"{well}/{i}" for i, well in enumerate(table["well"])]
    table["control"] = table["well"].eq(wells[0])
    for number, channel in enumerate(CHANNELS):
        for name in ("focus", "saturated", "mean"):
            table[f"{name}_{channel}"] = np.arange(len(table)) + number + 1.0
    return table


def test_wells_have_means_of_their_fields():
    table = fields(["A01", "B02", "AF48"])
    counts = pd.DataFrame({"field_id": table["field_id"][1:], "nuclei": [4, 2, 6, 8, 10]})
    wells = well_quality(table, counts).set_index("well")
    assert wells["cells"].to_dict() == {"A01": 4.0, "B02": 4.0, "AF48": 9.0}
    assert wells.loc["A01", "mean_Mito"] == 1.5
    assert wells.loc["A01", "focus"] == np.exp(np.log(np.arange(1.5, 6)).mean())
    assert wells.loc["A01", "saturated"] == 5.5
    assert wells.loc["AF48", ["row", "column"]].tolist() == [32, 48]
    assert wells["edge"].to_dict() == {"A01": True, "B02": False, "AF48": True}
    assert wells["control"].to_dict() == {"A01": True, "B02": False, "AF48": False}


def test_the_edge_is_that_of_the_plate_format_and_not_of_the_wells_in_use():
    wells = well_quality(fields(["B02", "O23", "C04"]), pd.DataFrame({"field_id": [], "nuclei": []}))
    assert not wells["edge"].any()
    assert "cells" not in wells


def test_channels_of_a_rejected_field_are_read_one_by_one(tmp_path):
    row = {f"plane_{channel}": pd.NA for channel in CHANNELS}
    for number, channel in enumerate(CHANNELS):
        path = tmp_path / f"{channel}.tif"
        row[f"path_{channel}"] = str(path)
        if channel == "ER":
            path.write_bytes(b"II*\x00 truncated")
        elif channel == "DNA":
            continue
        else:
            image = np.zeros((60, 80 + number), np.uint16)
            image[:30] = 500 * (number + 1)
            tifffile.imwrite(path, image)
    picture, unreadable = raw_thumbnail(row, 20)
    assert unreadable == ["ER", "DNA"]
    assert picture.shape == (5, 20, 20)
    assert picture[0, :10].min() == 255
    assert picture[0, 10:].max() == 0
    assert not picture[[1, 4]].any()


def test_one_page_of_a_file_is_read(tmp_path):
    pages = np.zeros((5, 16, 16), np.uint16)
    pages[3, :, :8] = 900
    tifffile.imwrite(tmp_path / "all.tif", pages, photometric="minisblack")
    row = {f"path_{channel}": str(tmp_path / "all.tif") for channel in CHANNELS}
    row |= {f"plane_{channel}": number for number, channel in enumerate(CHANNELS)}
    picture, unreadable = raw_thumbnail(row, 8)
    assert not unreadable
    assert picture.reshape(5, -1).max(axis=1).tolist() == [0, 0, 0, 255, 0]
