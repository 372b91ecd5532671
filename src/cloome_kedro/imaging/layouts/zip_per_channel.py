"""One zip archive per plate and channel, such as ``24277-ERSyto.zip``, as GigaDB and IDR distribute screens.

The name of an archive gives plate and channel. ``plate`` of the source overrides the plate. Images inside are named as
in the layout ``imagexpress``, such as ``folder/cdp2bioactives_a01_s1_w2<UUID>.tif``: well, site, and perhaps time point
and plane are used. Images are read out of the archives, which are never unpacked.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from cloome_kedro.imaging.channels import canonical
from cloome_kedro.imaging.layouts.imagexpress import Named, parse
from cloome_kedro.imaging.layouts.listing import check_names, list_files
from cloome_kedro.imaging.layouts.recognition import Recognised
from cloome_kedro.imaging.readers import BadField
from cloome_kedro.imaging.readers.base import MEMBER
from cloome_kedro.imaging.readers.zip_member import is_encrypted, members
from cloome_kedro.imaging.sources import Source

logger = logging.getLogger(__name__)

_FILES = "**/*.zip"
_WAVELENGTH = re.compile(r"(.+?)[-_ ]?(w\d+)", re.IGNORECASE)
_COLUMNS = ["plate", "well", "site", "channel", "z", "time", "path", "reason"]


def read(folder: Path, source: Source) -> pd.DataFrame:
    """List the images in all archives below ``folder``; see `cloome_kedro.imaging.layouts.read_layout`.

    An archive that cannot be read is one row with the reason. Its plate lacks the channel.
    """
    archives = [path for path in list_files(folder, source.files or _FILES) if path.suffix.lower() == ".zip"]
    named = [(path, names) for path in archives if (names := _split(path.stem, source.channels))]
    if not named:
        there = f" The archives there are {', '.join(path.name for path in archives[:3])}." if archives else ""
        raise FileNotFoundError(
            f"there is no archive named like PLATE-CHANNEL.zip below {folder}.{there} Correct `folder` or `files` of "
            "this source"
        )
    if len(named) < len(archives):
        logger.warning(
            "source %s: %d archives whose names do not give plate and channel are left out",
            *(source.name, len(archives) - len(named)),
        )
    rows = [row for path, (plate, channel) in named for row in _rows(path, source.plate or plate, channel)]
    if not rows:
        raise FileNotFoundError(
            f"the archives below {folder} have no image named like PLATE_B02_s1_w1.tif; for other names use the layout "
            f"`pattern`, whose paths are like {named[0][0].name}{MEMBER}folder/image.tif"
        )
    return check_names(pd.DataFrame(rows, columns=_COLUMNS))


def _split(stem: str, channels: Mapping[str, str]) -> tuple[str, str] | None:
    """Plate and channel of an archive: where the rest of the name is a known channel, or else at the last separator.

    >>> _split("24277-Ph_golgi", {}), _split("Week1_22123_w3", {}), _split("images_20585w1", {}), _split("plate", {})
    (('24277', 'Ph_golgi'), ('Week1_22123', 'w3'), ('images_20585', 'w1'), None)
    """
    parts = [(stem[: match.start()], stem[match.end() :]) for match in re.finditer(r"[-_ ]", stem)]
    parts = [(plate, channel) for plate, channel in parts if plate and channel]
    known = [(plate, channel) for plate, channel in parts if canonical(channel, channels)]
    if known:
        return known[0]
    if match := _WAVELENGTH.fullmatch(stem):
        return match[1], match[2].lower()
    return parts[-1] if parts else None


def _rows(archive: Path, plate: str, channel: str) -> Iterator[tuple]:
    try:
        inside = members(str(archive))
    except BadField as error:
        logger.warning("plate %s lacks the channel %s: %s", plate, channel, error)
        yield plate, "", "", channel, None, None, str(archive), f"{archive}: {error}"
        return
    for info in inside:
        named = parse(info.filename)
        if named is None or named.thumbnail:
            continue
        path = f"{archive}{MEMBER}{info.filename}"
        yield _row(named, plate, channel, path, _problem(path, info.filename, is_encrypted(info)))


def _row(named: Named, plate: str, channel: str, path: str, reason: str | None) -> tuple:
    return plate, named.well, named.site, channel, named.z, named.time, path, reason


def _problem(path: str, member: str, encrypted: bool) -> str | None:
    """Why a member is not read, or None."""
    if member.startswith(("/", "\\")) or ".." in PurePosixPath(member.replace("\\", "/")).parts:
        return f"{path} has a path that leads out of its archive"
    if encrypted:
        return f"{path} is encrypted; pack the archive without a password"
    return None


def recognise(names: Sequence[str]) -> Recognised | None:
    """Recognise the layout, see `cloome_kedro.imaging.layouts.recognition`. It explains archives of known channels."""
    archives = [name for name in names if name.lower().endswith(".zip")]
    split = [(name, _split(PurePosixPath(name).stem, {})) for name in archives]
    known = [name for name, parts in split if parts and (canonical(parts[1]) or _WAVELENGTH.fullmatch("_" + parts[1]))]
    return Recognised("zip_per_channel", len(known), {}, known[0]) if known else None
