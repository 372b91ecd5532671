"""List the files of a source, and check what their names say."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro.imaging.plate_choice import find_files
from cloome_kedro.imaging.wells import parse_wells

_NUMBER = re.compile(r"[0-9]{1,9}")


def list_files(folder: Path, files: str | None) -> list[Path]:
    """Files below a folder, in the order of their names: all of them, or those that the glob patterns give.

    Files ``._NAME``, which macOS writes beside copies of files, are left out.
    """
    return [path for path in _files(folder, files) if not path.name.startswith("._")]


def _files(folder: Path, files: str | None) -> list[Path]:
    if files:
        return [path for path in find_files(folder, files) if not isinstance(path, Path) or path.is_file()]  # type: ignore[misc]
    if not isinstance(folder, Path):
        return sorted(folder.rglob("*"))
    return sorted(Path(parent, name) for parent, _, names in os.walk(folder) for name in names)


def check_names(table: pd.DataFrame, numbers: Sequence[str] = ()) -> pd.DataFrame:
    """Give wells and numbers their form, and say which rows cannot be used.

    Parameters
    ----------
    table
        One row per image, with the columns well, path and perhaps reason. Wells are texts.
    numbers
        Columns of texts that must be whole numbers; missing values are allowed, but not in the column site.

    Returns
    -------
    The table with wells like D08, whole numbers, and the column reason.
    """
    reason = table["reason"].astype(object) if "reason" in table else pd.Series(None, index=table.index, dtype=object)
    wells = parse_wells(table["well"])
    checks = [("well", wells.isna(), "is not a well; it should be like D08")]
    columns: dict[str, pd.Series] = {"well": wells.fillna(table["well"])}
    for name in numbers:
        text = table[name].astype(object)
        is_number = text.map(lambda entry: isinstance(entry, str) and bool(_NUMBER.fullmatch(entry))).astype(bool)
        checks.append((name, ~is_number & (text.notna() | (name == "site")), "is not a whole number below 10⁹"))
        columns[name] = text.where(is_number, None).map(int, na_action="ignore").astype("Int64")
        if name == "site" and not is_number.all():
            columns[name] = columns[name].astype(object).where(is_number, text)
    for name, is_bad, problem in checks:
        for i in np.flatnonzero(is_bad & reason.isna()).tolist():
            reason.iloc[i] = f"{table['path'].iloc[i]}: the {name} {table[name].iloc[i]!r} in its name {problem}"
    return table.assign(**columns, reason=reason)
