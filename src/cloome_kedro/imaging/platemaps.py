"""Platemaps and tables of compounds, in the formats of Broad, JUMP and others."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.config import Platemap
from cloome_kedro.imaging.tables import read_table
from cloome_kedro.imaging.wells import canonical_wells

_MICROMOLAR = {"nM": 1e-3, "uM": 1.0, "mM": 1e3}
_UNIT_OF_COLUMN = {
    "mmoles_per_liter": "mM",
    "umoles_per_liter": "uM",
    "nmoles_per_liter": "nM",
    "concentration_mm": "mM",
    "concentration_um": "uM",
    "concentration_nm": "nM",
}


def annotate_wells(wells: pd.DataFrame, folder: Path, platemap: Platemap) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join wells to compounds.

    Parameters
    ----------
    wells
        Columns plate and well (D08), one row per well.
    folder
        Folder of the tables. Their names in ``platemap`` are relative to it.
    platemap
        Names of files and columns.

    Returns
    -------
    annotation
        ``wells`` with the columns compound_id (None if the table of compounds does not have it), concentration_um,
        control and reason. ``reason`` says why a well cannot be used; it is None if the well can be used.
    compounds
        compound_id, smiles, name, moa of all compounds in the screen's tables.

    Raises
    ------
    FileNotFoundError, ValueError
        If a table, a column or the platemap of a plate is missing, or if tables have contradictory rows.
    """
    files = _platemap_files(wells["plate"].unique(), folder, platemap)
    compound_column = platemap.compound_column
    description_columns = {"smiles": platemap.smiles_column, "name": platemap.name_column, "moa": platemap.moa_column}
    compound_columns = [compound_column, *filter(None, description_columns.values())]
    columns = [platemap.well_column, *filter(None, [platemap.concentration_column])]
    columns += compound_columns if platemap.compounds is None else [compound_column]
    tables = {path: _read_platemap(path, columns, platemap.well_column) for path in dict.fromkeys(files.values())}
    if platemap.compounds is None:
        compound_tables = tables
    else:
        compound_tables = {folder / platemap.compounds: read_table(folder / platemap.compounds, compound_columns)}
    compounds = _compounds(compound_tables, compound_column, description_columns)

    compounds_of_wells = pd.concat(
        table.assign(
            file=str(path),
            concentration_um=_concentration(table, path, platemap),
        ).rename(columns={compound_column: "compound_id"})[["file", "well", "compound_id", "concentration_um"]]
        for path, table in tables.items()
    )
    annotation = wells.assign(file=wells["plate"].map({plate: str(path) for plate, path in files.items()}))
    annotation = annotation.merge(compounds_of_wells, on=["file", "well"], how="left", validate="many_to_one")

    control_marks = {control.strip().casefold() for control in platemap.controls}
    compound_id = annotation["compound_id"]
    names = compound_id.map(compounds.set_index("compound_id")["name"]).fillna("").str.casefold()
    is_control = compound_id.str.casefold().isin(control_marks) | (names.isin(control_marks) & (names != ""))
    is_known = compound_id.isin(compounds["compound_id"])
    file, source = annotation["file"], platemap.compounds or platemap.platemaps
    reason = pd.Series(None, index=annotation.index, dtype=object)
    reason[~is_control & ~is_known] = "compound " + compound_id + f" of this well is not in {source}"
    reason[~is_control & (compound_id == "")] = "well without compound: its cell is empty in " + file
    reason[compound_id.isna()] = "well without compound: it is not in " + file
    annotation["control"], annotation["reason"] = is_control, reason
    annotation["compound_id"] = compound_id.astype(object).where(is_known, None)
    return annotation.drop(columns="file"), compounds


def merge_compounds(tables: Iterable[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Merge tables of compounds (compound_id, smiles, name, moa) into one table with one row per compound.

    Parameters
    ----------
    tables
        ``(name, table)`` of each table. The name is used in messages.

    Raises
    ------
    ValueError
        If one id has two structures. The message names the id, both structures and both tables.
    """
    merged = pd.concat([table.assign(table=name) for name, table in tables], ignore_index=True)
    structures = merged.dropna(subset="smiles").drop_duplicates(["compound_id", "smiles"])
    if (is_repeated := structures["compound_id"].duplicated()).any():
        compound_id = structures.loc[is_repeated, "compound_id"].iloc[0]
        first, second = structures[structures["compound_id"] == compound_id][:2].itertuples()
        raise ValueError(
            f"compound {compound_id} has two structures: {first.smiles} in {first.table} and {second.smiles} in "
            f"{second.table}; give them different ids, or correct one of them"
        )
    # first() takes the first entry that is not missing
    return merged.groupby("compound_id", sort=False).first().drop(columns="table").reset_index()


def _platemap_files(plates: Iterable[str], folder: Path, platemap: Platemap) -> dict[str, Path]:
    """Path of the platemap of each plate."""
    platemaps, barcodes = platemap.platemaps, platemap.barcodes
    if "{platemap}" not in platemaps:
        return dict.fromkeys(plates, folder / platemaps)
    if barcodes is None:
        raise ValueError(f"platemaps {platemaps!r} needs `barcodes`, a table with the platemap of each plate")
    columns = ["Assay_Plate_Barcode", "Plate_Map_Name"]
    table = read_table(folder / barcodes, columns)[columns].apply(lambda column: column.str.strip()).drop_duplicates()
    if (is_repeated := table["Assay_Plate_Barcode"].duplicated()).any():
        plate = table.loc[is_repeated, "Assay_Plate_Barcode"].iloc[0]
        raise ValueError(f"{folder / barcodes} gives plate {plate} two platemaps; keep one")
    names = dict(table.itertuples(index=False))
    if missing := [plate for plate in plates if plate not in names]:
        raise ValueError(f"{folder / barcodes} has no platemap for plate {', '.join(missing[:5])}; add it")
    return {plate: folder / platemaps.replace("{platemap}", names[plate]) for plate in plates}


def _read_platemap(path: Path, columns: list[str], well_column: str) -> pd.DataFrame:
    """Read a platemap with stripped cells and the column ``well``. Repeated wells must have the same contents."""
    table = read_table(path, columns)[list(dict.fromkeys(columns))]
    table = table.apply(lambda column: column.str.strip())
    table["well"] = canonical_wells(table[well_column], path)
    table = table.drop(columns=well_column if well_column != "well" else []).drop_duplicates()
    if (is_repeated := table["well"].duplicated()).any():
        well = table.loc[is_repeated, "well"].iloc[0]
        raise ValueError(f"{path} has well {well} twice, with different contents; keep one")
    return table


def _concentration(table: pd.DataFrame, path: Path, platemap: Platemap) -> pd.Series:
    """Concentrations in µM; NaN if they are unknown."""
    column = platemap.concentration_column
    if column is None:
        return pd.Series(float("nan"), index=table.index)
    if (unit := platemap.concentration_unit or _UNIT_OF_COLUMN.get(column.lower())) is None:
        raise ValueError(f"the unit of {column} in {path} is unknown: set `concentration_unit` to nM, uM or mM")
    values = pd.to_numeric(table[column].replace("", None), errors="coerce")
    if len(bad_rows := table.index[values.isna() & (table[column] != "")]):
        row = table.loc[bad_rows[0]]
        raise ValueError(
            f"{path}, well {row['well']}: {column} {row[column]!r} is not a number; leave the cell empty if the "
            "concentration is unknown"
        )
    return values * _MICROMOLAR[unit]


def _compounds(
    tables: dict[Path, pd.DataFrame], compound_column: str, description_columns: dict[str, str | None]
) -> pd.DataFrame:
    """Compounds (compound_id, smiles, name, moa) of the screen's tables. Rows without an id are left out."""
    compound_tables = []
    for path, table in tables.items():
        compounds = pd.DataFrame({"compound_id": table[compound_column].str.strip()})
        for name, column in description_columns.items():
            compounds[name] = None if column is None else table[column].str.strip().replace("", None)
        compound_tables.append((str(path), compounds[compounds["compound_id"] != ""]))
    return merge_compounds(compound_tables)
