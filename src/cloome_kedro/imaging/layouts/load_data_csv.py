"""CellProfiler's LoadData tables, as the Cell Painting Gallery has them.

One row per field. Columns are ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Site`` and, for each channel,
``FileName_Orig<Channel>`` and ``PathName_Orig<Channel>``. Other columns, such as illumination functions, are ignored.
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
        raise FileNotFoundError(f"no LoadData table {files} below {folder}; correct `files` of this source")
    return pd.concat([_read_one(table, folder, source.plate) for table in tables], ignore_index=True)


def _read_one(path: Path, folder: Path, plate: str | None) -> pd.DataFrame:
    table = read_table(path, ["Metadata_Well", "Metadata_Site"] + ([] if plate else ["Metadata_Plate"]))
    channels = [column.removeprefix("FileName_") for column in table.columns if column.startswith("FileName_Orig")]
    if not channels:
        raise ValueError(f"{path} has no column FileName_Orig<Channel>: it is not a LoadData table")
    if missing := [f"PathName_{name}" for name in channels if f"PathName_{name}" not in table]:
        raise ValueError(f"{path} has no column {', '.join(missing)}; add the folder of these images")
    site = pd.to_numeric(table["Metadata_Site"], errors="coerce")
    if (bad := ~(site.ge(0) & site.mod(1).eq(0))).any():
        line = int(bad.to_numpy().argmax())
        raise ValueError(
            f"{path}, line {line + 2}: Metadata_Site {table['Metadata_Site'][line]!r} is not a whole number from 0 up"
        )
    plates = table["Metadata_Plate"].str.strip() if "Metadata_Plate" in table else pd.Series(plate, index=table.index)
    if plates.eq("").any():
        raise ValueError(f"{path}, line {int(plates.eq('').to_numpy().argmax()) + 2}: Metadata_Plate is empty")
    fields = pd.DataFrame(
        {"plate": plates, "well": canonical_wells(table["Metadata_Well"], path), "site": site.astype(int)}
    )
    images = []
    for name in channels:
        given, file = table[f"PathName_{name}"], table[f"FileName_{name}"]
        where = {path_name: str(_resolve(path_name, folder)) for path_name in given.unique()}
        channel = fields.assign(channel=name, path=given.map(where) + os.sep + file)
        images.append(channel[file != ""])
    return pd.concat(images, ignore_index=True)


def _resolve(path_name: str, folder: Path) -> Path:
    """Find a folder that may have been named on another machine: as given, else its longest suffix that exists."""
    if (folder / path_name).is_dir():
        return folder / path_name
    parts = [part for part in re.split(r"[\\/]+", path_name) if part]
    for start in range(len(parts)):
        if ".." not in parts[start:] and (found := folder.joinpath(*parts[start:])).is_dir():
            return found
    return folder / path_name
