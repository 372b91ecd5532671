"""Columns of tables of profiles: which describe a well, which are features, and which are neither."""

import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol

import pandas as pd

from cloome_kedro.missing import known


class NamedColumns(Protocol):
    """How the columns of tables are named, see `cloome_kedro.imaging.profile_table.ProfileColumns`."""

    @property
    def described(self) -> Mapping[str, str]:
        """Columns that describe a well: name in the tables -> name of the parameter."""

    @property
    def features(self) -> tuple[str, ...] | None: ...

    @property
    def never_features(self) -> tuple[str, ...]: ...

    @property
    def blocklist(self) -> bool: ...

    group: ClassVar[str]


class Words(Protocol):
    """Which words mean a control, and which a missing value."""

    @property
    def control_values(self) -> tuple[str | bool | int | float, ...]: ...

    @property
    def missing(self) -> tuple[str, ...]: ...


def choose_features(names: Mapping[str, Iterable[str]], columns: NamedColumns) -> pd.DataFrame:
    """Say of every column whether it is a feature by its name, and why not.

    Parameters
    ----------
    names
        Name of each file -> names of its columns.
    columns
        How columns are named.

    Returns
    -------
    pandas.DataFrame
        One row per column, in the order of the files: ``column``, and ``reason``, which is empty for a feature.

    Raises
    ------
    ValueError
        If a file lacks a column that describes wells, or no name is that of a feature.
    """
    for file, present in names.items():
        if missing := [column for column in columns.described if column not in set(present)]:
            raise ValueError(f"{file} has no column {', '.join(missing)}; name it in params:{columns.group}")
    unique = list(dict.fromkeys(name for present in names.values() for name in present))
    others = [name for name in unique if name not in columns.described and not name.startswith("Metadata_")]
    fitting = _fitting(others, columns.features)
    if not fitting:
        raise ValueError(_no_feature(", ".join(names), others, columns))
    blocked = _blocked(fitting) if columns.blocklist else set()
    table = pd.DataFrame({"column": unique})
    table["reason"] = [_reason(name, names, columns, fitting, blocked) for name in unique]
    return table


def _reason(
    name: str, names: Mapping[str, Iterable[str]], columns: NamedColumns, fitting: set[str], blocked: set[str]
) -> str:
    """Why a column is not a feature; empty if it is one."""
    if name in columns.described:
        return "describes the well"
    if name.startswith("Metadata_"):
        return "its name begins with Metadata_"
    if name not in fitting:
        return "its name is not that of a feature"
    if any(re.search(expression, name, re.IGNORECASE) for expression in columns.never_features):
        return "a number or a position, by never_features"
    if name in blocked:
        return "on the block list of pycytominer"
    if lacking := [file for file, present in names.items() if name not in set(present)]:
        return f"not in {lacking[0]}" if len(lacking) == 1 else f"not in {len(lacking)} of {len(names)} tables"
    return ""


def _fitting(names: list[str], expressions: tuple[str, ...] | None) -> set[str]:
    """Names that are those of features, before exceptions."""
    if expressions is not None:
        return {name for name in names if any(re.search(expression, name) for expression in expressions)}
    try:
        return set(_pycytominer().infer_cp_features(pd.DataFrame(columns=names)))
    except ValueError:  # no name begins with a compartment
        return set()


def _blocked(names: set[str]) -> set[str]:
    return names & set(_pycytominer().Blocklist("default").to_list())


def _pycytominer() -> Any:
    with warnings.catch_warnings():
        # pycytominer 1.7 sets an option that is the default in pandas 3, which warns
        warnings.filterwarnings("ignore", message=".*copy_on_write")
        from pycytominer import cyto_utils
    return cyto_utils


def _no_feature(files: str, others: list[str], columns: NamedColumns) -> str:
    expected = (
        "begins with Cells, Cytoplasm or Nuclei, as CellProfiler names features"
        if columns.features is None
        else f"matches params:{columns.group}.features ({', '.join(columns.features)})"
    )
    return (
        f"{files}: no column {expected}. Write expressions for the names of features into "
        f"params:{columns.group}.features, such as [^Median_]. The other columns are {shortened(others)}"
    )


def shortened(names: Iterable[str], number: int = 8) -> str:
    """List names, but not more than a few.

    >>> shortened(["a", "b", "c"], number=2)
    'a, b and 1 more'
    """
    listed = list(names)
    rest = len(listed) - number
    return ", ".join(listed[:number]) + (f" and {rest} more" if rest > 0 else "") if listed else "none"


def are_controls(values: pd.Series, columns: Words) -> pd.Series:
    """Whether the entries of the control column mean a control: column of bool.

    >>> from cloome_kedro.imaging.profile_table import ProfileColumns
    >>> are_controls(pd.Series(["negcon", "dmso ", "trt", "", True, 0.0]), ProfileColumns()).tolist()
    [True, True, False, False, True, False]
    """
    words = {_plain(str(word)) for word in columns.control_values}
    entries = known(values, columns.missing)
    return entries.map(lambda entry: entry is not None and _plain(entry) in words).astype(bool)


def _plain(text: str) -> str:
    """Text without case; a whole number without decimals."""
    return re.sub(r"^(\d+)\.0+$", r"\1", text.strip().casefold())
