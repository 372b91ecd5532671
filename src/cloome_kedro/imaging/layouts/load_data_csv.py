"""LoadData tables of CellProfiler, as in the Cell Painting Gallery.

A table has one row per field. Its columns are ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Site`` and, for each
channel, ``FileName_Orig<Channel>`` and ``PathName_Orig<Channel>``. Other columns, such as those of illumination
functions, are ignored.
"""

import os
import re
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.config import Source
from cloome_kedro.imaging.tables import read_table
from cloome_kedro.imaging.wells import canonical_wells

_FILES = "**/load_data.csv"


def read(folder: Path, source: Source) -> pd.DataFrame:
    """Read all tables that match ``source.files``; see `cloome_kedro.imaging.layouts.read_layout`."""
    files = source.files or _FILES
    tables = sorted(folder.glob(files))
    if not tables:
        raise FileNotFoundError(f"there is no LoadData table {files} below {folder}; correct `files` of this source")
    return pd.concat([_read_one(table, folder, source.plate) for table in tables], ignore_index=True)


def _read_one(path: Path, folder: Path, plate: str | None) -> pd.DataFrame:
    table = read_table(path, ["Metadata_Well", "Metadata_Site"] + ([] if plate else ["Metadata_Plate"]))
    channels = [column.removeprefix("FileName_") for column in table.columns if column.startswith("FileName_Orig")]
    if not channels:
        raise ValueError(
            f"{path} has no column FileName_Orig<Channel>, so it is not a LoadData table; correct `files` of this "
            "source"
        )
    if missing := [f"PathName_{name}" for name in channels if f"PathName_{name}" not in table]:
        raise ValueError(f"{path} has no column {', '.join(missing)}; add the folder of these images")
    site = pd.to_numeric(table["Metadata_Site"], errors="coerce")
    if (is_bad := ~(site.ge(0) & site.mod(1).eq(0))).any():
        row = int(is_bad.to_numpy().argmax())
        raise ValueError(
            f"{path}, line {row + 2}: Metadata_Site {table['Metadata_Site'][row]!r} is not a whole number; write 0, 1, "
            "2, ..."
        )
    plates = table["Metadata_Plate"].str.strip() if "Metadata_Plate" in table else pd.Series(plate, index=table.index)
    if (is_empty := plates.eq("")).any():
        row = int(is_empty.to_numpy().argmax())
        raise ValueError(f"{path}, line {row + 2}: Metadata_Plate is empty; write the name of the plate")
    fields = pd.DataFrame(
        {"plate": plates, "well": canonical_wells(table["Metadata_Well"], path), "site": site.astype(int)}
    )
    images = []
    for channel in channels:
        path_names, file_names = table[f"PathName_{channel}"], table[f"FileName_{channel}"]
        folders = {path_name: str(_resolve(path_name, folder)) for path_name in path_names.unique()}
        channel_images = fields.assign(channel=channel, path=path_names.map(folders) + os.sep + file_names)
        images.append(channel_images[file_names != ""])
    return pd.concat(images, ignore_index=True)


def _resolve(path_name: str, folder: Path) -> Path:
    """Find the folder that a table calls ``path_name``, which may be a path on another machine.

    If the path does not exist, its longest end that is a folder below ``folder`` is returned.
    """
    if (folder / path_name).is_dir():
        return folder / path_name
    parts = [part for part in re.split(r"[\\/]+", path_name) if part]
    for start in range(len(parts)):
        if ".." not in parts[start:] and (candidate := folder.joinpath(*parts[start:])).is_dir():
            return candidate
    return folder / path_name
