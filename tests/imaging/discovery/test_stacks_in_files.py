"""Stacks and time points that names of files do not show are proposed from the files."""

import numpy as np

from cloome_kedro.imaging.discovery.sources import find_layouts, list_names, look_at_source, source_settings
from ome_zarr_plates import write_ome_zarr


def test_axes_of_an_ome_zarr_are_proposed(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(1, 4000, (2, 5, 3, 64, 64), dtype=np.uint16)
    for plate, version in (("P1", "0.4"), ("P2", "0.5")):
        write_ome_zarr(tmp_path / f"{plate}.ome.zarr", {(well, 0): images for well in ("A01", "B02")}, version)
    ((folder, recognised),) = find_layouts(tmp_path, list_names(tmp_path))
    source = look_at_source("mine", folder, recognised)
    assert source_settings(source, None) == {"layout": "ome_zarr", "z": "max", "time": 0, "bit_depth": 12}
    assert source.recognised.notes == (
        "2 OME-Zarr plates",
        "3 planes of z stacks (0, 1, 2): the maximum over them is proposed",
        "2 time points (0, 1): the first is proposed",
    )
