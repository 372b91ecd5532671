"""OME-Zarr plates of NGFF 0.4 (Zarr 2) and 0.5 (Zarr 3), written as microscopes' converters write them."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import tensorstore

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.readers import read_image

VERSIONS = ("0.4", "0.5")


def write_ome_zarr(
    folder: Path,
    fields: dict[tuple[str, int], np.ndarray],
    version: str = "0.4",
    *,
    labels=CHANNELS,
    axes: str = "tczyx",
    chunks: tuple[int, ...] | None = None,
    shards: tuple[int, ...] | None = None,
    name: str | None = None,
) -> Path:
    """Write a plate.

    Parameters
    ----------
    folder
        Folder of the plate, such as ``P1.ome.zarr``.
    fields
        Images by (well, site), such as ("B02", 1). Arrays with three dimensions are (channels, height, width), and get
        dimensions of size 1 for the other axes. Arrays with more dimensions have the dimensions of ``axes``.
    version
        0.4 or 0.5.
    labels
        Names of the channels in the metadata. None: there are no ``omero`` metadata.
    axes
        Axes of the arrays.
    chunks, shards
        Shapes. None: one chunk per plane, and no shards.
    name
        Name of the plate in its metadata. None: there is none.
    """
    wells: dict[str, list[int]] = {}
    for well, site in fields:
        wells.setdefault(well, []).append(site)
    parts = {well: re.fullmatch(r"([A-Z]+)(\d+)", well).groups() for well in wells}
    rows, columns = (sorted({part[i] for part in parts.values()}) for i in (0, 1))
    plate = {
        "columns": [{"name": column} for column in columns],
        "rows": [{"name": row} for row in rows],
        "wells": [
            {"path": f"{row}/{column}", "rowIndex": rows.index(row), "columnIndex": columns.index(column)}
            for row, column in parts.values()
        ],
        "field_count": max(map(len, wells.values())),
    }
    write_group(folder, {"plate": plate | ({"name": name} if name else {})}, version)
    for row in rows:
        write_group(folder / row, {}, version)
    for well, sites in wells.items():
        well_folder = folder.joinpath(*parts[well])
        write_group(well_folder, {"well": {"images": [{"path": str(site)} for site in sites]}}, version)
        for site in sites:
            images = fields[well, site]
            if images.ndim == 3:
                shape = dict(zip("cyx", images.shape, strict=True))
                images = images.reshape([shape.get(axis, 1) for axis in axes])
            write_field(well_folder / str(site), images, version, axes, labels, chunks, shards)
    return folder


def write_field(folder, images, version, axes="tczyx", labels=CHANNELS, chunks=None, shards=None) -> None:
    """Write the images of one field in full and in half resolution."""
    kinds = {"t": "time", "c": "channel"}
    metadata = {
        "multiscales": [
            {
                "axes": [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes],
                "datasets": [
                    {
                        "path": str(level),
                        "coordinateTransformations": [{"type": "scale", "scale": [1.0] * (len(axes) - 2) + [size] * 2}],
                    }
                    for level, size in enumerate((1.0, 2.0))
                ],
            }
        ]
    }
    if labels is not None:
        metadata["omero"] = {"channels": [{"label": label, "color": "FFFFFF"} for label in labels]}
    write_group(folder, metadata, version)
    for level, array in enumerate((images, images[..., ::2, ::2])):
        _write_array(folder / str(level), array, version, chunks, shards)


def _write_array(path: Path, array: np.ndarray, version: str, chunks=None, shards=None) -> None:
    chunks = list(chunks or (1,) * (array.ndim - 2) + array.shape[-2:])
    driver = "zarr"
    metadata = {"chunks": chunks, "dimension_separator": "/", "fill_value": 0, "dtype": array.dtype.str}
    if version != "0.4":
        driver, codecs = "zarr3", [{"name": "bytes"}, {"name": "zstd", "configuration": {"level": 1}}]
        grid = {"name": "regular", "configuration": {"chunk_shape": list(shards or chunks)}}
        if shards:
            codecs = [{"name": "sharding_indexed", "configuration": {"chunk_shape": chunks, "codecs": codecs}}]
        metadata = {"chunk_grid": grid, "codecs": codecs}
    store = {"driver": "file", "path": f"{path}/"}
    tensorstore.open(
        {"driver": driver, "kvstore": store, "metadata": metadata, "store_data_equal_to_fill_value": True},
        create=True,
        dtype=array.dtype,
        shape=array.shape,
    ).result()[...] = array


def write_group(folder: Path, metadata: dict, version: str) -> None:
    """Write a group with NGFF metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    if version == "0.4":
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        versioned = {
            key: value | {"version": "0.4"} if key in ("plate", "well") else value for key, value in metadata.items()
        }
        (folder / ".zattrs").write_text(json.dumps(versioned))
        return
    attributes = {"ome": {"version": "0.5", **metadata}} if metadata else {}
    (folder / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": attributes}))


def edit_metadata(folder: Path, edit) -> None:
    """Rewrite the NGFF metadata of a group, which ``edit`` changes in place."""
    path = next(folder / name for name in ("zarr.json", ".zattrs") if (folder / name).is_file())
    content = json.loads(path.read_text())
    edit(content["attributes"]["ome"] if path.name == "zarr.json" else content)
    path.write_text(json.dumps(content))


def lay_out_as_ome_zarr(index: pd.DataFrame, folder: Path, version: str = "0.4", **options) -> list[Path]:
    """Write the fields of a table ``field_index`` as OME-Zarr plates, one folder ``<plate>.ome.zarr`` per plate.

    Wells and sites keep their names, so that an index of the plates has the same field_ids.
    """
    plates = []
    for plate, rows in index.groupby("plate"):
        fields = {}
        for row in rows.to_dict("records"):
            images = [
                read_image(
                    row[f"path_{channel}"], None if pd.isna(row[f"plane_{channel}"]) else row[f"plane_{channel}"]
                )
                for channel in CHANNELS
            ]
            fields[row["well"], row["site"]] = np.stack(images)
        plates.append(write_ome_zarr(folder / f"{plate}.ome.zarr", fields, version, **options))
    return plates
