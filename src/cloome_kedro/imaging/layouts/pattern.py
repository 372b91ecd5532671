"""Any naming scheme, by a regular expression with named groups in ``pattern`` of the source.

The expression must fit the whole name of a file, or the name with its last folders, such as ``P1/B02/s1_DNA.tif``.
Files in a zip archive have paths such as ``P1.zip!/B02/s1_DNA.tif``. The groups are:

- ``plate``: not needed if the source has ``plate``;
- ``well``, such as B02; or ``row`` (letters, or a number from 1) and ``column``;
- ``site``: a number; 1 if there is no such group;
- ``channel``: the name of the channel in the files;
- ``z`` or ``plane``, and ``time``: numbers, if there are z stacks or time points.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.layouts.listing import check_names, list_files
from cloome_kedro.imaging.readers import BadField
from cloome_kedro.imaging.readers.base import MEMBER
from cloome_kedro.imaging.readers.zip_member import members
from cloome_kedro.imaging.sources import Source
from cloome_kedro.imaging.wells import letters_of_row

logger = logging.getLogger(__name__)

_COLUMNS = ["plate", "well", "site", "channel", "z", "time", "path", "reason"]


def read(folder: Path, source: Source) -> pd.DataFrame:
    """List the images below ``folder``; see `cloome_kedro.imaging.layouts.read_layout`."""
    pattern = re.compile(str(source.pattern))
    rows, others = [], []
    for name, bad_archive in _names(folder, source):
        if bad_archive is not None:
            rows.append((source.plate or "", "", "", "", None, None, str(folder / name), bad_archive))
        elif match := match_path(pattern, name):
            rows.append(_row(match, str(folder / name), source))
        else:
            others.append(name)
    if not rows:
        there = f"the first files are {', '.join(others[:3])}" if others else "there are no files"
        raise FileNotFoundError(
            f"source {source.name}: none of {len(others)} files below {folder} fits the pattern {source.pattern!r}; "
            f"{there}"
        )
    if others:
        logger.info(
            "source %s: %d files that do not fit the pattern are left out, such as %s",
            *(source.name, len(others), others[0]),
        )
    return check_names(pd.DataFrame(rows, columns=_COLUMNS), ("site", "z", "time"))


def _names(folder: Path, source: Source) -> Iterator[tuple[str, str | None]]:
    """Relative path of each file and of each member of an archive; why an archive cannot be read."""
    for path in list_files(folder, source.files):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() != ".zip":
            yield name, None
            continue
        try:
            for info in members(str(path)):
                yield f"{name}{MEMBER}{info.filename}", None
        except BadField as error:
            yield name, f"{path}: {error}"


def match_path(pattern: re.Pattern[str], name: str) -> re.Match[str] | None:
    """Match of the last parts of a path, the shortest that fits."""
    parts = name.split("/")
    return next((match for i in reversed(range(len(parts))) if (match := pattern.fullmatch("/".join(parts[i:])))), None)


def well_of(groups: Mapping[str, str | None]) -> str:
    """Well that the group ``well`` gives, or ``row`` and ``column``; empty if there is none.

    >>> well_of({"well": "B02"}), well_of({"row": "2", "column": "03"}), well_of({})
    ('B02', 'B03', '')
    """
    return groups.get("well") or letters_of_row(groups.get("row") or "") + (groups.get("column") or "")


def _row(match: re.Match[str], path: str, source: Source) -> tuple:
    groups = match.groupdict()
    well = well_of(groups)
    plate = source.plate or groups.get("plate")
    channel = groups.get("channel")
    problem = None
    if missing := [name for name, value in (("plate", plate), ("well", well), ("channel", channel)) if not value]:
        problem = f"{path}: its name gives no {' and no '.join(missing)}"
    site = groups["site"] or "" if "site" in match.re.groupindex else "1"
    z = groups.get("z") or groups.get("plane")
    return plate or "", well, site, channel or "", z, groups.get("time"), path, problem
