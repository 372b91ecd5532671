"""Profiles of wells: tables of single plates, as pycytominer writes them, are joined into one table."""

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
    """Join the tables of plates, with the features that all tables have.

    Parameters
    ----------
    tables
        ``{name of the file: table}``, one table per plate, with one row per well. All numeric columns are features,
        except those named ``Metadata_...``.
    columns
        Names of the columns that describe a well.
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

    Raises
    ------
    ValueError
        If a table lacks a column, a well is in the tables twice, the plates have no feature in common, or no well is
        left. The message names the files.
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
                logger.warning(
                    "%s has %d control wells, fewer than profile_moa.normalise.minimum_controls (%d). It is normalised "
                    "against all its wells",
                    *(name, control.sum(), normalisation.minimum_controls),
                )
                control = np.ones_like(control)
            values = normalise_plate(values, control, normalisation)
        parts.append(pd.concat([wells, values], axis=1))
    kept = [name for name in features if all(part[name].isna().mean() <= normalisation.na_cutoff for part in parts)]
    wells = pd.concat(parts, ignore_index=True).drop(columns=sorted(set(features) - set(kept)))
    if (is_repeated := wells["field_id"].duplicated()).any():
        field_id = wells.loc[is_repeated, "field_id"].iloc[0]
        raise ValueError(f"{', '.join(tables)}: well {field_id} is in the tables twice; keep one")

    has_structure = wells["Metadata_InChIKey"].str.fullmatch(_INCHIKEY).fillna(False).astype(bool)
    reason = pd.Series("", index=wells.index).mask(wells["Metadata_moa"].isna(), f"no mechanism in {columns.moa}")
    reason = reason.mask(~has_structure, f"no InChIKey in {columns.inchikey}").mask(wells["control"], "")
    rejected = wells.loc[reason != "", ["field_id"]].assign(reason=reason[reason != ""]).reset_index(drop=True)
    usable = wells[~wells["control"] & (reason == "")].drop(columns="control").reset_index(drop=True)
    if usable.empty or not kept:
        raise ValueError(
            f"{', '.join(tables)}: {len(usable)} treated wells have a structure and a mechanism, and {len(kept)} "
            "features are measured on all plates; at least one of each is needed. Check the names in "
            "params:profile_moa.columns"
        )
    logger.info(
        "%d plates: %d wells of %d compounds and %d mechanisms, %d features; left out: %d control wells, and %d wells "
        "without structure or mechanism",
        *(len(tables), len(usable), usable["Metadata_InChIKey"].nunique(), usable["Metadata_moa"].nunique(), len(kept)),
        *(wells["control"].sum(), len(rejected)),
    )
    return usable.fillna(dict.fromkeys(kept, 0)).astype(dict.fromkeys(kept, np.float32)), rejected


def _common_features(tables: Mapping[str, pd.DataFrame], columns: ProfileColumns) -> list[str]:
    """Numeric features that all tables have, in the order of the first table."""
    needed = [columns.plate, columns.well, columns.inchikey, columns.moa, columns.control]
    needed += [columns.cells] if columns.cells else []
    common: list[str] | None = None
    for name, table in tables.items():
        if missing := [column for column in needed if column not in table]:
            raise ValueError(f"{name} has no column {', '.join(missing)}; name it in params:profile_moa.columns")
        features = [str(c) for c in table.select_dtypes("number") if not str(c).startswith("Metadata_")]
        common = features if common is None else [feature for feature in common if feature in set(features)]
    if not common:
        raise ValueError(f"{', '.join(tables)} have no numeric feature in common")
    return common


def _wells(name: str, table: pd.DataFrame, columns: ProfileColumns) -> pd.DataFrame:
    """What is in each well of a plate, under the names of the joined table."""
    table = table.reset_index(drop=True)
    plate, well = table[columns.plate].astype(str), canonical_wells(table[columns.well].astype(str), Path(name))
    physical_plate = plate
    if columns.physical_plate is not None:
        physical_plate = plate.map(lambda text: (re.search(str(columns.physical_plate), text) or [None, None])[1])
        if (is_unmatched := physical_plate.isna()).any():
            raise ValueError(
                f"{name}: params:profile_moa.columns.physical_plate does not match the plate "
                f"{plate[is_unmatched].iloc[0]!r}; correct the expression"
            )
    cells = pd.Series(np.nan, index=table.index) if columns.cells is None else table[columns.cells].astype(float)
    return pd.DataFrame(
        {
            "field_id": plate + "/" + well,
            "Metadata_Plate": physical_plate,
            "Metadata_Well": well,
            "Metadata_InChIKey": table[columns.inchikey].astype(object),
            "Metadata_moa": table[columns.moa].astype(object),
            # Counts depend on the magnification, so they are comparable only within a plate.
            "Metadata_Count": cells / cells.groupby(plate).transform("median"),
            "control": table[columns.control].notna(),
        }
    )
