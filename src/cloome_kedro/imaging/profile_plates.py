"""Profiles of wells as pycytominer writes them, one table per plate, joined into one table of wells."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro.imaging.config import Normalisation, ProfileColumns
from cloome_kedro.imaging.normalisation import normalise_plate
from cloome_kedro.imaging.wells import canonical_wells

logger = logging.getLogger(__name__)

_INCHIKEY = r"[A-Z]{14}-[A-Z]{10}-[A-Z]"


def join_plates(
    tables: Mapping[str, pd.DataFrame], columns: ProfileColumns, normalisation: Normalisation
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join tables of plates on the features that all have.

    Parameters
    ----------
    tables
        One table per plate, by the name of its file, with one row per well. Numeric columns that are not named
        ``Metadata_...`` are features.
    columns
        Which columns say what a well is.
    normalisation
        How each plate is normalised, against its controls. A feature that is missing in more than ``na_cutoff`` of the
        wells of any plate is dropped; other missing values become 0.

    Returns
    -------
    wells
        field_id (``<plate>/<well>``); Metadata_Plate (physical), Metadata_Well, Metadata_InChIKey, Metadata_moa,
        Metadata_Count (cells, as a multiple of the plate's median; none if not counted); float32 features. One row per
        treated well with a structure and a mechanism.
    rejected
        field_id and reason of treated wells without.

    Raises
    ------
    ValueError
        If a table lacks a column, a well is there twice, plates share no feature, or no well is left; names the file.
    """
    features = _common_features(tables, columns)
    parts = []
    for name, table in tables.items():
        wells = _wells(name, table, columns)
        numbers = table[features].to_numpy(np.float64)
        values = pd.DataFrame(np.where(np.isfinite(numbers), numbers, np.nan), columns=features)
        if normalisation.method is None:
            values = values.clip(-normalisation.clip, normalisation.clip)
        else:
            control = wells["control"].to_numpy()
            if control.sum() < normalisation.minimum_controls:
                logger.warning("%s has %d control wells: normalised against all its wells", name, control.sum())
                control = np.ones_like(control)
            values = normalise_plate(values, control, normalisation)
        parts.append(pd.concat([wells, values], axis=1))
    kept = [f for f in features if all(part[f].isna().mean() <= normalisation.na_cutoff for part in parts)]
    wells = pd.concat(parts, ignore_index=True).drop(columns=sorted(set(features) - set(kept)))
    if (double := wells["field_id"].duplicated()).any():
        raise ValueError(f"{', '.join(tables)}: well {wells.loc[double, 'field_id'].iloc[0]} is there twice")

    structure = wells["Metadata_InChIKey"].str.fullmatch(_INCHIKEY).fillna(False).astype(bool)
    reason = pd.Series("", index=wells.index).mask(wells["Metadata_moa"].isna(), f"no mechanism in {columns.moa}")
    reason = reason.mask(~structure, f"no InChIKey in {columns.inchikey}").mask(wells["control"], "")
    rejected = wells.loc[reason != "", ["field_id"]].assign(reason=reason[reason != ""]).reset_index(drop=True)
    usable = wells[~wells["control"] & (reason == "")].drop(columns="control").reset_index(drop=True)
    if usable.empty or not kept:
        raise ValueError(
            f"{', '.join(tables)}: {len(usable)} treated wells have a structure and a mechanism, {len(kept)} features "
            "are measured on all plates; see the columns in params:profile_moa.columns"
        )
    logger.info(
        "%d plates: %d wells of %d compounds and %d mechanisms, %d features; left out: %d control wells, %d others",
        *(len(tables), len(usable), usable["Metadata_InChIKey"].nunique(), usable["Metadata_moa"].nunique(), len(kept)),
        *(wells["control"].sum(), len(rejected)),
    )
    return usable.fillna(dict.fromkeys(kept, 0)).astype(dict.fromkeys(kept, np.float32)), rejected


def _common_features(tables: Mapping[str, pd.DataFrame], columns: ProfileColumns) -> list[str]:
    named = [columns.plate, columns.well, columns.inchikey, columns.moa, columns.control]
    named += [columns.cells] if columns.cells else []
    common: list[str] = []
    for name, table in tables.items():
        if missing := [column for column in named if column not in table]:
            raise ValueError(f"{name} has no column {', '.join(missing)}; name it in params:profile_moa")
        own = [str(c) for c in table.select_dtypes("number") if not str(c).startswith("Metadata_")]
        common = [feature for feature in common if feature in set(own)] if name != next(iter(tables)) else own
    if not common:
        raise ValueError(f"{', '.join(tables)} have no numeric feature in common")
    return common


def _wells(name: str, table: pd.DataFrame, columns: ProfileColumns) -> pd.DataFrame:
    table = table.reset_index(drop=True)
    plate, well = table[columns.plate].astype(str), canonical_wells(table[columns.well].astype(str), Path(name))
    physical = plate
    if columns.physical_plate is not None:
        physical = plate.map(lambda text: (re.search(str(columns.physical_plate), text) or [None, None])[1])
        if (unmatched := physical.isna()).any():
            raise ValueError(
                f"{name}: params:profile_moa.columns.physical_plate finds nothing in {plate[unmatched].iloc[0]!r}"
            )
    cells = pd.Series(np.nan, index=table.index) if columns.cells is None else table[columns.cells].astype(float)
    return pd.DataFrame(
        {
            "field_id": plate + "/" + well,
            "Metadata_Plate": physical,
            "Metadata_Well": well,
            "Metadata_InChIKey": table[columns.inchikey].astype(object),
            "Metadata_moa": table[columns.moa].astype(object),
            # magnifications differ in what a field shows, so counts compare only within a plate
            "Metadata_Count": cells / cells.groupby(plate).transform("median"),
            "control": table[columns.control].notna(),
        }
    )
