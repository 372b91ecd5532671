"""The wells of a plate, in rows and columns."""

import re

from cloome_kedro.index.lance import condition
from cloome_kedro.page.answers import text
from cloome_kedro.page.library import Shelf
from cloome_kedro.page.models import Plate, Well

_WELL = re.compile(r"([A-Za-z]{1,2})[-_ ]?(\d{1,3})$")
_OPERA = re.compile(r"[rR](\d{1,3})[cC](\d{1,3})$")
_SHAPES = ((8, 12), (16, 24), (32, 48))


def plate_map(shelf: Shelf, plate: str) -> Plate:
    """Wells of a plate with what they hold.

    Raises
    ------
    ValueError
        If there is no such plate.
    """
    if plate not in shelf.plates:
        raise ValueError(f"the index has no plate {plate!r}")
    where = condition("plate", [plate])
    fields = shelf.index.rows("fields", where, ["field_id", "site"])
    by_well = fields["field_id"].groupby(fields["field_id"].str.rsplit("/", n=1).str[0]).agg(list).to_dict()
    table = shelf.wells[shelf.wells["plate"] == plate]
    places = [place(name) for name in table["well"]]
    if None in places or len(set(places)) < len(places):  # names that say no place: the wells stand in one order
        places = [(number // 24, number % 24) for number in range(len(table))]
    rows, columns = shape_of([found for found in places if found])
    wells = [
        Well(
            **{name: text(row[name]) for name in ("compound", "inchikey", "moa", "fold")},
            well_id=row["well_id"],
            well=row["well"],
            row=found[0],
            column=found[1],
            concentration_um=None if row["concentration_um"] != row["concentration_um"] else row["concentration_um"],
            control=bool(row["control"]),
            fields=by_well.get(row["well_id"], []),
        )
        for row, found in zip(table.to_dict("records"), places, strict=True)
        if found
    ]
    return Plate(plate=plate, rows=rows, columns=columns, wells=sorted(wells, key=lambda well: (well.row, well.column)))


def place(name: str) -> tuple[int, int] | None:
    """Row and column of a well, from 0; None if its name does not say them.

    >>> place("B03"), place("AF48"), place("r02c11"), place("42")
    ((1, 2), (31, 47), (1, 10), None)
    """
    if found := _OPERA.fullmatch(name.strip()):
        row, column = int(found[1]), int(found[2])
    elif found := _WELL.fullmatch(name.strip()):
        row, column = 0, int(found[2])
        for letter in found[1].upper():
            row = 26 * row + ord(letter) - ord("A") + 1
    else:
        return None
    return (row - 1, column - 1) if 0 < row <= 64 and 0 < column <= 96 else None


def shape_of(places: list[tuple[int, int]]) -> tuple[int, int]:
    """Rows and columns of the smallest usual plate that has these places.

    >>> shape_of([(0, 0), (7, 12)])
    (16, 24)
    """
    rows = max((row for row, _ in places), default=0) + 1
    columns = max((column for _, column in places), default=0) + 1
    return next((shape for shape in _SHAPES if rows <= shape[0] and columns <= shape[1]), (rows, columns))
