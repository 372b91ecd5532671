"""Join the wells of a screen to compounds, by platemaps and tables of compounds of Broad, JUMP and others."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.platemap_tables import column_settings, platemap_files, read_platemap
from cloome_kedro.imaging.remote import join
from cloome_kedro.imaging.sources import Platemap
from cloome_kedro.imaging.tables import read_table
from cloome_kedro.missing import is_missing, known, known_parts
from cloome_kedro.words import MISSING

logger = logging.getLogger(__name__)


def annotate_wells(
    wells: pd.DataFrame,
    folder: Path,
    platemap: Platemap,
    missing: Sequence[str] = MISSING,
    identify: Callable[[str], str] = str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join wells to compounds.

    Parameters
    ----------
    wells
        Columns plate and well (D08), one row per well.
    folder
        Folder of the tables. Their names in ``platemap`` are relative to it.
    platemap
        Names of files and columns.
    missing
        Words for a missing value, see `cloome_kedro.missing.is_missing`.
    identify
        As for `merge_compounds`.

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
        If a table, a column or the platemap of a plate is missing, or if a compound has several structures.
    """
    plates = wells["plate"].unique().tolist()
    files = platemap_files(plates, folder, platemap)
    description_columns = {"smiles": platemap.smiles_column, "name": platemap.name_column, "moa": platemap.moa_column}
    descriptions = list(filter(None, description_columns.values()))
    in_platemap = descriptions if platemap.compounds is None else []
    read = {path: read_platemap(path, platemap, in_platemap, missing) for path in dict.fromkeys(files.values())}
    tables = {path: table for path, (_, table) in read.items()}
    if platemap.compounds is not None:
        path = join(folder, platemap.compounds)
        tables = {path: _compound_table(path, platemap, descriptions)}
    contents = pd.concat([table.assign(file=str(path)) for path, (table, _) in read.items()], ignore_index=True)
    if platemap.id_pattern:
        contents["written"] = _short_ids(contents["written"], platemap.id_pattern)
        tables = {path: _with_short_ids(table, path, platemap) for path, table in tables.items()}
    compounds = _compounds(tables, platemap.compound_column, description_columns, missing, identify)

    by = ["file", "plate", "well"] if contents["plate"].notna().any() else ["file", "well"]
    if "plate" in by:
        _check_plates(plates, contents["plate"], folder / platemap.platemaps)
    elif "{platemap}" not in platemap.platemaps and len(plates) > 1:
        logger.info("%s has no column of plates, so it is the platemap of all %d plates", next(iter(read)), len(plates))
    annotation = wells.assign(file=wells["plate"].map({plate: str(path) for plate, path in files.items()}))
    contents = contents if "plate" in by else contents.drop(columns="plate")
    annotation = annotation.merge(contents, on=by, how="left", validate="many_to_one")

    is_control = _is_control(annotation["written"], tables, platemap, missing)
    compound_id = known(annotation["written"], missing)
    is_known = compound_id.isin(compounds["compound_id"])
    reason = _reasons(annotation, is_control, is_known, platemap, missing)
    if "plate" in by:
        is_absent = annotation["written"].isna() & ~annotation["plate"].isin(contents["plate"])
        absent_plate = "well without compound: plate " + annotation["plate"] + " is not in " + annotation["file"]
        reason[is_absent] = absent_plate[is_absent]
    annotation = annotation.assign(
        compound_id=compound_id.astype(object).where(is_known, None), control=is_control, reason=reason
    )
    columns = [*wells.columns, "compound_id", "concentration_um", "control", "reason"]
    return annotation[columns], compounds


def _compound_table(path: Path, platemap: Platemap, descriptions: Sequence[str]) -> pd.DataFrame:
    """Read the table of compounds. Its ids are in the column that has the same name as in the platemaps."""
    settings = column_settings(platemap)
    ids = platemap.id_column or platemap.compound_column
    if platemap.id_column:
        settings |= {ids: "platemap.id_column"}
    table = read_table(path, [ids, *descriptions], settings)
    if ids == platemap.compound_column:
        return table
    return table.drop(columns=platemap.compound_column, errors="ignore").rename(columns={ids: platemap.compound_column})


def _with_short_ids(table: pd.DataFrame, path: Path, platemap: Platemap) -> pd.DataFrame:
    """Give the rows of a table of compounds their short ids, and all rows with the same id the first structure."""
    ids = _short_ids(table[platemap.compound_column].str.strip(), str(platemap.id_pattern))
    structures = table[platemap.smiles_column].str.strip()
    first = structures.where(structures != "").groupby(ids).transform("first").fillna("")
    if (is_replaced := (structures != "") & (structures != first)).any():
        logger.info(
            "%s: %d compounds have several spellings of their structure after id_pattern is applied; the first is used "
            "(%s)",
            *(path, ids[is_replaced].nunique(), ", ".join(ids[is_replaced].unique()[:5])),
        )
    return table.assign(**{platemap.compound_column: ids, platemap.smiles_column: first})


def _short_ids(ids: pd.Series, pattern: str) -> pd.Series:
    """The part of each id that the pattern finds; ids without it are as they were."""
    return ids.str.extract(f"({pattern})")[0].fillna(ids)


def _is_control(
    written: pd.Series, tables: dict[Path, pd.DataFrame], platemap: Platemap, missing: Sequence[str]
) -> pd.Series:
    """Whether the cell of a well, or the name that a table gives it, marks a control."""
    marks = {control.strip().casefold() for control in platemap.controls}
    is_control = written.str.casefold().isin(marks)
    if platemap.name_column is not None:
        # Tables of JUMP have a row NA with the name DMSO, so a word for a missing value can have a name.
        ids = pd.concat([table[platemap.compound_column].str.strip() for table in tables.values()])
        names = pd.concat([known(table[platemap.name_column], missing) for table in tables.values()])
        is_control |= written.isin(ids[(names.str.casefold().isin(marks) & names.notna()).to_numpy()])
    return is_control


def _reasons(
    annotation: pd.DataFrame, is_control: pd.Series, is_known: pd.Series, platemap: Platemap, missing: Sequence[str]
) -> pd.Series:
    """Why wells cannot be used. None: the well can be used."""
    written, file = annotation["written"], annotation["file"]
    cell = "well without compound: its cell in " + file + " is '" + written + "'"
    add = ". If such wells are controls, add it to platemap.controls"
    reasons = pd.Series(None, index=annotation.index, dtype=object)
    for applies, text in (  # the last one that applies counts
        (~is_control, annotation["bad_concentration"]),
        (
            ~is_control & ~is_known,
            "compound " + written + f" of this well is not in {platemap.compounds or platemap.platemaps}",
        ),
        (
            ~is_control & is_missing(written, missing),
            cell + f", which means missing{add}; if it is a compound, take it out of `missing`",
        ),
        (~is_control & (written == ""), cell + add),
        (annotation["contradiction"].notna(), annotation["contradiction"]),
        (written.isna(), "well without compound: it is not in " + file),
    ):
        reasons[applies] = text[applies]
    return reasons.where(reasons.notna(), None)


def _check_plates(plates: Sequence[str], listed: pd.Series, path: Path) -> None:
    if not set(plates) & set(listed):
        raise ValueError(
            f"{path} has none of the plates of the images ({', '.join(plates[:5])}); its plates are "
            f"{', '.join(listed.unique()[:5])}. Name the column of plates by `platemap.plate_column`, or write '' "
            "there if the table is the platemap of all plates"
        )


def merge_compounds(tables: Iterable[tuple[str, pd.DataFrame]], identify: Callable[[str], str] = str) -> pd.DataFrame:
    """Merge tables of compounds (compound_id, smiles, name, moa) into one table with one row per compound.

    Parameters
    ----------
    tables
        ``(name, table)`` of each table. The name is used in messages.
    identify
        Function from a structure to its identity, such as its InChIKey. Spellings of an id with the same identity are
        one structure, and the first one is kept.

    Raises
    ------
    ValueError
        If one id has two structures. The message names the id, both structures and both tables.
    """
    merged = pd.concat([table.assign(table=name) for name, table in tables], ignore_index=True)
    structures = merged.dropna(subset="smiles").drop_duplicates(["compound_id", "smiles"])
    structures = structures[structures["compound_id"].duplicated(keep=False)]
    identities = structures["smiles"].map(identify)
    structures = structures[~structures.assign(identity=identities).duplicated(["compound_id", "identity"])]
    if (is_repeated := structures["compound_id"].duplicated()).any():
        compound_id = structures.loc[is_repeated, "compound_id"].iloc[0]
        first, second = structures[structures["compound_id"] == compound_id][:2].itertuples()
        raise ValueError(
            f"compound {compound_id} has two structures: {first.smiles} in {first.table} and {second.smiles} in "
            f"{second.table}; give them different ids, or correct one of them"
        )
    # first() takes the first entry that is not missing
    return merged.groupby("compound_id", sort=False).first().drop(columns="table").reset_index()


def _compounds(
    tables: dict[Path, pd.DataFrame],
    compound_column: str,
    description_columns: dict[str, str | None],
    missing: Sequence[str],
    identify: Callable[[str], str],
) -> pd.DataFrame:
    """Compounds (compound_id, smiles, name, moa) of the screen's tables. Rows without an id are left out."""
    compound_tables = []
    for path, table in tables.items():
        compounds = pd.DataFrame({"compound_id": known(table[compound_column], missing)})
        for name, column in description_columns.items():
            clean = known_parts if name == "moa" else known
            compounds[name] = None if column is None else clean(table[column], missing)
        compound_tables.append((str(path), compounds.dropna(subset="compound_id")))
    return merge_compounds(compound_tables, identify)
