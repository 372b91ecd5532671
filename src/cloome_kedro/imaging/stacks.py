"""Z stacks and time points: which images of a source are used, and how the index holds several images of a channel."""

import json
import os
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS, canonical
from cloome_kedro.imaging.remote import is_remote
from cloome_kedro.imaging.sources import Source

#: columns of the table ``field_index`` with the further images of a channel, whose maximum is taken
MORE = [f"more_{channel}" for channel in CHANNELS]
_WORDS = {"time": ("time points", "`time`"), "z": ("z planes", "`z`")}


def choose(images: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Keep the images of the time point and of the z plane that the source asks for.

    Parameters
    ----------
    images
        Table of `cloome_kedro.imaging.layouts.read_layout`.
    source
        ``time`` and ``z`` of it are used.

    Returns
    -------
    The rows that are used, without the column ``time``. ``z`` is missing if each channel of a field has one image. With
    ``z: max``, images of a channel that differ in ``z`` are one stack.

    Raises
    ------
    ValueError
        If there are several time points or planes and the source chooses none, or one that is not there.
    """
    for axis in ("time", "z"):
        chosen = getattr(source, axis)
        is_known = images["channel"].map(
            {name: canonical(name, source.channels) for name in images["channel"].unique()}
        )
        # rows that cannot be used, and channels such as brightfield, are not asked
        usable = images[is_known.notna() & images["reason"].isna()]
        values = sorted(usable[axis].dropna().unique().tolist())
        if chosen == "max" and values:
            continue
        what, key = _WORDS[axis]
        if chosen is not None and chosen not in values:
            there = f"they are {_listed(values)}" if values else f"its files give none; leave out {key}"
            raise ValueError(f"source {source.name}: there is no {axis} {chosen} among its {what}: {there}")
        if chosen is None and len(values) + usable[axis].isna().any() > 1:
            maximum = ", or `z: max` for the maximum over all of them" if axis == "z" else ""
            none = " and images without one" if usable[axis].isna().any() else ""
            raise ValueError(
                f"source {source.name} has images of several {what} ({_listed(values)}{none}); choose one by {key} of "
                f"this source, e.g. {axis}: {values[0]}{maximum}"
            )
        if chosen is not None:
            images = images[images[axis].eq(chosen).fillna(False) | images["reason"].notna()]
    if source.z != "max":
        images = images.assign(z=pd.Series(pd.NA, index=images.index, dtype="Int64"))
    return images.drop(columns="time")


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values[:8])) + (", ..." if len(values) > 8 else "")


def further_images(images: pd.DataFrame, by: list[str]) -> pd.DataFrame | None:
    """Return all images of each channel but the first, as texts that `parse` reads.

    Parameters
    ----------
    images
        One row per image, with the columns ``by``, channel, path, plane and z.
    by
        Columns that name a field.

    Returns
    -------
    One row per field, with the columns ``by`` and `MORE`. None if no channel has several images.
    """
    images = images.sort_values("z", kind="stable")
    further = images[images.duplicated([*by, "channel"])]
    if further.empty:
        return None
    pairs = further["path"].combine(
        further["plane"], lambda path, plane: [path, None if pd.isna(plane) else int(plane)]
    )
    texts = pairs.groupby([further[name] for name in [*by, "channel"]]).agg(lambda images: json.dumps(list(images)))
    return texts.unstack("channel").reindex(columns=list(CHANNELS)).set_axis(MORE, axis=1).reset_index()


def parse(text: str) -> list[tuple[str, int | None]]:
    """File and page of each image in a text of `further_images`."""
    return [(path, plane) for path, plane in json.loads(text)]


def folders_outside(index: pd.DataFrame, screen_folder: Path) -> list[str] | None:
    """List the folders of a screen's images that are not below a folder.

    Parameters
    ----------
    index
        Table ``field_index``.
    screen_folder
        Folder of the screen.

    Returns
    -------
    list of str
        Absolute paths without repetition; None if an image is on a server.
    """
    folders: set[str] = set()
    for channel in CHANNELS:
        paths = index[f"path_{channel}"].dropna().unique()
        folders.update(map(os.path.dirname, paths))
        if f"more_{channel}" in index:
            stacks = index[f"more_{channel}"].dropna().unique()
            folders.update(os.path.dirname(path) for text in stacks for path, _ in parse(text))
    if any(map(is_remote, folders)) or is_remote(screen_folder):
        return None
    inside = os.path.join(os.path.abspath(screen_folder), "")
    return sorted(folder for folder in map(os.path.abspath, folders) if not f"{folder}/".startswith(inside))
