"""What is in the wells: platemaps and compound tables, as Broad, JUMP and others write them."""

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
        What the names of the tables are relative to.
    platemap
        Names of files and columns.

    Returns
    -------
    annotation
        ``wells`` with compound_id (None where the compounds table does not have it), concentration_um, control and
        reason, None or why the well cannot be used.
    compounds
        compound_id, smiles, name, moa: all that the screen's table has.

    Raises
    ------
    FileNotFoundError, ValueError
        If a table, a column or a plate's platemap is missing, or tables contradict themselves.
    """
    files = _platemap_files(wells["plate"].unique(), folder, platemap)
    described = {"smiles": platemap.smiles_column, "name": platemap.name_column, "moa": platemap.moa_column}
    compound_column = platemap.compound_column
    columns = [platemap.well_column, compound_column, *filter(None, [platemap.concentration_column])]
    if platemap.compounds is None:
        columns += filter(None, described.values())
    tables = {path: _read_platemap(path, columns, platemap.well_column) for path in dict.fromkeys(files.values())}
    if platemap.compounds is None:
        described_in = tables
    else:
        needed = [compound_column, *filter(None, described.values())]
        described_in = {folder / platemap.compounds: read_table(folder / platemap.compounds, needed)}
    known = _compounds(described_in, compound_column, described)

    placed = pd.concat(
        table.assign(
            file=str(path),
            concentration_um=_concentration(table, path, platemap),
        ).rename(columns={compound_column: "compound_id"})[["file", "well", "compound_id", "concentration_um"]]
        for path, table in tables.items()
    )
    annotation = wells.assign(file=wells["plate"].map({plate: str(path) for plate, path in files.items()}))
    annotation = annotation.merge(placed, on=["file", "well"], how="left", validate="many_to_one")

    marks = {control.strip().casefold() for control in platemap.controls}
    identity = annotation["compound_id"]
    names = identity.map(known.set_index("compound_id")["name"]).fillna("").str.casefold()
    annotation["control"] = identity.str.casefold().isin(marks) | (names.isin(marks) & (names != ""))
    is_known = identity.isin(known["compound_id"])
    source = platemap.compounds or platemap.platemaps
    reason = pd.Series(None, index=annotation.index, dtype=object)
    reason[~annotation["control"] & ~is_known] = "compound " + identity + f" of this well is not in {source}"
    file = annotation["file"]
    reason[~annotation["control"] & (identity == "")] = "well without compound: its cell is empty in " + file
    reason[identity.isna()] = "well without compound: it is not in " + file
    annotation["reason"] = reason
    annotation["compound_id"] = identity.astype(object).where(is_known, None)
    return annotation.drop(columns="file"), known


def merge_compounds(tables: Iterable[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Put compounds (compound_id, smiles, name, moa) of several tables, each with its name, into one.

    Raises
    ------
    ValueError
        If one id has two structures; the message names the id, both structures and both tables.
    """
    together = pd.concat([table.assign(table=name) for name, table in tables], ignore_index=True)
    structures = together.dropna(subset="smiles").drop_duplicates(["compound_id", "smiles"])
    if (twice := structures["compound_id"].duplicated()).any():
        name = structures.loc[twice, "compound_id"].iloc[0]
        one, other = structures[structures["compound_id"] == name][:2].itertuples()
        raise ValueError(
            f"compound {name} has two structures: {one.smiles} in {one.table} and {other.smiles} in {other.table}; "
            "give them different ids or correct one"
        )
    # first() takes the first entry that is not missing
    return together.groupby("compound_id", sort=False).first().drop(columns="table").reset_index()


def _platemap_files(plates: Iterable[str], folder: Path, platemap: Platemap) -> dict[str, Path]:
    """Which table describes each plate."""
    platemaps, barcodes = platemap.platemaps, platemap.barcodes
    if "{platemap}" not in platemaps:
        return dict.fromkeys(plates, folder / platemaps)
    if barcodes is None:
        raise ValueError(f"platemaps {platemaps!r} needs `barcodes`, the table that says which platemap a plate has")
    columns = ["Assay_Plate_Barcode", "Plate_Map_Name"]
    table = read_table(folder / barcodes, columns)[columns].apply(lambda column: column.str.strip()).drop_duplicates()
    if (twice := table["Assay_Plate_Barcode"].duplicated()).any():
        raise ValueError(f"{folder / barcodes} gives plate {table.loc[twice, columns[0]].iloc[0]} two platemaps")
    names = dict(table.itertuples(index=False))
    if missing := [plate for plate in plates if plate not in names]:
        raise ValueError(f"{folder / barcodes} has no platemap for plate {', '.join(missing[:5])}; add it")
    return {plate: folder / platemaps.replace("{platemap}", names[plate]) for plate in plates}


def _read_platemap(path: Path, columns: list[str], well_column: str) -> pd.DataFrame:
    """Read a platemap, cells stripped, with the column ``well``; a well may be repeated, not contradicted."""
    table = read_table(path, columns)[list(dict.fromkeys(columns))]
    table = table.apply(lambda column: column.str.strip())
    table["well"] = canonical_wells(table[well_column], path)
    table = table.drop(columns=well_column if well_column != "well" else []).drop_duplicates()
    if (twice := table["well"].duplicated()).any():
        raise ValueError(f"{path} has well {table.loc[twice, 'well'].iloc[0]} twice, with different contents; keep one")
    return table


def _concentration(table: pd.DataFrame, path: Path, platemap: Platemap) -> pd.Series:
    """Concentrations in µM; NaN where they are unknown."""
    column = platemap.concentration_column
    if column is None:
        return pd.Series(float("nan"), index=table.index)
    if (unit := platemap.concentration_unit or _UNIT_OF_COLUMN.get(column.lower())) is None:
        raise ValueError(f"the unit of {column} in {path} is unknown: set `concentration_unit` to nM, uM or mM")
    values = pd.to_numeric(table[column].replace("", None), errors="coerce")
    if len(bad := table.index[values.isna() & (table[column] != "")]):
        well = table["well"][bad[0]]
        value = table[column][bad[0]]
        raise ValueError(f"{path}, well {well}: {column} {value!r} is not a number; leave it empty if unknown")
    return values * _MICROMOLAR[unit]


def _compounds(
    tables: dict[Path, pd.DataFrame], compound_column: str, described: dict[str, str | None]
) -> pd.DataFrame:
    """The compounds of the screen's own tables; rows without an id are left out."""
    found = []
    for path, table in tables.items():
        compounds = pd.DataFrame({"compound_id": table[compound_column].str.strip()})
        for ours, theirs in described.items():
            compounds[ours] = None if theirs is None else table[theirs].str.strip().replace("", None)
        found.append((str(path), compounds[compounds["compound_id"] != ""]))
    return merge_compounds(found)
