"""Tables of a screen for ``cloome new-screen``: choose platemaps, tables of compounds and labels, and show them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloome_kedro.cli.options import FiniteFloat
from cloome_kedro.imaging.discovery.joined import Join, evaluate
from cloome_kedro.imaging.discovery.joins import propose_joins
from cloome_kedro.imaging.discovery.screen import Labels
from cloome_kedro.imaging.discovery.sources import FoundSource
from cloome_kedro.imaging.discovery.tables import FoundTable, find_matrix, find_tables, look_at, numbers_of_labels
from cloome_kedro.words import counted, one_line

if TYPE_CHECKING:
    from cloome_kedro.cli.new_screen import Asker

_SHOWN = 10  # files that cannot be read are named up to here, and counted beyond
#: what a table needs to be used as the one that an option names
_NEEDED = {
    "platemap": "it needs a column of wells such as D08 and one of compounds, or one of plates and one of platemaps",
    "compounds": "it needs a column of ids or names of compounds, and one of SMILES or InChIKeys",
}


def look_for_tables(places: Iterable[Path]) -> list[FoundTable]:
    """Look at the tables of some folders and files, and print why files are left out."""
    problems: list[str] = []
    tables = find_tables(places, problems.append)
    for problem in problems[:_SHOWN]:
        _warn(problem)
    if (more := len(problems) - _SHOWN) > 0:
        _warn(f"{counted(more, 'further file')} cannot be read as a table")
    return tables


def _warn(text: str) -> None:
    click.secho(f"! {one_line(text)}", fg="yellow")


def ask_join(
    wells: Any, tables: Sequence[FoundTable], source: FoundSource, asker: "Asker", given: Mapping[str, Any]
) -> Join:
    """Choose the tables that say what is in the wells."""
    chosen = list(tables)
    for key, roles in (("platemap", ("platemap", "plates", "barcodes")), ("compounds", ("compounds", "labels"))):
        if given.get(key):
            named = look_at(Path(given[key]).absolute())
            if named.role not in roles:
                raise ValueError(f"--{key} {given[key]}: {_NEEDED[key]}; its columns are {', '.join(named.names)}")
            maps = ("platemap",) if named.role == "barcodes" else ()
            chosen = [table for table in chosen if table.role not in roles or table.role in maps]
            chosen.append(named)
    joins = _propose(wells, chosen, source)
    while not joins:
        text = f"no table has the compounds of the wells of {source.folder} (plates {_some(wells['plate'])})"
        if asker.yes:
            raise ValueError(f"{text}: name the platemap, or its folder, by --tables")
        click.secho(f"! {text}", fg="yellow")
        chosen += asker.ask("Table, or folder of tables, with the compounds of the wells", "", _existing)
        joins = _propose(wells, chosen, source)
    if len(joins) > 1:
        for number, join in enumerate(joins, 1):
            wells_of = f"{counted(join.treated, 'well')} with a compound, {counted(join.controls, 'control well')}"
            click.echo(f"  {number}: {' + '.join(path.name for path in join.tables)} ({wells_of})")
        if asker.yes:
            click.secho("! several tables have these wells; the first is taken (--platemap chooses)", fg="yellow")
        joins = [
            joins[
                asker.ask("Several tables have these wells. Number of the right one", "1", number_up_to(len(joins))) - 1
            ]
        ]
    join = joins[0]
    while join.settings.get("smiles_column") is None:
        text = f"no table has the structures (a column smiles or InChI) of the compounds in {join.tables[0].name}"
        if asker.yes:
            raise ValueError(f"{text}: name the table of compounds by --tables")
        click.secho(f"! {text}", fg="yellow")
        chosen += asker.ask("Table with the structures of the compounds", "", _existing)
        platemaps = join.settings["platemaps"]
        join = next((new for new in _propose(wells, chosen, source) if new.settings["platemaps"] == platemaps), join)
    if join.question == "unit":
        column = join.settings["concentration_column"]
        unit = given.get("unit") or asker.ask(
            f"Unit of the concentrations in {column} (nM, uM, mM; '-': do not read them)", "-", _unit
        )
        settings = {**join.settings, "concentration_unit": unit}
        if unit is None:
            settings = {key: value for key, value in settings.items() if not key.startswith("concentration")}
        join = evaluate(wells, settings, join.settings["controls"])
    return join


def _propose(wells: Any, tables: Sequence[FoundTable], source: FoundSource) -> list[Join]:
    """Tables that fit the wells best. Folders that are no plates may have the names of compounds, which then decide."""
    joins = propose_joins(wells, tables, source.folder, _warn)
    if len(joins) > 1 and not wells.equals(source.wells):
        by_folder = propose_joins(source.wells, tables, source.folder, lambda problem: None)
        joins = [evaluate(wells, join.settings, join.settings["controls"]) for join in by_folder] or joins
    return joins


def _threshold(text: str) -> float | None:
    if text == "-":
        return None
    try:
        return FiniteFloat().convert(text, None, None)
    except click.BadParameter as error:
        raise ValueError("write a number or -") from error


def _existing(text: str) -> list[FoundTable]:
    path = Path(text).expanduser().absolute()
    if not text or not path.exists():
        raise ValueError(f"there is no {text or 'such file'}")
    return look_for_tables([path])


def _unit(text: str) -> str | None:
    if text not in ("nM", "uM", "mM", "-"):
        raise ValueError("write nM, uM, mM or -")
    return None if text == "-" else text


def number_up_to(largest: int) -> Callable[[str], int]:
    """Check of an answer that is a number from 1."""

    def check(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= largest:
            raise ValueError(f"write a number from 1 to {largest}")
        return int(text)

    return check


def show_tables(join: Join) -> None:
    click.echo(f"  tables: {', '.join(path.name for path in join.tables)}")
    kinds = ("well", "compound", "concentration", "smiles", "name", "moa")
    columns = [f"{kind} {column}" for kind in kinds if (column := join.settings.get(f"{kind}_column"))]
    click.echo(f"  columns: {', '.join(columns)}")
    controls = ", ".join(repr(mark) if mark else "empty cells" for mark in join.settings["controls"])
    click.echo(f"  controls: {controls}")


def find_labels(tables: Sequence[FoundTable], asker: "Asker", given: Mapping[str, Any]) -> Labels | None:
    """Labels of assays among the tables; None if there are none.

    Raises
    ------
    ValueError
        If a threshold is given, but there are no labels, or they are a matrix, which has no numbers to compare.
    """
    threshold = given.get("threshold")
    if path := given.get("labels"):
        labels = [look_at(Path(path).absolute())]
    else:
        labels = [table for table in tables if table.role in ("labels", "label list")]
    matrix = None if labels else find_matrix(tables)
    if threshold is not None and not labels:
        why = f"the labels in {matrix['filepath']} are no measured numbers" if matrix else "no table of labels is found"
        raise ValueError(f"--threshold has no effect, because {why}: leave it out, or name a table by --labels")
    if matrix:
        click.echo(f"Labels of assays: {matrix['filepath']}")
        return Labels(None, matrix)
    if not labels:
        return None
    if len(labels) > 1:
        click.echo("Tables of labels: " + ", ".join(table.path.name for table in labels))
    table = labels[0]
    click.echo(f"Labels of assays: {table.path}")
    if threshold is None and table.role == "label list" and (column := numbers_of_labels(table)):
        text = f"From which value of {column} is a compound active? ('-': leave the labels out)"
        if (threshold := asker.ask(text, "-", _threshold)) is None:
            click.secho(f"! the values of {column} are numbers, so the labels are left out (--threshold)", fg="yellow")
            return None
    settings = {} if threshold is None else {"threshold": threshold}
    return Labels(table.path, None, settings)


def _some(values: Any) -> str:
    names = list(dict.fromkeys(values))
    return ", ".join(map(str, names[:3])) + (", ..." if len(names) > 3 else "")
