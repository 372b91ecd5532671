"""OME-Zarr plates (NGFF 0.4 and 0.5), such as ``<plate>.ome.zarr/B/02/0``: one folder per plate.

Metadata give wells, fields and channels. The plate has the name in its metadata, or the name of its folder if there is
none or if two plates have the same. ``plate`` of the source overrides it. A site is the name of the field's folder if
the fields of the well are named by different whole numbers, as in ``B/02/0``. Otherwise the fields of a well are
numbered from 0 in the order of the metadata.

The names of the channels are the labels in ``omero``. If labels are missing or not unique, channels are numbers from 1,
and the source needs a channel map. Only the image with the highest resolution is read. ``z`` and ``time`` count from 0.

A well or field whose metadata are bad has the reason in the column ``reason``.
"""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.imaging.layouts.recognition import Recognised
from cloome_kedro.imaging.ngff import child, leading_planes, read_array_facts, read_attributes
from cloome_kedro.imaging.readers.zarr_array import check_zarr
from cloome_kedro.imaging.sources import Source
from cloome_kedro.imaging.wells import letters_of_row, parse_wells

logger = logging.getLogger(__name__)

_COLUMNS = ["plate", "well", "site", "channel", "path", "plane", "z", "time", "reason"]
_AXES = {"t", "c", "z"}
#: folder of a plate, if its name ends with .zarr; metadata of an image
_IMAGE = re.compile(r"((?:.+/)?[^/]+\.zarr/|)[A-Z]{1,2}/\d{1,2}/[^/]+/(?:(\.zattrs|zarr\.json)$|.+)", re.IGNORECASE)
_PLANES = 100_000  # of one field; metadata with more are wrong


def read(folder: Path, source: Source) -> pd.DataFrame:
    """List the images of all plates below ``folder``; see `cloome_kedro.imaging.layouts.read_layout`.

    Raises
    ------
    FileNotFoundError
        If there is no OME-Zarr below the folder.
    ValueError
        If there is no plate, if the metadata of a plate are bad, or if two plates have the same name.
    """
    plates = _plates(folder, source)
    rows = [row for plate, (name, metadata) in plates.items() for row in _plate_rows(plate, name, metadata)]
    return pd.DataFrame(rows, columns=_COLUMNS)


def recognise(names: Sequence[str]) -> Recognised | None:
    """Recognise plates by files such as ``P1.ome.zarr/B/02/0/.zattrs``."""
    plates = sorted({match[1] for name in names if (match := _IMAGE.match(name)) and (match[1] or match[2])})
    if not plates:
        return None
    inside = [name for name in names if name.startswith(tuple(plates))]
    count = f"{len(plates)} OME-Zarr plate{'s' if len(plates) > 1 else ''}"
    return Recognised("ome_zarr", len(inside), example=plates[0].rstrip("/") or inside[0], notes=(count,))


def _plates(folder: Path, source: Source) -> dict[Path, tuple[str, dict[str, Any]]]:
    """Name and metadata of each plate."""
    if not isinstance(folder, Path):
        raise ValueError(f"{folder}: OME-Zarr plates on a server are not read; copy them to a disk")
    if source.files:
        groups = [group for pattern in source.files.split("\n") for group in sorted(folder.glob(pattern))]
    else:
        groups = list(_groups(folder))
    attributes = {group: read_attributes(group) for group in groups if group.is_dir()}
    metadata = {group: _object(found, "plate") for group, found in attributes.items() if found and "plate" in found}
    images = [group for group, found in attributes.items() if found and "multiscales" in found]
    for plate in metadata:
        check_zarr(plate)
        if not plate.resolve().name.lower().endswith(".zarr"):
            raise ValueError(f"the OME-Zarr plate {plate} must have a name that ends with .zarr; rename its folder")
    if not metadata:
        if images:
            raise ValueError(
                f"{images[0]} is an OME-Zarr image, not a plate: its metadata have no `plate`. A plate is a group of "
                "rows, columns and fields, such as P1.ome.zarr/B/02/0"
            )
        raise FileNotFoundError(
            f"there is no OME-Zarr plate {source.files or 'such as P1.ome.zarr'} below {folder}; correct `folder` or "
            "`files` of this source"
        )
    if images:
        logger.warning("%s: %d OME-Zarr images that belong to no plate are left out", folder, len(images))
    return {plate: (name, metadata[plate]) for plate, name in _names(metadata, source).items()}


def _groups(folder: Path) -> Iterator[Path]:
    """Plates and images at or below a folder. What is inside them is not listed."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        is_group = {".zattrs", "zarr.json"} & set(files)
        if is_group and {"plate", "multiscales"} & set(read_attributes(Path(parent)) or ()):
            folders.clear()
            yield Path(parent)


def _names(plates: dict[Path, dict[str, Any]], source: Source) -> dict[Path, str]:
    """Name of each plate."""
    folders = {plate: re.sub(r"(\.ome)?\.zarr$", "", plate.resolve().name, flags=re.IGNORECASE) for plate in plates}
    names = {plate: str(metadata.get("name") or folders[plate]) for plate, metadata in plates.items()}
    if source.plate:
        names = dict.fromkeys(plates, source.plate)
    elif len(set(names.values())) < len(names):
        logger.warning("plates of the source %s have the same name in their metadata; folders name them", source.name)
        names = folders
    for name, count in Counter(names.values()).items():
        if count > 1:
            first, second = [plate for plate in plates if names[plate] == name][:2]
            raise ValueError(f"{first} and {second} are both called {name}; give each plate a source with `plate`")
    return names


def _plate_rows(plate: Path, name: str, metadata: dict[str, Any]) -> Iterator[tuple]:
    wells = _list(metadata, "wells")
    if not wells:
        raise ValueError(f"the metadata of the plate {plate} list no well; copy the plate again")
    acquisitions: set[str] = set()
    texts = [_well_text(entry, metadata) for entry in wells]
    for entry, text, well in zip(wells, texts, parse_wells(pd.Series(texts)), strict=True):
        try:
            well_folder = child(plate, entry.get("path"))
            if pd.isna(well):
                raise ValueError(f"the well {entry['path']!r} of {plate} is not a well; it should be named like B/02")
            found = read_attributes(well_folder)
            if found is None or not (images := _list(_object(found, "well"), "images")):
                raise ValueError(f"the well {well_folder} has no metadata that list its fields; copy it again")
        except ValueError as error:
            yield (name, text if pd.isna(well) else well, "", "", str(plate), None, None, None, str(error))
            continue
        acquisitions |= {str(image.get("acquisition")) for image in images}
        for site, image in zip(_sites(images), images, strict=True):
            try:
                yield from _field_rows(well_folder, (name, well, site), image)
            except ValueError as error:
                yield (name, well, site, "", str(well_folder), None, None, None, str(error))
    if len(acquisitions) > 1:
        logger.warning(
            "%s has %d acquisitions. The images of each are read as fields of their own", plate, len(acquisitions)
        )


def _well_text(entry: dict[str, Any], metadata: dict[str, Any]) -> str:
    """Row and column of a well: by their index in the plate's metadata, or by the path."""
    names = str(entry.get("path")).strip("/").split("/")
    for i, (index, key) in enumerate((("rowIndex", "rows"), ("columnIndex", "columns"))):
        listed, number = _list(metadata, key), entry.get(index)
        if isinstance(number, int) and 0 <= number < len(listed) and listed[number].get("name"):
            names[i : i + 1] = [str(listed[number]["name"])]
    return "".join([letters_of_row(names[0]), *names[1:2]])


def _sites(images: list[dict[str, Any]]) -> list[int]:
    """Number of each field of a well."""
    names = [str(image.get("path")) for image in images]
    numbers = [int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 10]
    return numbers if len(set(numbers)) == len(names) else list(range(len(names)))


def _field_rows(well: Path, field: tuple[str, str, int], image: dict[str, Any]) -> Iterator[tuple]:
    folder = child(well, image.get("path"))
    found = read_attributes(folder)
    if found is None or not (multiscales := _list(found, "multiscales")):
        raise ValueError(f"{folder} has no metadata of an image (`multiscales`); copy it again")
    if not (datasets := _list(multiscales[0], "datasets")):
        raise ValueError(f"the metadata of {folder} list no dataset; copy it again")
    array = child(folder, datasets[0].get("path"))
    facts = read_array_facts(array)
    axes = _axes(multiscales[0], folder, len(facts.shape))
    sizes = dict(zip(axes, facts.shape, strict=True))
    if (number := leading_planes(facts.shape)) > _PLANES:
        raise ValueError(f"{array} has {number:,} planes; a field has at most {_PLANES:,}")
    labels = _labels(found, folder, sizes.get("c", 1))
    positions = np.unravel_index(np.arange(number), facts.shape[:-2]) if axes[:-2] else ()
    by_axis = {axis: places.tolist() for axis, places in zip(axes[:-2], positions, strict=True)}
    of_channel, z, time = (by_axis.get(axis, [0] * number) for axis in "czt")
    for plane in range(number):
        yield (*field, labels[of_channel[plane]], str(array), plane, z[plane], time[plane], None)


def _axes(multiscale: dict[str, Any], folder: Path, dimensions: int) -> list[str]:
    """Names of the axes of an image, in lower case."""
    listed = multiscale.get("axes")
    axes = [str(axis.get("name") if isinstance(axis, dict) else axis).lower() for axis in listed or "tczyx"]
    if len(axes) != dimensions:
        raise ValueError(f"{folder}: the array has {dimensions} dimensions, but the metadata have the axes {axes}")
    if axes[-2:] != ["y", "x"] or not set(axes[:-2]) <= _AXES or len(set(axes)) < len(axes):
        raise ValueError(f"{folder} has the axes {', '.join(axes)}; they must be y and x after some of t, c and z")
    return axes


def _labels(found: dict[str, Any], folder: Path, channels: int) -> list[str]:
    """Name of each channel, or its number, from 1."""
    entries = _list(_object(found, "omero"), "channels")
    if entries and len(entries) != channels:
        raise ValueError(f"{folder} has {channels} channels, but its metadata describe {len(entries)}")
    labels = [str(entry.get("label") or "").strip() for entry in entries]
    if not all(labels) or len(set(labels)) < channels:
        return [str(number) for number in range(1, channels + 1)]
    return labels


def _list(metadata: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects of a list in the metadata. Entries that are not objects are dropped."""
    entries = metadata.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _object(metadata: dict[str, Any], key: str) -> dict[str, Any]:
    found = metadata.get(key)
    return found if isinstance(found, dict) else {}
