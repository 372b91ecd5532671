"""Find the tables of profiles of a screen without images, and how they are read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cloome_kedro.imaging.discovery.tables import FoundTable, numeric_columns, usual_column
from cloome_kedro.imaging.feature_tables import read_columns
from cloome_kedro.imaging.platemap_tables import unit_of
from cloome_kedro.imaging.profile_columns import choose_features
from cloome_kedro.imaging.profile_table import WELL_KINDS, WellColumns
from cloome_kedro.imaging.profile_wells import compounds_of, describe_wells, find_columns
from cloome_kedro.imaging.wells import parse_wells

_SHARED = 40  # features that tables of one screen have in common, at least
_FEW = 10  # features from which a prefix of names is that of features


@dataclass(frozen=True)
class ProfileGroup:
    """Tables of profiles with the same features.

    Attributes
    ----------
    tables
        The tables.
    pattern
        Glob pattern of their files, relative to the folder of the screen.
    """

    tables: tuple[FoundTable, ...]
    pattern: str


@dataclass(frozen=True)
class FoundProfiles:
    """How the tables of a group are read, and what is in them.

    Attributes
    ----------
    settings
        The group ``profile_tables`` of the parameters.
    columns
        What is described -> name of its column.
    features
        Number of features.
    rows, plates, controls
        Numbers of rows, plates and rows of controls.
    structures
        Different structures of treated rows, as they are written.
    notes
        What the user should know or can correct.
    """

    settings: dict[str, Any]
    columns: dict[str, str]
    features: int
    rows: int
    plates: int
    controls: int
    structures: list[str] = field(repr=False)
    notes: tuple[str, ...] = ()


def group_profiles(folder: Path, tables: Sequence[FoundTable]) -> list[ProfileGroup]:
    """Group the tables of profiles in a folder by their features, the group with most files first."""
    groups: list[tuple[set[str], list[FoundTable]]] = []
    for table in tables:
        if table.role != "profiles" or not table.path.is_relative_to(folder):
            continue
        features = set(numeric_columns(table.head, table.others))
        for names, members in groups:
            if len(names & features) >= _SHARED:
                members.append(table)
                names &= features
                break
        else:
            groups.append((features, [table]))
    found = [ProfileGroup(tuple(members), _pattern(folder, members)) for _, members in groups]
    return sorted(found, key=lambda group: -len(group.tables))


def _pattern(folder: Path, tables: Sequence[FoundTable]) -> str:
    """Glob pattern that fits these files of the folder and no others, if there is a simple one."""
    names = [table.path.relative_to(folder).as_posix() for table in tables]
    if len(names) == 1:
        return names[0]
    parents = {name.rpartition("/")[0] for name in names}
    last = [name.rpartition("/")[2] for name in names]
    prefix = _common_prefix(last)
    suffix = _common_prefix([name[::-1] for name in last])[::-1]
    base = f"{parents.pop()}/" if len(parents) == 1 else "**/"
    base = base.removeprefix("/")
    suffix = suffix[suffix.index(".") :] if "." in suffix else ""
    for pattern in (f"{base}*{suffix}", f"{base}{prefix}*{suffix}"):
        if {path.relative_to(folder).as_posix() for path in folder.glob(pattern) if path.is_file()} == set(names):
            return pattern
    return f"{base}{prefix}*{suffix}"


def _common_prefix(names: Sequence[str]) -> str:
    shortest, longest = min(names), max(names)
    same = next((i for i, letter in enumerate(shortest) if letter != longest[i]), len(shortest))
    return shortest[:same]


def look_at_profiles(
    group: ProfileGroup, named: Mapping[str, str], unit: str | None, compounds: Sequence[FoundTable] = ()
) -> FoundProfiles:
    """Find out how tables of profiles are read.

    Parameters
    ----------
    group
        The tables.
    named
        Columns that the user names: what is described -> name, '' for none.
    unit
        Unit of concentrations, if the user gives it.
    compounds
        Tables that may have the structures.

    Raises
    ------
    ValueError
        If there is no feature, no compound with a structure, or a named column is missing.
    """
    head = group.tables[0].head
    columns, notes = _columns(head, named, unit)
    if unit:
        columns["concentration_unit"] = unit
    features, expressions = _features(group, columns)
    if expressions:
        columns["features"] = expressions
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in columns.items()}
    settings = WellColumns(**given)
    found = find_columns(head.columns, settings, group.tables[0].path)
    tables = {
        table.path.name: describe_wells(table.path, _read(table, list(found.values())), settings)
        for table in group.tables
    }
    file, structures = _structures(tables, settings, compounds)
    wells = pd.concat(tables.values())
    used = wells[wells["reason"].isna()]
    profile_tables: dict[str, Any] = {"source": {"files": group.pattern}}
    if file:
        profile_tables["source"]["compounds"] = str(file)
    if columns:
        profile_tables["columns"] = columns
    if _is_normalised(head, features):
        profile_tables["normalise"] = {"method": None}
        notes.append("the features are centred and scaled already, so they are not normalised again")
    elif not used["control"].any():
        notes.append("no row is marked as a control, so each plate is normalised against all its rows")
    if bad := len(wells) - len(used):
        notes.append(f"{bad} rows cannot be used, the first one: {wells['reason'].dropna().iloc[0]}")
    return FoundProfiles(
        profile_tables,
        found,
        len(features),
        len(wells),
        wells["plate"].nunique(),
        int(used["control"].sum()),
        structures,
        tuple(notes),
    )


def _columns(head: pd.DataFrame, named: Mapping[str, str], unit: str | None) -> tuple[dict[str, Any], list[str]]:
    """Settings of `WellColumns`, only where usual names do not say it, and notes."""
    columns: dict[str, Any] = dict(named)
    notes = []
    usual = find_columns(head.columns, WellColumns(), Path("table"))
    for kind in ("compound", "name", "moa"):
        if kind not in columns and kind not in usual and (column := usual_column(head.columns, kind)):
            columns[kind] = column
    well = columns.get("well", usual.get("well"))
    if well and parse_wells(head[well]).isna().all():
        columns["well"] = ""
        notes.append(f"the column {well} has no positions such as D08, so wells get names")
    if not columns.get("plate", usual.get("plate")):
        notes.append("there is no column of plates, so each file counts as a plate (--column plate=NAME names one)")
    concentration = columns.get("concentration", usual.get("concentration"))
    if concentration and unit is None and unit_of(concentration) is None:
        columns["concentration"] = ""
        notes.append(f"the unit of {concentration} is not known, so concentrations are not read (--unit gives it)")
    return columns, notes


def _features(group: ProfileGroup, columns: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Names of the features, and expressions for them if they are not named as by CellProfiler."""
    described = {value for kind, value in columns.items() if kind in WELL_KINDS}
    names = {table.path.name: list(table.head.columns) for table in group.tables}
    given = columns.get("features")
    try:
        chosen = choose_features(names, _Named(tuple(given) if given else None))
        return chosen.loc[chosen["reason"] == "", "column"].tolist(), []
    except ValueError:
        pass
    head = group.tables[0].head
    others = [name for name in group.tables[0].others if name not in described]
    numbers = numeric_columns(head, others)
    prefixes = Counter(name.partition("_")[0] for name in numbers if "_" in name)
    prefix, count = prefixes.most_common(1)[0] if prefixes else ("", 0)
    if count < max(_FEW, 0.5 * len(numbers)):
        raise ValueError(
            f"{group.tables[0].path}: it is not clear which columns are features. Name them by `profile_tables.columns."
            "features` (docs/how-to/no_images.md)"
        )
    expression = f"^{prefix}_"
    chosen = choose_features(names, _Named((expression,)))
    return chosen.loc[chosen["reason"] == "", "column"].tolist(), [expression]


@dataclass(frozen=True)
class _Named:
    features: tuple[str, ...] | None
    never_features: tuple[str, ...] = WellColumns.never_features
    blocklist: bool = True
    group: ClassVar[str] = WellColumns.group

    @property
    def described(self) -> dict[str, str]:
        return {}


def _read(table: FoundTable, columns: list[str]) -> pd.DataFrame:
    """Read some columns of a whole table."""
    if table.path.suffix == ".parquet":
        return pd.read_parquet(table.path, columns=columns)
    return read_columns(table.path, table.head.attrs.get("separator", ","), columns)


def _structures(
    tables: Mapping[str, pd.DataFrame], settings: WellColumns, compounds: Sequence[FoundTable]
) -> tuple[Path | None, list[str]]:
    """Table with the structures, None if the profiles have them; and the structures."""
    best: tuple[int, Path | None, list[str]] = (0, None, [])
    error: ValueError | None = None
    for path in (None, *(table.path for table in compounds if table.role == "compounds")):
        try:
            found = compounds_of(tables, path, settings, str)
        except ValueError as problem:
            error = error or problem
            continue
        structures = sorted(found["smiles"].dropna().unique())
        if len(structures) > best[0]:
            best = len(structures), path, structures
        if path is None:
            break
    if not best[0]:
        raise ValueError(f"{error}") if error else ValueError("no compound has a structure")
    return best[1], best[2]


def _is_normalised(head: pd.DataFrame, features: Sequence[str]) -> bool:
    """Whether features are centred at 0 with a deviation near 1, in the first rows."""
    values = head[list(features)].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    if len(values) < 20:
        return False
    centre = np.nanmedian(values, axis=0)
    deviation = np.nanmedian(np.abs(values - centre), axis=0) * 1.4826
    return bool(np.nanmedian(np.abs(centre)) < 0.5 and 0.3 < np.nanmedian(deviation) < 3)
