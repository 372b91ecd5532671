"""Profiles of wells as pycytominer writes them, a table a plate, joined into one table of wells."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro.imaging.normalisation import NormalisationSettings, normalise_plate
from cloome_kedro.imaging.wells import canonical_wells

logger = logging.getLogger(__name__)

_INCHIKEY = r"[A-Z]{14}-[A-Z]{10}-[A-Z]"


@dataclass(frozen=True)
class PlateTableSettings:
    """How tables of plates are read.

    Attributes
    ----------
    plate, well, inchikey, moa, control, cells
        Names of columns. A well is a control where ``control`` is not empty; ``cells`` may be None.
    physical_plate
        Regular expression whose first group, found in a plate's name, is the name of the physical plate: one that was
        imaged twice is one plate. None: the whole name.
    method
        As of :class:`~cloome_kedro.imaging.normalisation.NormalisationSettings`, against the plate's controls (all of
        its wells, where they are fewer than ``minimum_controls``). None: the tables are normalised.
    clip
        Largest absolute value.
    na_cutoff
        Share of missing values, on any plate, above which a feature is dropped. What is missing becomes 0.
    """

    plate: str = "Metadata_Plate"
    well: str = "Metadata_Well"
    inchikey: str = "Metadata_InChIKey"
    moa: str = "Metadata_moa"
    control: str = "Metadata_control_type"
    cells: str | None = "Metadata_Count_Cells"
    physical_plate: str | None = None
    method: str | None = "mad_robustize"
    minimum_controls: int = 8
    clip: float = 20.0
    na_cutoff: float = 0.05


def join_plates(tables: Mapping[str, pd.DataFrame], settings: PlateTableSettings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join tables of plates on the features that all have.

    Parameters
    ----------
    tables
        A table a plate, by the name of its file; a row a well. Numeric columns that are not named ``Metadata_...`` are
        features.

    Returns
    -------
    wells
        field_id (``<plate>/<well>``); Metadata_Plate (physical), Metadata_Well, Metadata_InChIKey, Metadata_moa,
        Metadata_Count (cells, as a multiple of the plate's median; none if not counted); float32 features. A row a
        treated well with a structure and a mechanism.
    rejected
        field_id and reason of treated wells without.

    Raises
    ------
    ValueError
        If a table lacks a column, a well is there twice, plates share no feature, or no well is left; names the file.
    """
    features = _common_features(tables, settings)
    parts = []
    for name, table in tables.items():
        wells = _wells(name, table, settings)
        numbers = table[features].to_numpy(np.float64)
        values = pd.DataFrame(np.where(np.isfinite(numbers), numbers, np.nan), columns=features)
        if settings.method is None:
            values = values.clip(-settings.clip, settings.clip)
        else:
            control = wells["control"].to_numpy()
            if control.sum() < settings.minimum_controls:
                logger.warning("%s has %d control wells: normalised against all its wells", name, control.sum())
                control = np.ones_like(control)
            values = normalise_plate(values, control, NormalisationSettings(settings.method, clip=settings.clip))
        parts.append(pd.concat([wells, values], axis=1))
    kept = [f for f in features if all(part[f].isna().mean() <= settings.na_cutoff for part in parts)]
    wells = pd.concat(parts, ignore_index=True).drop(columns=sorted(set(features) - set(kept)))
    if (double := wells["field_id"].duplicated()).any():
        raise ValueError(f"{', '.join(tables)}: well {wells.loc[double, 'field_id'].iloc[0]} is there twice")

    structure = wells["Metadata_InChIKey"].str.fullmatch(_INCHIKEY).fillna(False).astype(bool)
    reason = pd.Series("", index=wells.index).mask(wells["Metadata_moa"].isna(), f"no mechanism in {settings.moa}")
    reason = reason.mask(~structure, f"no InChIKey in {settings.inchikey}").mask(wells["control"], "")
    rejected = wells.loc[reason != "", ["field_id"]].assign(reason=reason[reason != ""]).reset_index(drop=True)
    usable = wells[~wells["control"] & (reason == "")].drop(columns="control").reset_index(drop=True)
    if usable.empty or not kept:
        raise ValueError(
            f"{', '.join(tables)}: {len(usable)} treated wells have a structure and a mechanism, {len(kept)} features "
            "are measured on all plates; see the columns in params:profile_moa"
        )
    logger.info(
        "%d plates: %d wells of %d compounds and %d mechanisms, %d features; left out: %d control wells, %d others",
        *(len(tables), len(usable), usable["Metadata_InChIKey"].nunique(), usable["Metadata_moa"].nunique(), len(kept)),
        *(wells["control"].sum(), len(rejected)),
    )
    return usable.fillna(dict.fromkeys(kept, 0)).astype(dict.fromkeys(kept, np.float32)), rejected


def _common_features(tables: Mapping[str, pd.DataFrame], settings: PlateTableSettings) -> list[str]:
    named = [settings.plate, settings.well, settings.inchikey, settings.moa, settings.control]
    named += [settings.cells] if settings.cells else []
    common: list[str] = []
    for name, table in tables.items():
        if missing := [column for column in named if column not in table]:
            raise ValueError(f"{name} has no column {', '.join(missing)}; name it in params:profile_moa")
        own = [str(c) for c in table.select_dtypes("number") if not str(c).startswith("Metadata_")]
        common = [feature for feature in common if feature in set(own)] if name != next(iter(tables)) else own
    if not common:
        raise ValueError(f"{', '.join(tables)} have no numeric feature in common")
    return common


def _wells(name: str, table: pd.DataFrame, settings: PlateTableSettings) -> pd.DataFrame:
    table = table.reset_index(drop=True)
    plate, well = table[settings.plate].astype(str), canonical_wells(table[settings.well].astype(str), Path(name))
    physical = plate
    if settings.physical_plate is not None:
        physical = plate.map(lambda text: (re.search(str(settings.physical_plate), text) or [None, None])[1])
        if (unmatched := physical.isna()).any():
            raise ValueError(f"{name}: params:profile_moa.physical_plate finds nothing in {plate[unmatched].iloc[0]!r}")
    cells = pd.Series(np.nan, index=table.index) if settings.cells is None else table[settings.cells].astype(float)
    return pd.DataFrame(
        {
            "field_id": plate + "/" + well,
            "Metadata_Plate": physical,
            "Metadata_Well": well,
            "Metadata_InChIKey": table[settings.inchikey].astype(object),
            "Metadata_moa": table[settings.moa].astype(object),
            # magnifications differ in what a field shows, so counts compare only within a plate
            "Metadata_Count": cells / cells.groupby(plate).transform("median"),
            "control": table[settings.control].notna(),
        }
    )
