"""A screen without images: tables of profiles become fields, compounds and normalised profiles."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from cloome_kedro.imaging.config import Normalisation, Selection
from cloome_kedro.imaging.feature_tables import read_values
from cloome_kedro.imaging.index import REJECTED, check_rejected
from cloome_kedro.imaging.normalisation import normalise_plate, select_features
from cloome_kedro.imaging.profile_columns import choose_features, shortened
from cloome_kedro.imaging.profile_table import ProfileFiles, WellColumns
from cloome_kedro.imaging.profile_wells import (
    compounds_of,
    contradiction,
    describe_wells,
    find_columns,
    repeated_wells,
)

logger = logging.getLogger(__name__)

Repeats = Literal["mean", "first", "reject"]
_ALL_VARIABLES = (".h5ad", ".npy")  # their variables are features, whatever their names


@dataclass(frozen=True)
class ProfileScreen:
    """Tables of a screen without images.

    Attributes
    ----------
    fields, compounds, rejected, profiles, cell_counts
        Tables ``fields``, ``compound_table``, ``rejected_fields``, ``field_profiles`` and ``cell_counts``.
    """

    fields: pd.DataFrame
    compounds: pd.DataFrame
    rejected: pd.DataFrame
    profiles: pd.DataFrame
    cell_counts: pd.DataFrame


def read_profile_screen(
    folder: Path,
    screen: str,
    source: ProfileFiles,
    columns: WellColumns,
    *,
    normalisation: Normalisation,
    selection: Selection,
    repeats: Repeats = "mean",
    max_rejected_fraction: float = 0.05,
    identify: Callable[[str], str] = str,
) -> ProfileScreen:
    """Read the tables of a screen, and normalise the profiles of each plate.

    Parameters
    ----------
    folder
        Folder of the screen.
    screen
        Name of the screen. It is the first part of every field_id (screen/plate/well/site).
    source, columns
        Files, and names of their columns.
    normalisation
        How each plate is normalised against its controls. Method None: values are used as they are.
    selection
        How features are selected afterwards.
    repeats
        What becomes of a well that has several rows: the mean of its rows, the first row, or no row. If the rows say
        different things about the well, none is used.
    max_rejected_fraction
        Largest share of rows that cannot be used. With more, the run stops.
    identify
        As for `cloome_kedro.imaging.platemaps.merge_compounds`.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no table, a table cannot be read, no feature is left, or too many rows are rejected.
    """
    paths = _paths(folder, source.files)
    tables, parts, names_of_files = {}, [], []
    for path in paths:
        metadata, names, values = read_values(path, _Reader(columns), source.matrix)
        tables[path.name] = describe_wells(path, metadata, columns)
        parts.append(values)
        names_of_files.append(names)
    compounds = compounds_of(tables, folder / source.compounds if source.compounds else None, columns, identify)
    wells = pd.concat(tables.values()) if len(tables) > 1 else next(iter(tables.values()))
    features, values = _join(paths, names_of_files, parts)
    del parts
    wells = _unite_repeats(wells.assign(position=np.arange(len(wells))), values, repeats)

    wells = wells.assign(screen=screen, field_id=_field_ids(wells, screen))
    is_rejected = wells["reason"].notna()
    rejected = wells[is_rejected].assign(stage="index", plate=lambda table: table["plate"].fillna(""))
    sites = rejected["site"].where(rejected["site"].mod(1).eq(0)).astype("Int64")
    rejected = rejected.assign(site=sites)[REJECTED].sort_values(["plate", "well"], ignore_index=True)
    check_rejected(rejected, len(wells), max_rejected_fraction, "profile_tables", "tables")
    used = wells[~is_rejected].sort_values(["plate", "well", "site"], ignore_index=True).astype({"site": int})
    values = values[used["position"].to_numpy()]
    _normalise(values, features, used, normalisation)
    values, features = _select(values, features, normalisation, selection)

    fields = used[["field_id", "screen", "plate", "well", "site", "compound_id", "concentration_um", "control"]]
    profiles = pd.DataFrame(values, columns=features)
    profiles.insert(0, "field_id", fields["field_id"])
    counts = used.loc[used["cells"].notna(), ["field_id", "cells"]].rename(columns={"cells": "nuclei"})
    compounds = compounds[compounds["compound_id"].isin(fields.loc[~fields["control"], "compound_id"])]
    logger.info(
        "profiles: %d rows of %d plates, %d of them controls, with %d features; %d rows are rejected",
        *(len(fields), fields["plate"].nunique(), fields["control"].sum(), len(features), len(rejected)),
    )
    return ProfileScreen(fields, compounds.reset_index(drop=True), rejected, profiles, counts.reset_index(drop=True))


@dataclass(frozen=True)
class _Named:
    """Names of columns for `choose_features`, which raises errors for other groups of settings, too."""

    features: tuple[str, ...] | None
    never_features: tuple[str, ...]
    blocklist: bool
    group: ClassVar[str] = WellColumns.group

    @property
    def described(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class _Reader:
    """Says which columns of a file describe wells and which are features, see `read_values`."""

    columns: WellColumns

    def keys_in(self, names: Sequence[str], path: Path) -> dict[str, str]:
        return {column: kind for kind, column in find_columns(names, self.columns, path).items()}

    def features_in(self, names: Iterable[str], path: Path) -> list[str]:
        features = self.columns.features
        if features is None and path.suffix in _ALL_VARIABLES:
            features = ("",)  # it is found in every name
        named = _Named(features, self.columns.never_features, self.columns.blocklist)
        chosen = choose_features({path.name: names}, named)
        for reason, rows in chosen[chosen["reason"] != ""].groupby("reason", sort=False)["column"]:
            logger.info("%s: %d columns are no features (%s): %s", path, len(rows), reason, shortened(rows))
        kept = chosen.loc[chosen["reason"] == "", "column"].tolist()
        if not kept:
            raise ValueError(f"{path} has no feature: correct features or never_features in params:{named.group}")
        return kept


def _paths(folder: Path, pattern: str) -> list[Path]:
    paths = sorted(path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise FileNotFoundError(
            f"{folder} has no table {pattern}: put the tables of profiles there, or correct "
            "params:profile_tables.source.files"
        )
    return paths


def _join(
    paths: list[Path], names: list[list[str]], parts: list[npt.NDArray[np.float32]]
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Join the tables on the features that all of them have."""
    common = [name for name in names[0] if all(name in set(others) for others in names[1:])]
    if not common:
        raise ValueError(f"{', '.join(path.name for path in paths)} have no feature in common")
    for path, of_file in zip(paths, names, strict=True):
        if left_out := [name for name in of_file if name not in set(common)]:
            logger.warning(
                "%s: %d features are left out, because other tables lack them: %s",
                *(path, len(left_out), shortened(left_out)),
            )
    if len(parts) == 1:
        return common, parts[0]
    return common, np.concatenate([_columns(part, of_file, common) for part, of_file in zip(parts, names, strict=True)])


def _columns(values: npt.NDArray[np.float32], names: list[str], chosen: list[str]) -> npt.NDArray[np.float32]:
    """Select columns by name."""
    position = {name: i for i, name in enumerate(names)}
    return np.take(values, [position[name] for name in chosen], axis=1)


def _unite_repeats(wells: pd.DataFrame, values: npt.NDArray[np.float32], repeats: Repeats) -> pd.DataFrame:
    """Unite rows of the same well: their mean replaces the first row, or reasons reject rows.

    Returns
    -------
    ``wells`` without the rows whose mean is used.
    """
    wells, reasons = wells.copy(), wells["reason"].to_numpy(object).copy()
    cells = wells["cells"].to_numpy(float).copy()
    groups = repeated_wells(wells)
    merged: list[int] = []
    contradicting = 0
    for rows in groups:
        if text := contradiction(wells.iloc[rows]):
            reasons[rows] = text
            contradicting += 1
        elif repeats == "mean":
            values[rows[0]], cells[rows[0]] = _mean(values[rows]), _mean(cells[rows])
            merged += rows[1:].tolist()
        elif repeats == "first":
            reasons[rows[1:]] = "the well has several rows, of which the first is used"
        else:
            reasons[rows] = f"the well has {len(rows)} rows"
    if groups:
        rule = {"mean": "the mean of their rows is used", "first": "the first row is used", "reject": "none is used"}
        logger.warning(
            "%d wells or fields are in several rows, e.g. %s; %s (profile_tables.repeats: %s). %d of them have rows "
            "with different contents, which are rejected",
            *(len(groups), "/".join(map(str, wells.iloc[groups[0][0]][["plate", "well"]])), rule[repeats], repeats),
            contradicting,
        )
    return wells.assign(reason=reasons, cells=cells)[~np.isin(np.arange(len(wells)), merged)]


def _mean(values: npt.NDArray) -> npt.NDArray:
    """Mean over rows without missing values; NaN if all are missing."""
    known = np.isfinite(values)
    number = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0, dtype=float)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _field_ids(wells: pd.DataFrame, screen: str) -> pd.Series:
    sites = wells["site"].map("{:g}".format).where(wells["site"].notna(), "")
    return screen + "/" + wells["plate"].fillna("") + "/" + wells["well"].fillna("") + "/" + sites


def _normalise(
    values: npt.NDArray[np.float32], features: list[str], wells: pd.DataFrame, normalisation: Normalisation
) -> None:
    """Normalise each plate in place. ``wells`` are sorted by plate."""
    values[~np.isfinite(values)] = np.nan
    if normalisation.method is None:
        np.clip(values, -normalisation.clip, normalisation.clip, out=values)
        return
    plates = wells.groupby("plate", sort=True).indices
    few = []
    for name, rows in tqdm(plates.items(), desc="normalising", unit="plate", delay=2):
        control = wells["control"].to_numpy()[rows]
        if control.sum() < normalisation.minimum_controls:
            few.append(str(name))
            control = np.ones_like(control)
        raw = pd.DataFrame(values[rows], columns=features)
        values[rows] = normalise_plate(raw, control, normalisation).to_numpy()
    if few:
        logger.warning(
            "%d of %d plates have fewer control wells than profile_tables.normalise.minimum_controls (%d) and are "
            "normalised against all their wells: %s",
            *(len(few), len(plates), normalisation.minimum_controls, shortened(few)),
        )


def _select(
    values: npt.NDArray[np.float32], features: list[str], normalisation: Normalisation, selection: Selection
) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Select features on a sample of rows, and set missing values to 0, the centre of the controls."""
    if selection.operations:
        rng = np.random.default_rng(selection.seed)
        sample = np.sort(rng.choice(len(values), min(selection.fields, len(values)), replace=False))
        kept = select_features(
            pd.DataFrame(values[sample], columns=features), normalisation, selection, "profile_tables"
        )
        if len(kept) < len(features):
            values, features = _columns(values, features, kept), kept
    missing = np.isnan(values)
    if number := int(missing.sum()):
        logger.info(
            "profiles: %d of %d values (%.2f %%) were missing and set to 0",
            *(number, values.size, 100 * number / values.size),
        )
        values[missing] = 0
    return values, features
