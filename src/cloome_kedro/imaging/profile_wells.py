"""Wells of a screen without images: what the columns of a table of profiles say of each row."""

import logging
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro.imaging.columns import find_column
from cloome_kedro.imaging.feature_columns import texts_of
from cloome_kedro.imaging.platemap_tables import concentrations, unit_of
from cloome_kedro.imaging.platemaps import merge_compounds
from cloome_kedro.imaging.profile_columns import are_controls, shortened
from cloome_kedro.imaging.profile_table import WELL_KINDS, WellColumns
from cloome_kedro.imaging.tables import place, read_table
from cloome_kedro.imaging.wells import parse_wells, well_name
from cloome_kedro.missing import is_missing, known, known_parts

logger = logging.getLogger(__name__)

_FORMATS = ((384, 24), (1536, 48), (702 * 99, 99))  # wells of a plate, and the columns of its grid


def find_columns(names: Iterable[str], settings: WellColumns, path: Path) -> dict[str, str]:
    """Find the columns of a table that describe wells: kind -> column.

    Raises
    ------
    ValueError
        If a column that ``settings`` name is missing.
    """
    names = list(names)
    given = {kind: column for kind in WELL_KINDS if (column := getattr(settings, kind)) is not None}
    if missing := [f"{column} ({kind})" for kind, column in given.items() if column and column not in names]:
        raise ValueError(
            f"{path} has no column {', '.join(missing)}, which params:{settings.group} names; its columns are "
            f"{shortened(names, 12)}"
        )
    others = [name for name in names if name not in given.values()]
    found = {kind: given.get(kind, find_column(others, kind)) for kind in WELL_KINDS}
    return {kind: column for kind, column in found.items() if column}


def describe_wells(path: Path, metadata: pd.DataFrame, settings: WellColumns) -> pd.DataFrame:
    """Say what is in the well of each row of a table.

    Parameters
    ----------
    path
        File of the table. It names the plate of a table without a column of plates.
    metadata
        Columns of the table that are no features.
    settings
        Names of columns and words.

    Returns
    -------
    Columns plate, well, site, compound_id, smiles, name, moa, concentration_um, control, cells, and reason: why the row
    cannot be used, or null. The index (name ``row``) counts the rows of the table from 1.

    Raises
    ------
    ValueError
        If a column is missing, if no entry of the column of wells is a well, or if the unit of concentrations is
        unknown.
    """
    columns = find_columns(metadata.columns, settings, path)
    logger.info("%s: %s", path, ", ".join(f"{kind} is {column}" for kind, column in columns.items()))
    rows = pd.RangeIndex(1, len(metadata) + 1, name="row")
    texts = {kind: texts_of(metadata[column]).set_axis(rows) for kind, column in columns.items()}
    entries = {kind: known(text, settings.missing) for kind, text in texts.items()}
    nothing = pd.Series(None, index=rows, dtype=object)
    plate = entries.get("plate", pd.Series(path.name.partition(".")[0], index=rows))
    well = _wells(path, texts.get("well"), plate.fillna(""), columns.get("well", ""), settings)
    site = pd.to_numeric(entries["site"], errors="coerce") if "site" in entries else pd.Series(1.0, index=rows)
    compound = nothing
    for kind in ("compound", "inchikey", "smiles"):
        compound = compound.where(compound.notna(), entries.get(kind, nothing))
    control = _controls(texts, settings, rows)
    concentration, bad_concentration = _concentrations(path, texts, columns, settings, rows)
    cells = pd.to_numeric(entries.get("cells", nothing), errors="coerce").astype(float)
    wells = pd.DataFrame(
        {
            "plate": plate,
            "well": well,
            "site": site,
            "compound_id": compound,
            **{kind: entries.get(kind, nothing) for kind in ("smiles", "name")},
            "moa": known_parts(texts["moa"], settings.missing) if "moa" in texts else nothing,
            "concentration_um": concentration,
            "control": control,
            "cells": cells.where(cells >= 0),
        }
    )
    reason = nothing.copy()
    for applies, text in (  # the last one that applies counts
        (~control, bad_concentration),
        (~control & compound.isna(), "well without compound"),
        (~(site.ge(0) & site.mod(1).eq(0)), "no number of a site"),
        (well.isna(), "no well"),
        (plate.isna(), "no plate"),
    ):
        reason[applies] = text[applies] if isinstance(text, pd.Series) else text
    place_of = pd.Series([f"{path.name}, row {row}: " for row in rows], index=rows)
    short = reason.isin(["well without compound", "no number of a site", "no well", "no plate"])
    reason[short] = place_of[short] + reason[short]
    if "well" in texts:
        wells["well"] = well.where(well.notna(), texts["well"])
    return wells.assign(reason=reason.where(reason.notna(), None))


def _wells(path: Path, texts: pd.Series | None, plate: pd.Series, column: str, settings: WellColumns) -> pd.Series:
    """Names of wells; null where an entry is none."""
    if texts is not None:
        wells = parse_wells(texts)
        if len(wells) and wells.isna().all():
            raise ValueError(
                f"{path}: no entry of the column {column} is a well, such as D08; the first one is {texts.iloc[0]!r}. "
                f"Name another column by params:{settings.group}.well, or write '' there: then wells get names in "
                "random order"
            )
        return wells.astype(object).where(wells.notna(), None)
    logger.info("%s has no column of wells: its rows get the names of wells, in random order", path)
    names = np.empty(len(plate), dtype=object)
    for name, rows in plate.groupby(plate, sort=False).indices.items():
        width = next((width for places, width in _FORMATS if len(rows) <= places), 0)
        if not width:
            raise ValueError(f"{path}: plate {name} has {len(rows)} rows, more than a plate can have wells")
        # If the rows of two plates are in the same order, wells in this order would give the compounds away.
        order = np.random.default_rng(zlib.crc32(str(name).encode())).permutation(len(rows))
        names[rows] = [well_name(1 + int(i) // width, 1 + int(i) % width) for i in order]
    return pd.Series(names, index=plate.index)


def _controls(texts: Mapping[str, pd.Series], settings: WellColumns, rows: pd.Index) -> pd.Series:
    """Whether wells are controls, by the column of controls, or else by compounds and their names."""
    kinds = ["control"] if "control" in texts else ["compound", "name"]
    is_control = pd.Series(False, index=rows)
    for kind in kinds:
        if kind in texts:
            is_control |= are_controls(texts[kind], settings)
    return is_control


def _concentrations(
    path: Path, texts: Mapping[str, pd.Series], columns: Mapping[str, str], settings: WellColumns, rows: pd.Index
) -> tuple[pd.Series, pd.Series]:
    if "concentration" not in texts:
        return pd.Series(np.nan, index=rows), pd.Series(None, index=rows, dtype=object)
    column = columns["concentration"]
    if (unit := settings.concentration_unit or unit_of(column)) is None:
        raise ValueError(
            f"the unit of {column} in {path} is unknown: set params:{settings.group}.concentration_unit to nM, uM or "
            "mM, or concentration to '' if the concentrations are not needed"
        )
    return concentrations(texts["concentration"].rename(column), unit, path, settings.missing)


def compounds_of(
    wells: Mapping[str, pd.DataFrame], path: Path | None, settings: WellColumns, identify: Callable[[str], str]
) -> pd.DataFrame:
    """Compounds of the treated wells: compound_id, smiles, name and moa.

    Parameters
    ----------
    wells
        Name of each table -> its wells, from `describe_wells`.
    path
        Table of compounds, whose ids are compound ids or InChIKeys. None: the tables of wells have the structures.
    settings
        Names of columns and words.
    identify
        As for `cloome_kedro.imaging.platemaps.merge_compounds`.

    Raises
    ------
    ValueError
        If no compound has a structure, or a compound has two.
    """
    columns = ["compound_id", "smiles", "name", "moa"]
    tables = [
        (name, table.loc[~table["control"] & table["reason"].isna(), columns].drop_duplicates())
        for name, table in wells.items()
    ]
    used = {compound for _, table in tables for compound in table["compound_id"]}
    if path is not None:
        tables += [(str(path), table) for table in _compound_tables(path, settings)]
    compounds = merge_compounds(tables, identify)
    compounds = compounds[compounds["compound_id"].isin(used)].reset_index(drop=True)
    if compounds["smiles"].isna().all():
        raise ValueError(
            f"{', '.join(wells)}: no compound has a structure. Name the column of SMILES by params:{settings.group}"
            ".smiles, or a table of compounds by params:profile_tables.source.compounds"
        )
    return compounds


def _compound_tables(path: Path, settings: WellColumns) -> list[pd.DataFrame]:
    """Compounds of a table, once by their ids and once by their InChIKeys."""
    table = read_table(path)
    columns = find_columns(table.columns, WellColumns(missing=settings.missing), path)
    entries = pd.DataFrame(index=table.index)
    for kind in ("smiles", "name", "moa"):
        clean = known_parts if kind == "moa" else known
        entries[kind] = clean(table[columns[kind]], settings.missing) if kind in columns else None
    keys = [columns[kind] for kind in ("compound", "inchikey") if kind in columns]
    if not keys or "smiles" not in columns:
        raise ValueError(
            f"{path} needs a column of compound ids or InChIKeys and one of SMILES; its columns are "
            f"{shortened(table.columns, 12)}"
        )
    return [
        entries.assign(compound_id=known(table[key], settings.missing))[~is_missing(table[key], settings.missing)]
        for key in keys
    ]


def repeated_wells(wells: pd.DataFrame) -> list[np.ndarray]:
    """Find wells (or fields) that have several usable rows: their positions, one array per well."""
    usable = np.flatnonzero(wells["reason"].isna().to_numpy())
    keys = wells.iloc[usable][["plate", "well", "site"]]
    repeated = keys.duplicated(keep=False).to_numpy()
    groups = keys[repeated].assign(position=usable[repeated]).groupby(["plate", "well", "site"], sort=False)
    return [group["position"].to_numpy() for _, group in groups]


def contradiction(rows: pd.DataFrame) -> str:
    """Reason if rows of one well say different things about it; otherwise empty."""
    for column in ("compound_id", "concentration_um", "control"):
        values = rows[column]
        if values.nunique(dropna=False) > 1:
            first = values.iloc[0]
            other = next(i for i in range(len(values)) if values.iloc[[0, i]].nunique(dropna=False) > 1)
            return (
                f"the well is in several rows with different contents: {column} is {first} in {place(rows, 0)} and "
                f"{values.iloc[other]} in {place(rows, other)}"
            )
    return ""
