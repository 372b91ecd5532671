"""Which tables say what is in the wells of a source, and which of their columns."""

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cloome_kedro.imaging.discovery.joined import Join, evaluate
from cloome_kedro.imaging.discovery.tables import FoundTable
from cloome_kedro.imaging.platemap_tables import unit_of
from cloome_kedro.imaging.tables import read_table
from cloome_kedro.imaging.wells import parse_wells
from cloome_kedro.missing import known

logger = logging.getLogger(__name__)

#: fewer wells of a source in a table do not make it its platemap
_LEAST_SHARE = 0.5


def propose_joins(
    wells: pd.DataFrame,
    tables: Sequence[FoundTable],
    near: Path,
    warn: Callable[[str], object] = logger.warning,
) -> list[Join]:
    """Propose the tables that say what is in the wells, the best first.

    Parameters
    ----------
    wells
        Columns plate and well (D08), one row per well of the images.
    tables
        All tables that may belong to the screen.
    near
        Folder of the images. A table in it has precedence over one elsewhere.
    warn
        If there is no proposal, it gets a message for each table that has these wells, but cannot be used.

    Returns
    -------
    Proposals that are equally good by the wells that they have. If there are several, only the user can choose. Empty:
    no table has these wells.
    """
    problems: dict[str, None] = {}
    entries = functools.cache(_entries)  # the tables of compounds are the same for all candidates

    def joined(candidate: _Candidate) -> Join | None:
        if candidate.share < _LEAST_SHARE:
            return None
        structures = _structures(candidate.table, candidate.written, tables, near, entries)
        try:
            return evaluate(wells, {**candidate.settings, **structures})
        except (ValueError, OSError) as error:
            problems.setdefault(str(error))
            return None

    by_barcode = [(candidate, joined(candidate)) for candidate in _by_barcodes(wells, tables)]
    # a platemap that barcodes give to some plates is not that of all plates
    of_some = {path for candidate, join in by_barcode if join for path in candidate.maps}
    rest = [table for table in tables if table.path not in of_some]
    ranked: list[tuple[tuple, Join]] = []
    for candidate, join in (*by_barcode, *((candidate, joined(candidate)) for candidate in _of_plates(wells, rest))):
        if join is not None:
            used = (join.treated + join.controls) / max(join.wells, 1)
            is_near = candidate.table.path.is_relative_to(near)
            size = -abs(len(candidate.written) - len(wells))
            gives_others = bool(candidate.maps)  # the table also gives platemaps of other plates
            rank = (round(used, 2), bool(join.with_structure), join.fits, gives_others, is_near, size)
            ranked.append((rank, join))
    if not ranked:
        for problem in problems:
            warn(problem)
        return []
    best = max(rank for rank, _ in ranked)
    return [join for rank, join in sorted(ranked, key=lambda pair: pair[0], reverse=True) if rank == best]


@dataclass(frozen=True)
class _Candidate:
    """Tables that may be the platemaps.

    Attributes
    ----------
    table
        The platemap, or the first of those that barcodes name.
    settings
        Settings of `Platemap`.
    written
        Cells of compounds.
    share
        Share of the wells, or of the plates of barcodes, that the tables have.
    maps
        Files of the platemaps that barcodes name.
    """

    table: FoundTable
    settings: dict[str, Any]
    written: pd.Series
    share: float
    maps: tuple[Path, ...] = ()


def _of_plates(wells: pd.DataFrame, tables: Sequence[FoundTable]) -> Iterator[_Candidate]:
    """Tables that may be the platemap of all plates."""
    plates = set(wells["plate"])
    for table in tables:
        if table.role in ("platemap", "plates"):
            columns = _columns(table)
            read = read_table(table.path, [table.columns["well"]])
            keys = pd.DataFrame({"well": parse_wells(read[table.columns["well"]])})
            on = ["well"]
            if "plate" in table.columns:
                keys["plate"] = read[table.columns["plate"]].str.strip()
                if not plates & set(keys["plate"]):  # the column means something else, or other plates
                    if keys["plate"].nunique() > 1:
                        continue
                    columns["plate_column"] = ""
                else:
                    columns["plate_column"] = table.columns["plate"]
                    on = ["plate", "well"]
            share = wells.merge(keys[on].dropna().drop_duplicates(), on=on).shape[0] / max(len(wells), 1)
            written = read[columns["compound_column"]].str.strip()
            yield _Candidate(table, {"platemaps": str(table.path), **columns}, written, share)


def _by_barcodes(wells: pd.DataFrame, tables: Sequence[FoundTable]) -> Iterator[_Candidate]:
    """Platemaps that a table of barcodes names, if all of them are there."""
    plates = set(wells["plate"])
    for barcodes in tables:
        if barcodes.role != "barcodes":
            continue
        plate, platemap = barcodes.columns["plate"], barcodes.columns["platemap"]
        rows = read_table(barcodes.path, [plate, platemap]).apply(lambda column: column.str.strip())
        rows = rows[rows[plate].isin(plates)]
        names = set(rows[platemap])
        maps = {
            name: table for table in tables if table.role == "platemap" for name in names if _is_called(table, name)
        }
        suffix = {table.path.name.removeprefix(name) for name, table in maps.items()}
        folders = {table.path.parent for table in maps.values()}
        if not names or set(maps) != names or len(suffix) > 1 or len(folders) > 1:
            continue
        first = next(iter(maps.values()))
        settings = {
            "platemaps": str(first.path.parent / ("{platemap}" + suffix.pop())),
            "barcodes": str(barcodes.path),
            "barcode_column": plate,
            "platemap_column": platemap,
            **_columns(first),
        }
        written = pd.concat([table.head[_columns(table)["compound_column"]] for table in maps.values()])
        share = rows[plate].nunique() / max(len(plates), 1)
        yield _Candidate(first, settings, written.str.strip(), share, tuple(table.path for table in maps.values()))


def _is_called(table: FoundTable, name: str) -> bool:
    return bool(name) and table.path.name.startswith(name) and table.path.name[len(name) : len(name) + 1] == "."


def _columns(table: FoundTable) -> dict[str, Any]:
    """Settings of the columns of a platemap."""
    columns = table.columns
    compound = columns.get("compound") or columns.get("name") or columns.get("inchikey") or columns["smiles"]
    settings: dict[str, Any] = {"well_column": columns["well"], "compound_column": compound}
    if "concentration" in columns:
        settings["concentration_column"] = columns["concentration"]
        if unit_of(columns["concentration"]) is None:
            settings["concentration_unit"] = _unit_in(columns["concentration"])
    return settings


def _unit_in(name: str) -> str | None:
    """Unit in the name of a column, such as ``Dose (uM)``."""
    plain = name.lower().replace("µ", "u").replace("μ", "u")
    units = [unit for unit in ("nM", "uM", "mM") if plain.rstrip(" )]").endswith(unit.lower())]
    return units[0] if units else None


def _entries(path: Path, column: str) -> set[str]:
    """Different cells of a column of a table."""
    return set(read_table(path, [column])[column].str.strip())


def _structures(
    table: FoundTable,
    written: pd.Series,
    tables: Sequence[FoundTable],
    near: Path,
    entries: Callable[[Path, str], set[str]],
) -> dict[str, Any]:
    """Settings of structures, names and mechanisms, in the platemap itself or in the table with most of its ids."""
    if smiles := table.columns.get("smiles"):
        return _descriptions(table, smiles)
    ids = set(known(written).dropna())
    best, best_rank = None, (0.0, False, 0)
    for other in tables:
        if other.role not in ("compounds", "labels") or other.path == table.path:
            continue
        for kind in ("compound", "name", "inchikey"):
            if kind not in other.columns or not ("smiles" in other.columns or _inchi_column(other)):
                continue
            share = len(ids & entries(other.path, other.columns[kind])) / max(len(ids), 1)
            rank = (round(share, 3), other.path.is_relative_to(near), "moa" in other.columns)
            if rank[0] > 0 and rank > best_rank:
                best_rank, best = rank, (other, other.columns[kind])
    if best is None:
        return {"name_column": table.columns.get("name"), "smiles_column": None}
    other, column = best
    settings = {
        "compounds": str(other.path),
        **_descriptions(other, other.columns.get("smiles") or _inchi_column(other)),
    }
    if column != _columns(table)["compound_column"]:
        settings["id_column"] = column
    return settings


def _inchi_column(table: FoundTable) -> str | None:
    return next((name for name in table.names if name.lower().removeprefix("metadata_") == "inchi"), None)


def _descriptions(table: FoundTable, smiles: str | None) -> dict[str, Any]:
    settings = {"smiles_column": smiles, "name_column": table.columns.get("name")}
    return settings | ({"moa_column": table.columns["moa"]} if "moa" in table.columns else {})
