"""Describe a screen of tables of profiles for ``cloome new-screen``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloome_kedro.cli.new_screen_parts import Described, count_scaffolds
from cloome_kedro.cli.new_screen_tables import find_labels, look_for_tables, number_up_to
from cloome_kedro.imaging.discovery import scale as scales
from cloome_kedro.imaging.discovery.profiles import group_profiles, look_at_profiles
from cloome_kedro.imaging.discovery.screen import relative
from cloome_kedro.imaging.discovery.texts import escape, write_catalog, write_globals, write_profile_parameters
from cloome_kedro.imaging.profile_table import WELL_KINDS
from cloome_kedro.words import counted

if TYPE_CHECKING:
    from cloome_kedro.cli.new_screen import Asker


def describe_tables(name: str, folders: Sequence[Path], asker: "Asker", given: Mapping[str, Any]) -> Described:
    """Describe a folder of tables of profiles.

    Raises
    ------
    ValueError
        If there are several folders, or no table of profiles.
    """
    folder = folders[0]
    tables = look_for_tables([*folders, *given["tables"]])
    groups = group_profiles(folder, tables)
    if not groups:
        raise ValueError(
            f"{', '.join(map(str, folders))}: there are neither images of a known layout nor tables of profiles. "
            "docs/how-to/own_screen.md lists the layouts, and docs/how-to/no_images.md says what a table of profiles is"
        )
    if len(folders) > 1:
        raise ValueError("a screen of tables of profiles is one folder; give only one")
    group = groups[0]
    if len(groups) > 1:
        for number, other in enumerate(groups, 1):
            click.echo(f"  {number}: {other.pattern} ({counted(len(other.tables), 'table')})")
        text = "The tables have different features. Number of the right ones"
        group = groups[asker.ask(text, "1", number_up_to(len(groups))) - 1]
    found = look_at_profiles(group, _named(given["column"]), given.get("unit"), tables)
    click.echo(f"\n{folder}: tables of profiles, without images")
    numbers = (
        f"{counted(len(group.tables), 'table')} {group.pattern}: {counted(found.rows, 'row')}, "
        f"{counted(found.plates, 'plate')}, {counted(found.controls, 'control row')}, "
        f"{counted(found.features, 'feature')}, {counted(len(found.structures), 'structure')}"
    )
    click.echo(f"  {numbers}")
    click.echo(f"  columns: {', '.join(f'{kind} {column}' for kind, column in found.columns.items())}")
    settings = dict(found.settings)
    if path := settings["source"].get("compounds"):
        settings["source"] = {**settings["source"], "compounds": relative(Path(path), folder)}
    structures = found.structures
    scale = scales.choose_scale(
        len(structures),
        found.rows,
        title=escape(given.get("title") or f"The screen {name}"),
        scaffolds=count_scaffolds(structures) if len(structures) >= 100 else None,
    )
    click.echo(f"Study: splits {', '.join(scale.splits)}; models {', '.join(scale.models.values())}")
    labels = find_labels(tables, asker, given)
    groups_of_labels = {"labels": {"table": dict(labels.settings)}} if labels and labels.settings else {}
    comment = f"{numbers}. " + " ".join(f"{note[:1].upper() + note[1:]}." for note in found.notes)
    files = {
        "globals.yml": write_globals(name, scale, images=False, found=f"{numbers}."),
        "catalog.yml": write_catalog(folder, labels.table if labels else None, labels.matrix if labels else None),
        "parameters.yml": write_profile_parameters(settings, comment, scale, groups_of_labels),
    }
    return files, [*found.notes, *scale.notes], len(structures) >= scales.FEWEST


def _named(pairs: Sequence[str]) -> dict[str, str]:
    """Columns as a user names them: ``plate=Run``.

    Raises
    ------
    ValueError
        If a pair is not written like this, or the first word is unknown.
    """
    named = {}
    for pair in pairs:
        kind, equals, column = pair.partition("=")
        if kind not in WELL_KINDS or not equals:
            raise ValueError(f"--column {pair}: write one of {', '.join(WELL_KINDS)}, then = and the name of a column")
        named[kind] = column
    return named
