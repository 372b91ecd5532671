"""Find the files of illumination functions that a screen brings."""

import glob
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS, canonical
from cloome_kedro.imaging.illumination.settings import ProvidedIllumination
from cloome_kedro.imaging.layouts.load_data_csv import list_functions
from cloome_kedro.imaging.plate_choice import expand_files
from cloome_kedro.imaging.readers import locate
from cloome_kedro.imaging.remote import join
from cloome_kedro.imaging.sources import Source
from cloome_kedro.words import counted

#: name of a plate -> files of the functions, in the order of `CHANNELS`
Functions = Mapping[str, Sequence[str]]


def find_functions(
    screen_folder: Path, sources: Sequence[Source], plates: Mapping[str, Sequence[str]], settings: ProvidedIllumination
) -> dict[str, list[str]]:
    """Find the files of the functions of all plates. They are not read.

    Parameters
    ----------
    screen_folder
        Folder of the screen.
    sources
        Sources of the screen.
    plates
        Names of the plates of each source, by the name of the source.
    settings
        Where the functions are.

    Returns
    -------
    Files of each plate, see `Functions`.

    Raises
    ------
    ValueError, FileNotFoundError
        If a function is missing, or several files have one function. The message names the plate or the file.
    """
    found: dict[str, list[str]] = {}
    for source in sources:
        if wanted := plates.get(source.name):
            root = join(screen_folder, source.folder)
            if settings.files is not None:
                table = pd.concat([_of_pattern(root, source, plate, settings.files) for plate in wanted])
            else:
                table = _of_tables(root, expand_files(source, screen_folder))
            found |= _by_plate(table[table["plate"].isin(wanted)], wanted, source)
    paths = [path for of_plate in found.values() for path in of_plate]
    located = dict(zip(paths, locate(paths), strict=True))
    if missing := [path for path in paths if located[path] is None]:
        raise FileNotFoundError(
            f"{len(missing)} of {counted(len(paths), 'illumination function')} do not exist, the first is "
            f"{missing[0]}; correct `files` of storage.illumination, or the paths in the LoadData tables"
        )
    return {plate: [str(located[path]) for path in of_plate] for plate, of_plate in found.items()}


def _of_tables(root: Path, source: Source) -> pd.DataFrame:
    if source.layout != "load_data_csv":
        raise ValueError(
            f"source {source.name} has the layout {source.layout}, whose files do not name illumination functions; set "
            "`files` of storage.illumination, such as illum/{plate}/{plate}_Illum{channel}.npy"
        )
    return list_functions(root, source)


def _of_pattern(root: Path, source: Source, plate: str, pattern: str) -> pd.DataFrame:
    """Files of one plate: columns plate, channel and path."""
    filled = pattern.replace("{plate}", glob.escape(plate)).replace("{channel}", "*")
    start = re.match(r"[a-z][a-z0-9+.\-]+://[^/]+/|/", filled, re.IGNORECASE)
    folder = join(root, start[0]) if start else root
    # the text at the first place of the channel is its name, and all its places have this text
    regex = "(?P=channel)".join(map(_regex, pattern.replace("{plate}", "\0").split("{channel}")))
    regex = regex.replace("(?P=channel)", "(?P<channel>[^/]+?)", 1).replace("\0", re.escape(plate))
    rows = []
    for path in sorted(map(str, folder.glob(filled[start.end() if start else 0 :]))):
        match = re.fullmatch(f"(?:.*/)?{regex}", path)
        if match and (channel := canonical(match["channel"], source.channels)):
            rows.append({"plate": plate, "channel": channel, "path": path})
    return pd.DataFrame(rows, columns=["plate", "channel", "path"])


def _regex(text: str) -> str:
    return re.escape(text).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")


def _by_plate(table: pd.DataFrame, plates: Sequence[str], source: Source) -> dict[str, list[str]]:
    table = table.drop_duplicates(["plate", "channel", "path"])
    twice = table[table.duplicated(["plate", "channel"], keep=False)]
    if len(twice):
        plate, channel, first = twice.iloc[0]
        second = twice.loc[(twice["plate"] == plate) & (twice["channel"] == channel), "path"].iloc[1]
        raise ValueError(
            f"source {source.name}, plate {plate}: the channel {channel} has several illumination functions, {first} "
            f"and {second}; make `files` of storage.illumination more precise, or correct the LoadData tables"
        )
    paths = table.set_index(["plate", "channel"])["path"].to_dict()
    found = {}
    for plate in plates:
        if missing := [channel for channel in CHANNELS if (plate, channel) not in paths]:
            raise FileNotFoundError(
                f"source {source.name}, plate {plate}: there is no illumination function of the channel "
                f"{', '.join(missing)}; correct `files` of storage.illumination, or leave the plate out by `plates` of "
                "the source"
            )
        found[plate] = [paths[plate, channel] for channel in CHANNELS]
    return found
