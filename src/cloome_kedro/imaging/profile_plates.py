"""Profiles of wells: tables of single plates, as pycytominer writes them, are joined into one table."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro.imaging.config import Normalisation
from cloome_kedro.imaging.normalisation import normalise_plate
from cloome_kedro.imaging.profile_columns import are_controls, choose_features, shortened
from cloome_kedro.imaging.profile_table import ProfileColumns
from cloome_kedro.imaging.tables import place
from cloome_kedro.imaging.wells import canonical_wells
from cloome_kedro.missing import is_missing, known, known_parts

logger = logging.getLogger(__name__)

_INCHIKEY = r"[A-Z]{14}-[A-Z]{10}-[A-Z]"


def join_plates(
    tables: Mapping[str, pd.DataFrame], columns: ProfileColumns, normalisation: Normalisation
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Join the tables of plates, with the features that all tables have.

    Parameters
    ----------
    tables
        ``{name of the file: table}``, one table per plate, with one row per well. Cells may be text or numbers.
    columns
        Which columns describe a well, which are features, and which values mean a control.
    normalisation
        How each plate is normalised against its controls. A feature is dropped if a plate lacks it in more than
        ``na_cutoff`` of its wells. Other missing values become 0.

    Returns
    -------
    wells
        One row per treated well with a structure and a mechanism. Columns: field_id (``<plate>/<well>``),
        Metadata_Plate (the physical plate), Metadata_Well, Metadata_InChIKey, Metadata_moa, Metadata_Count (number of
        cells divided by the median of the plate; NaN if cells were not counted), and the features, float32.
    rejected
        field_id and reason of treated wells without a structure or a mechanism.
    profile_columns
        One row per column of the tables: column, feature (whether it is used as one), and reason (why not).
    controls
        One row per control well, with the columns of ``wells`` except those of compounds and counts.

    Raises
    ------
    ValueError
        If a table is empty or lacks a column, a plate or well has no name, a well is in the tables twice, the plates
        have no feature in common, or no well is left. The message names the files.
    """
    if empty := [name for name, table in tables.items() if table.empty]:
        raise ValueError(f"{', '.join(empty)}: the table has no rows; write it again or remove the file")
    chosen = choose_features({name: list(map(str, table)) for name, table in tables.items()}, columns)
    features = chosen.loc[chosen["reason"] == "", "column"].tolist()
    if not features:
        raise ValueError(f"{', '.join(tables)} have no feature in common. Columns: {_counts(chosen)}")
    parts = []
    for name, table in tables.items():
        wells = _wells(name, table, columns)
        values = _numbers(name, table, features)
        if normalisation.method is None:
            values = values.clip(-normalisation.clip, normalisation.clip)
        else:
            control = wells["control"].to_numpy()
            if control.sum() < normalisation.minimum_controls:
                logger.warning(
                    "%s has %d control wells, fewer than profile_moa.normalise.minimum_controls (%d). It is normalised "
                    "against all its wells",
                    *(name, control.sum(), normalisation.minimum_controls),
                )
                control = np.ones_like(control)
            values = normalise_plate(values, control, normalisation)
        lacking = values.columns[values.isna().mean() > normalisation.na_cutoff]
        is_new = chosen["column"].isin(lacking) & (chosen["reason"] == "")
        chosen.loc[is_new, "reason"] = f"missing in more than {normalisation.na_cutoff:.0%} of the wells of a plate"
        parts.append(pd.concat([wells, values], axis=1))
    kept = chosen.loc[chosen["reason"] == "", "column"].tolist()
    _log_columns(chosen)
    wells = pd.concat(parts, ignore_index=True).drop(columns=sorted(set(features) - set(kept)))
    if (is_repeated := wells["field_id"].duplicated()).any():
        field_id = wells.loc[is_repeated, "field_id"].iloc[0]
        raise ValueError(
            f"{', '.join(tables)}: well {field_id} is in the tables twice. Give the plates different names in "
            f"{columns.plate}, or move one of the files to another folder"
        )
    _log_controls(pd.concat([known(table[columns.control], columns.missing) for table in tables.values()]), columns)

    has_structure = wells["Metadata_InChIKey"].str.fullmatch(_INCHIKEY).fillna(False).astype(bool)
    reason = pd.Series("", index=wells.index).mask(wells["Metadata_moa"].isna(), f"no mechanism in {columns.moa}")
    reason = reason.mask(~has_structure, f"no InChIKey in {columns.inchikey}").mask(wells["control"], "")
    rejected = wells.loc[reason != "", ["field_id"]].assign(reason=reason[reason != ""]).reset_index(drop=True)
    usable = wells[~wells["control"] & (reason == "")].drop(columns="control").reset_index(drop=True)
    if usable.empty or not kept:
        raise ValueError(
            f"{', '.join(tables)}: {len(usable)} treated wells have a structure and a mechanism, and {len(kept)} "
            f"features are measured on all plates; at least one of each is needed. Check the names and values in "
            f"params:profile_moa.columns. {wells['control'].sum()} wells are controls. Columns: {_counts(chosen)}"
        )
    logger.info(
        "%d plates: %d wells of %d compounds and %d mechanisms, %d features; left out: %d control wells, and %d wells "
        "without structure or mechanism",
        *(len(tables), len(usable), usable["Metadata_InChIKey"].nunique(), usable["Metadata_moa"].nunique(), len(kept)),
        *(wells["control"].sum(), len(rejected)),
    )
    controls = wells.loc[wells["control"], ["field_id", "Metadata_Plate", "Metadata_Well", *kept]]
    usable, controls = (
        table.fillna(dict.fromkeys(kept, 0)).astype(dict.fromkeys(kept, np.float32)) for table in (usable, controls)
    )
    chosen = chosen.assign(feature=chosen["reason"] == "")[["column", "feature", "reason"]]
    return usable, rejected, chosen, controls.reset_index(drop=True)


def _numbers(file: str, table: pd.DataFrame, features: list[str]) -> pd.DataFrame:
    """Features of a plate as float64. A cell that is not a finite number is NaN."""
    cells = table[features]
    values = cells.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    values = values.where(np.isfinite(values))
    bad = {name: values[name].isna() & ~is_missing(cells[name]) for name in values.columns[values.isna().any()]}
    if n_bad := sum(int(rows.sum()) for rows in bad.values()):
        feature, rows = next((feature, rows) for feature, rows in bad.items() if rows.any())
        i = int(rows.to_numpy().argmax())
        logger.warning(
            "%s: %d cells of features are not finite numbers and are treated as missing, e.g. %r in %s, column %s",
            *(file, n_bad, cells[feature].iloc[i], place(cells, i), feature),
        )
    return values.reset_index(drop=True)


def _wells(file: str, table: pd.DataFrame, columns: ProfileColumns) -> pd.DataFrame:
    """What is in each well of a plate, under the names of the joined table."""
    plate = known(_whole_numbers(table[columns.plate]), columns.missing)
    if (is_unnamed := plate.isna()).any():
        i = int(is_unnamed.to_numpy().argmax())
        raise ValueError(
            f"{file}, {place(table, i)}: {columns.plate} is {table[columns.plate].iloc[i]!r}, so the plate of the well "
            "is not known. Fill it in, or take this word out of params:profile_moa.columns.missing"
        )
    plate = plate.astype(str)
    well = canonical_wells(table[columns.well], Path(file))
    physical_plate = plate
    if columns.physical_plate is not None:
        physical_plate = plate.map(lambda text: (re.search(str(columns.physical_plate), text) or [None, None])[1])
        if (is_unmatched := physical_plate.isna()).any():
            raise ValueError(
                f"{file}: params:profile_moa.columns.physical_plate does not match the plate "
                f"{plate[is_unmatched].iloc[0]!r}; correct the expression"
            )
    cells = pd.Series(np.nan, index=table.index)
    if columns.cells is not None:
        counts = table[columns.cells]
        cells = pd.to_numeric(counts.where(~is_missing(counts, columns.missing)), errors="coerce").astype(float)
    wells = {
        "field_id": plate + "/" + well,
        "Metadata_Plate": physical_plate,
        "Metadata_Well": well,
        "Metadata_InChIKey": known(table[columns.inchikey], columns.missing),
        "Metadata_moa": known_parts(table[columns.moa], columns.missing).map(_sorted_parts, na_action="ignore"),
        # Counts depend on the magnification, so they are comparable only within a plate.
        "Metadata_Count": cells / cells.groupby(plate).transform("median"),
        "control": are_controls(table[columns.control], columns),
    }
    return pd.DataFrame(wells).reset_index(drop=True)


def _whole_numbers(plates: pd.Series) -> pd.Series:
    """Names of plates that a typed table holds as decimals although they are whole: 7.0 becomes 7."""
    if pd.api.types.is_float_dtype(plates) and plates.dropna().mod(1).eq(0).all():
        return plates.astype("Int64")
    return plates


def _sorted_parts(mechanisms: str) -> str:
    """Several mechanisms in alphabetical order, so that their order in a table does not matter."""
    return "|".join(sorted(set(mechanisms.split("|"))))


def _counts(chosen: pd.DataFrame) -> str:
    """Number of columns for each reason, with examples."""
    texts = []
    for reason, names in chosen.groupby("reason", sort=False)["column"]:
        texts.append(f"{len(names)} {str(reason) or 'used as features'} ({shortened(names, 4)})")
    return "; ".join(texts)


def _log_columns(chosen: pd.DataFrame) -> None:
    for reason, names in chosen.groupby("reason", sort=False)["column"]:
        logger.info(
            "%d columns are %s: %s",
            len(names),
            f"no features ({reason!s})" if reason else "features",
            shortened(names),
        )


def _log_controls(values: pd.Series, columns: ProfileColumns) -> None:
    """Say which values of the control column mean a control and which do not."""
    is_control = are_controls(values, columns)
    texts = [
        shortened(f"{value} ({number} wells)" for value, number in part.value_counts().items())
        for part in (values[is_control], values[~is_control])
    ]
    logger.info("%s: these values mean a control: %s. These do not: %s", columns.control, *texts)
    if not is_control.any():
        logger.warning(
            "no well is a control: no value of %s is in params:profile_moa.columns.control_values (%s)",
            *(columns.control, ", ".join(map(str, columns.control_values))),
        )
