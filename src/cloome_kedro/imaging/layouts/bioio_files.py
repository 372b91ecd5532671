"""CZI, ND2 and LIF files, read by bioio: one file per plate, well or field.

A file has one or more scenes; each is a field. Plate, well and site are the first of these that there is:

1. groups of ``pattern`` of the source, see `cloome_kedro.imaging.layouts.pattern`. The expression is matched with the
   name of the file and of the scene, such as ``P1/24277.czi/P1-B2``. It needs no group ``channel``;
2. the name of the scene, such as ``B02_s1`` or ``24277_B02_s1``;
3. a well at the end of the name of the scene, such as ``B2`` or ``P1-B2``;
4. the name of a file with one scene, such as ``B02_s1.czi`` or ``24277_B02_s1.czi``;
5. a well at the end of the name of a file, such as ``24277_B02.czi``.

Without a site, the scenes of a well are numbered from 1 in the order of the files. Without a plate, it has the name of
the file where the scenes give the wells, and otherwise the name of the folder. ``plate`` of the source overrides it.

The names of the channels are those in the file. If names are missing or not unique, channels are numbers from 1, and
the source needs a channel map. ``z`` and ``time`` count from 0.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.layouts.listing import check_names, list_files
from cloome_kedro.imaging.layouts.ome_tiff import FIELD_NAME
from cloome_kedro.imaging.layouts.pattern import match_path, well_of
from cloome_kedro.imaging.layouts.recognition import Recognised
from cloome_kedro.imaging.readers import BadField
from cloome_kedro.imaging.readers.bioio_file import SUFFIXES, Scene, read_scenes
from cloome_kedro.imaging.sources import Source
from cloome_kedro.imaging.wells import parse_wells

_COLUMNS = ["plate", "well", "site", "channel", "path", "plane", "z", "time", "reason"]
_FIELD = re.compile(FIELD_NAME, re.IGNORECASE)
_WELL = re.compile(r"(?:(?P<plate>.+)[_\-: ])?(?P<well>[A-Z]{1,2}\d{1,3})")


def read(folder: Path, source: Source) -> pd.DataFrame:
    """List the planes of all files below ``folder``; see `cloome_kedro.imaging.layouts.read_layout`.

    A file that cannot be read, and a scene without a well, have the reason in the column ``reason``.
    """
    paths = [path for path in list_files(folder, source.files) if path.suffix.lower() in SUFFIXES]
    if not paths:
        raise FileNotFoundError(
            f"there is no file {source.files or 'such as 24277.czi, B02_s1.nd2 or B02.lif'} below {folder}; correct "
            "`folder` or `files` of this source"
        )
    try:
        re.compile(source.pattern or "")
    except re.error as error:
        raise ValueError(
            f"source {source.name}: pattern {source.pattern!r} is not a regular expression: {error}"
        ) from error
    rows: list[tuple] = []
    sites: Counter[tuple[str, str]] = Counter()
    for path in paths:
        try:
            rows += _rows(path, folder, source, read_scenes(os.fspath(path)), sites)
        except BadField as error:
            rows.append(
                (source.plate or path.parent.name, path.stem, "", "", str(path), None, None, None, f"{path}: {error}")
            )
    return check_names(pd.DataFrame(rows, columns=_COLUMNS), ("site",))


def recognise(names: Sequence[str]) -> Recognised | None:
    """Recognise files by their suffix."""
    files = [name for name in names if name.lower().endswith(SUFFIXES)]
    if not files:
        return None
    note = "plates, wells and sites are in the names of scenes and files; set `pattern` if they are not found"
    return Recognised("bioio", len(files), example=files[0], notes=(note,))


def _rows(
    path: Path, folder: Path, source: Source, scenes: Sequence[Scene], sites: Counter[tuple[str, str]]
) -> Iterator[tuple]:
    """Rows of a file. ``sites`` counts the scenes of each plate and well, also those of files before."""
    first_plane = 0
    for scene in scenes:
        plate, well, site, reason = _place(path, folder, source, scene, len(scenes))
        if reason is None and site is None:
            key = plate, _plain_well(well)
            sites[key] += 1
            site = str(sites[key])
        labels = scene.channels or [str(i + 1) for i in range(scene.sizes[1])]
        times, channels, planes = scene.sizes
        places = ((time, c, z) for time in range(times) for c in range(channels) for z in range(planes))
        for plane, (time, c, z) in enumerate(places, first_plane):
            yield plate, well, site or "", labels[c], str(path), plane, z, time, reason
            if reason is not None:
                break
        first_plane += scene.planes


@lru_cache
def _plain_well(well: str) -> str:
    return str(parse_wells(pd.Series([well])).iloc[0])


def _place(
    path: Path, folder: Path, source: Source, scene: Scene, scenes: int
) -> tuple[str, str, str | None, str | None]:
    """Plate, well and site of a scene, and why it cannot be used. Without a site, scenes are counted."""
    if source.pattern is not None:
        name = f"{path.relative_to(folder).as_posix()}/{scene.name.replace('/', '_')}"
        match = match_path(re.compile(source.pattern), name)
        default_plate = path.stem
    else:
        of_scene = _FIELD.fullmatch(scene.name) or _WELL.fullmatch(scene.name)
        field_of_file = _FIELD.fullmatch(path.stem)
        of_file = field_of_file or _WELL.fullmatch(path.stem)
        if field_of_file and scenes > 1:  # its site cannot be the site of all scenes
            of_file = None
        name, match = f"{path.name}, scene {scene.name!r}", of_scene or of_file
        default_plate = path.stem if of_scene else path.parent.name
    groups = match.groupdict() if match else {}
    if match and match.re is _WELL and match.string == scene.name:
        groups.pop("plate")  # in P1-B2, the first part is a position
    well = well_of(groups)
    plate = source.plate or groups.get("plate") or default_plate
    if not well:
        why = "does not fit `pattern`" if source.pattern else "gives no well such as B02 or B02_s1"
        return plate, scene.name, scene.name, f"{path}: {name} {why}; set `pattern` of this source"
    return plate, well, groups.get("site"), None
