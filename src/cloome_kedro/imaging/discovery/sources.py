"""Find the sources of images in a folder: layout, plates, wells, sites, channels, and what a few images show."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS, canonical
from cloome_kedro.imaging.discovery.content import ChannelProposal, bit_depth, nucleus_diameter, propose_channels
from cloome_kedro.imaging.layouts import read_layout
from cloome_kedro.imaging.layouts.recognition import Recognised, propose_axes, recognise_layouts
from cloome_kedro.imaging.readers import BadField, has_reader, read_planes
from cloome_kedro.imaging.sources import Platemap, Source

#: fields whose images are looked at
SAMPLE = 6
_ZARR_METADATA = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
_ARCHIVE = ".zip"  # the readers read its members


@dataclass(frozen=True)
class FoundSource:
    """A folder of images with one layout.

    Attributes
    ----------
    name
        Name of the source.
    folder
        The folder.
    recognised
        Its layout, and settings that the layout proposes.
    images
        One row per image: plate, well, site, channel, path, plane and perhaps z and time.
    channels
        Which channel each name in the files is. Empty: the names are known, or it is not known.
    bit_depth, bit_reason
        Bit depth, and why.
    shape
        Height and width of the images in pixels.
    diameter
        Median diameter of nuclei in pixels; None if none were found.
    one_plate
        Whether the folders that would be plates are probably none, because each has one well.
    unreadable
        Fields of the sample that cannot be read, with the reason.
    """

    name: str
    folder: Path
    recognised: Recognised
    images: pd.DataFrame = field(repr=False)
    channels: ChannelProposal
    bit_depth: int
    bit_reason: str
    shape: tuple[int, int]
    diameter: float | None
    one_plate: bool
    unreadable: tuple[str, ...] = ()

    @property
    def wells(self) -> pd.DataFrame:
        """Plate and well of each well, one row per well."""
        return self.images[["plate", "well"]].drop_duplicates(ignore_index=True)

    @property
    def fields(self) -> int:
        """Number of fields."""
        return len(self.images[["plate", "well", "site"]].drop_duplicates())


def list_names(folder: Path) -> list[str]:
    """List the files below a folder, with ``/`` between folders. Of a Zarr, only the metadata of groups are listed."""
    names = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = os.path.relpath(parent, folder).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        if ".zarr/" in f"{folder.name}/{prefix}":
            if ".zarray" in files or ("zarr.json" in files and "c" in folders):
                folders.clear()  # the chunks of an array
            files = [name for name in files if name in _ZARR_METADATA]
        else:
            files = [name for name in files if not name.startswith(".")]
        names += [prefix + name for name in sorted(files)]
    return names


def is_image(name: str) -> bool:
    """Whether the name of a file is that of an image, or of a file with images."""
    return has_reader(name) or name.lower().endswith(_ARCHIVE)


def find_layouts(folder: Path, names: Sequence[str]) -> list[tuple[Path, Recognised]]:
    """Divide a folder into sources: a layout for the whole folder, or one for each of its subfolders.

    Subfolders are sources of their own if their images have different layouts, or are stored in different formats.

    Returns
    -------
    Folder and layout of each source. Empty: no layout is recognised.
    """
    whole = recognise_layouts(names)
    if not whole:
        return []
    by_folder: dict[str, list[str]] = {}
    for name in names:
        first, _, rest = name.partition("/")
        by_folder.setdefault(first if rest else "", []).append(rest or name)
    parts = {
        first: (layouts[0], _format(layouts[0]))
        for first, inner in by_folder.items()
        if first and any(map(is_image, inner)) and (layouts := recognise_layouts(inner))
    }
    kinds = {(layout.layout, form) for layout, form in parts.values()}
    explained = sum(layout.files for layout, _ in parts.values())
    if len(kinds) > 1 and explained >= whole[0].files:
        return [(folder / first, layout) for first, (layout, _) in sorted(parts.items())]
    return [(folder, whole[0])]


def _format(layout: Recognised) -> str:
    return Path(layout.example).suffix.lower().replace("tiff", "tif")


def look_at_source(
    name: str, folder: Path, recognised: Recognised, channels: Mapping[str, str] | None = None
) -> FoundSource:
    """List the images of a source, and look at a few of them.

    Parameters
    ----------
    name
        Name of the source.
    folder, recognised
        As `find_layouts` gives them.
    channels
        Names of channels that the user gives, ``{name in the files: channel}``.

    Raises
    ------
    ValueError, FileNotFoundError
        If the layout cannot be read, there are fewer than five channels, or no image can be read.
    """
    source = Source(name, recognised.layout, Platemap(""), **recognised.settings)
    images = read_layout(recognised.layout, folder, source)
    images = images[images["reason"].isna()].drop(columns="reason").astype({"site": int})
    if images.empty:
        raise ValueError(f"{folder}: none of the images that the layout {recognised.layout} lists can be used")
    recognised = _with_axes(recognised, images)
    fields, unreadable = _sample(images)
    if not fields:
        raise ValueError(f"{folder}: no field can be read; the first reason is: {unreadable[0]}")
    proposal = _channels(fields, channels)
    planes = [image for field in fields for image in field.values()]
    depth, why = bit_depth(planes)
    dna = next((name for name, channel in proposal.channels.items() if channel == "DNA"), None)
    dna = dna or next((name for name in fields[0] if canonical(name) == "DNA"), None)
    shapes = pd.Series([image.shape for image in planes])
    per_plate = images.drop_duplicates(["plate", "well"]).groupby("plate").size()
    wells = images.drop_duplicates(["plate", "well"])["well"]
    return FoundSource(
        name=name,
        folder=folder,
        recognised=recognised,
        images=images,
        channels=proposal,
        bit_depth=depth,
        bit_reason=why,
        shape=tuple(shapes.mode().iloc[0]),
        diameter=None if dna is None else nucleus_diameter([field[dna] for field in fields]),
        one_plate=len(per_plate) > 2 and per_plate.max() == 1 and wells.is_unique,
        unreadable=tuple(unreadable),
    )


def _with_axes(recognised: Recognised, images: pd.DataFrame) -> Recognised:
    """Propose a plane and a time point that names of files do not show, such as those of an OME-Zarr."""
    known = {axis: images[axis].dropna().tolist() for axis in ("z", "time") if axis not in recognised.settings}
    settings, notes = propose_axes(**known)
    return replace(recognised, settings={**recognised.settings, **settings}, notes=(*recognised.notes, *notes))


def _sample(images: pd.DataFrame) -> tuple[list[dict[str, npt.NDArray]], list[str]]:
    """Read fields of wells that are spread over the plates, each as ``{channel: image}``."""
    wells = images[["plate", "well"]].drop_duplicates()
    chosen = wells.iloc[np.unique(np.linspace(0, len(wells) - 1, SAMPLE).round().astype(int))]
    fields, unreadable = [], []
    for plate, well in chosen.itertuples(index=False):
        rows = images[(images["plate"] == plate) & (images["well"] == well)]
        rows = rows[rows["site"] == rows["site"].min()].drop_duplicates("channel")
        try:
            fields.append(_read(rows))
        except BadField as error:
            unreadable.append(f"plate {plate}, well {well}: {error}")
    return fields, unreadable


def _read(rows: pd.DataFrame) -> dict[str, npt.NDArray]:
    field: dict[str, npt.NDArray] = {}
    for path, in_file in rows.groupby("path", sort=False):
        planes = [None if pd.isna(plane) else int(plane) for plane in in_file["plane"]]
        for channel, image in zip(in_file["channel"], read_planes(str(path), planes), strict=True):
            if image.ndim != 2:
                raise BadField(f"{os.path.basename(str(path))} has the shape {image.shape}, which is no single plane")
            field[str(channel)] = image
    return field


def _channels(fields: Sequence[dict[str, npt.NDArray]], given: Mapping[str, str] | None) -> ChannelProposal:
    names = set.intersection(*(set(field) for field in fields))
    if given:
        if missing := [name for name in given if name not in names]:
            raise ValueError(f"there is no channel {missing[0]} in the files; there are: {', '.join(sorted(names))}")
        known = {canonical(name, given) for name in names}
        if lacking := [channel for channel in CHANNELS if channel not in known]:
            raise ValueError(f"the channels lack {', '.join(lacking)}; write them as {_example(sorted(names))}")
        return ChannelProposal(dict(given), "as you have given them")
    known = {canonical(name) for name in names}
    if set(CHANNELS) <= known:
        return ChannelProposal({}, "the names in the files are known")
    return propose_channels(fields)


def _example(names: Sequence[str]) -> str:
    return ",".join(f"{name}={channel}" for name, channel in zip(names, CHANNELS, strict=False))


def source_settings(source: FoundSource, plate: str | None) -> dict[str, Any]:
    """Settings of the source in the configuration, without name, folder and platemap."""
    settings: dict[str, Any] = {"layout": source.recognised.layout, **source.recognised.settings}
    if source.channels.channels:
        settings["channels"] = source.channels.channels
    settings["bit_depth"] = source.bit_depth
    if plate:
        settings["plate"] = plate
    return settings
