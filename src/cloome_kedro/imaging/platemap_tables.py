"""Reading of platemaps: which compound is in a well, at which concentration."""

import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro.imaging.columns import find_column
from cloome_kedro.imaging.remote import join
from cloome_kedro.imaging.sources import Platemap
from cloome_kedro.imaging.tables import place, read_table
from cloome_kedro.imaging.wells import parse_wells
from cloome_kedro.missing import is_missing, known

logger = logging.getLogger(__name__)

_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")
_MICROMOLAR = {"nM": 1e-3, "uM": 1.0, "mM": 1e3}
_UNIT_OF_COLUMN = {
    "mmoles_per_liter": "mM",
    "umoles_per_liter": "uM",
    "nmoles_per_liter": "nM",
    "concentration_mm": "mM",
    "concentration_um": "uM",
    "concentration_nm": "nM",
}


def column_settings(platemap: Platemap) -> dict[str, str]:
    """``{column: parameter that names it}``, for messages."""
    keys = ("well_column", "compound_column", "concentration_column", "smiles_column", "name_column", "moa_column")
    return {name: f"platemap.{key}" for key in keys if (name := getattr(platemap, key)) is not None}


def platemap_files(plates: Sequence[str], folder: Path, platemap: Platemap) -> dict[str, Path]:
    """Path of the platemap of each plate."""
    platemaps, barcodes = platemap.platemaps, platemap.barcodes
    if "{platemap}" not in platemaps:
        return dict.fromkeys(plates, join(folder, platemaps))
    if barcodes is None:
        raise ValueError(f"platemaps {platemaps!r} needs `barcodes`, a table with the platemap of each plate")
    path, columns = join(folder, barcodes), [platemap.barcode_column, platemap.platemap_column]
    settings = dict(zip(columns, ["platemap.barcode_column", "platemap.platemap_column"], strict=True))
    table = read_table(path, columns, settings)[columns].apply(lambda column: column.str.strip())
    table = table[(table != "").all(axis=1)].drop_duplicates().set_axis(["plate", "platemap"], axis=1)
    if (is_repeated := table["plate"].duplicated()).any():
        plate = table.loc[is_repeated, "plate"].iloc[0]
        rows = table[table["plate"] == plate]
        listed = ", ".join(f"{name} ({place(rows, i)})" for i, name in enumerate(rows["platemap"]))
        raise ValueError(f"{path} gives plate {plate} several platemaps: {listed}; correct the table")
    names = dict(table.itertuples(index=False))
    # barcodes that a spreadsheet has written as numbers: 24,277
    names |= {plate.replace(",", ""): name for plate, name in names.items() if _THOUSANDS.fullmatch(plate)}
    if missing := [plate for plate in plates if plate not in names]:
        raise ValueError(
            f"{path} has no platemap for {len(missing)} of {len(plates)} plates: {', '.join(missing[:5])}. Its plates "
            f"are {', '.join(list(names)[:5])}; add the others, or correct the names of plates"
        )
    return {plate: join(folder, platemaps.replace("{platemap}", names[plate])) for plate in plates}


def read_platemap(
    path: Path, platemap: Platemap, description_columns: Iterable[str], missing: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read one platemap.

    Parameters
    ----------
    path
        The table.
    platemap
        Names of columns.
    description_columns
        Columns that describe the compounds, such as the one with their structures.
    missing
        Words for a missing value.

    Returns
    -------
    contents
        One row per well: plate (missing if the table has no column of plates), well, written (cell of the compound),
        concentration_um, contradiction and bad_concentration (reasons why the well cannot be used, or null).
    table
        The rows of the file that are a well, as text without outer spaces.
    """
    columns = [platemap.compound_column, *filter(None, [platemap.concentration_column]), *description_columns]
    table = read_table(path, [platemap.well_column, *columns], column_settings(platemap))
    plate_column = _plate_column(table, path, platemap)
    decimal = "," if table.attrs.get("separator") == ";" else "."
    table = table[list(dict.fromkeys([*filter(None, [plate_column]), platemap.well_column, *columns]))]
    table = table.apply(lambda column: column.str.strip())
    wells = parse_wells(table[platemap.well_column])
    if (is_bad := wells.isna()).any():
        i = int(is_bad.to_numpy().argmax())
        example = f"{place(table, i)}: {platemap.well_column} {table[platemap.well_column].iloc[i]!r}"
        if is_bad.all():
            raise ValueError(f"{path}, {example} is not a well; write it like D08, or correct `platemap.well_column`")
        logger.warning(
            "%s: %d of %d rows are left out because they have no well, e.g. %s", path, is_bad.sum(), len(table), example
        )
        table, wells = table[~is_bad], wells[~is_bad]
    concentration, bad_concentration = _concentration(table, path, platemap, missing, decimal)
    contents = pd.DataFrame(
        {
            "plate": pd.Series(None, index=table.index, dtype=object) if plate_column is None else table[plate_column],
            "well": wells,
            "written": table[platemap.compound_column],
            "concentration_um": concentration,
            "bad_concentration": bad_concentration,
        }
    )
    compared = table[columns].apply(known, words=missing)
    if platemap.concentration_column is not None:
        compared = compared.drop(columns=platemap.concentration_column).assign(concentration_um=concentration)
    reasons = _contradictions(contents[["plate", "well"]], compared, path)
    contents = contents.drop_duplicates(["plate", "well"])
    keys = zip(contents["plate"], contents["well"], strict=True)
    contradiction = np.array([reasons.get(key) for key in keys], dtype=object)
    return contents.assign(contradiction=contradiction), table


def _plate_column(table: pd.DataFrame, path: Path, platemap: Platemap) -> str | None:
    """Column of plates of a table that is for all plates."""
    if "{platemap}" in platemap.platemaps:  # the table of barcodes says which plates have this platemap
        return None
    if platemap.plate_column is None:
        return find_column(table.columns, "plate")
    if platemap.plate_column and platemap.plate_column not in table:
        raise ValueError(
            f"{path} has no column {platemap.plate_column}; its columns are {', '.join(table.columns)}. Correct "
            "`platemap.plate_column`"
        )
    return platemap.plate_column or None


def _contradictions(keys: pd.DataFrame, contents: pd.DataFrame, path: Path) -> dict[tuple[str | None, str], str]:
    """``{(plate, well): reason}`` of the wells that a table lists with different contents."""
    names = list(contents.columns)
    rows = pd.concat([keys, contents.set_axis(range(len(names)), axis=1)], axis=1)
    rows = rows.drop_duplicates([*keys.columns, *range(len(names))])
    is_first = ~rows.duplicated(list(keys.columns))
    seconds = rows[~is_first].drop_duplicates(list(keys.columns))
    if seconds.empty:
        return {}
    firsts = rows[is_first].assign(place=[place(rows[is_first], i) for i in range(is_first.sum())])
    seconds = seconds.assign(place=[place(seconds, i) for i in range(len(seconds))])
    advice = (
        ""
        if keys["plate"].notna().any()
        else (". If the table lists several plates, name its column of plates by platemap.plate_column")
    )
    reasons = {}
    pairs = firsts.merge(seconds, on=list(keys.columns), suffixes=("_first", "_second"))
    for row in pairs.to_dict("records"):
        differing = next(i for i in range(len(names)) if not _same(row[f"{i}_first"], row[f"{i}_second"]))
        values = " and ".join(
            f"{'nothing' if pd.isna(row[f'{differing}_{which}']) else row[f'{differing}_{which}']} "
            f"({row[f'place_{which}']})"
            for which in ("first", "second")
        )
        reasons[row["plate"], row["well"]] = (
            f"{path} lists this well with different contents: {names[differing]} is {values}{advice}"
        )
    return reasons


def _same(first: str | float | None, second: str | float | None) -> bool:
    return first == second or (pd.isna(first) and pd.isna(second))


def _concentration(
    table: pd.DataFrame, path: Path, platemap: Platemap, missing: Sequence[str], decimal: str
) -> tuple[pd.Series, pd.Series]:
    column = platemap.concentration_column
    if column is None:
        return pd.Series(float("nan"), index=table.index), pd.Series(None, index=table.index, dtype=object)
    if (unit := platemap.concentration_unit or unit_of(column)) is None:
        raise ValueError(
            f"the unit of {column} in {path} is unknown: set `platemap.concentration_unit` to nM, uM or mM"
        )
    return concentrations(table[column], unit, path, missing, decimal)


def unit_of(column: str) -> str | None:
    """Unit that the name of a column of concentrations gives: nM, uM or mM. None: it gives none.

    >>> unit_of("Metadata_mmoles_per_liter"), unit_of("dose")
    ('mM', None)
    """
    return _UNIT_OF_COLUMN.get(column.lower().removeprefix("metadata_"))


def concentrations(
    text: pd.Series, unit: str, path: Path, missing: Sequence[str], decimal: str = "."
) -> tuple[pd.Series, pd.Series]:
    """Concentrations in µM, NaN if they are unknown, and the reasons why others cannot be used.

    Parameters
    ----------
    text
        Column of a table, as text.
    unit
        nM, uM or mM.
    path
        File of the table, for the reasons.
    missing
        Words for a missing value.
    decimal
        Character before the decimals.
    """
    reasons = pd.Series(None, index=text.index, dtype=object)
    values = pd.to_numeric(text.str.replace(decimal, ".", regex=False), errors="coerce")
    is_given = ~is_missing(text, missing)
    is_number = text.str.fullmatch(r"[+-]?inf(inity)?", case=False) | values.notna()
    for is_bad, problem in (
        (~is_number, "is not a number"),
        (~np.isfinite(values), "is not finite"),
        (values < 0, "is negative"),
    ):
        for i in np.flatnonzero(is_given & is_bad & reasons.isna()).tolist():
            reasons.iloc[i] = f"{path}, {place(text, i)}: {text.name} {text.iloc[i]!r} {problem}"
    return values.where(is_given & reasons.isna()) * _MICROMOLAR[unit], reasons
