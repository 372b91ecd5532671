"""The parts of ``cloome new-screen``: find sources and tables, ask what is not known, and print what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloome_kedro.cli.new_screen_tables import ask_join, find_labels, look_for_tables, show_tables
from cloome_kedro.imaging.channels import CHANNELS, canonical
from cloome_kedro.imaging.discovery import scale as scales
from cloome_kedro.imaging.discovery.joined import evaluate
from cloome_kedro.imaging.discovery.screen import (
    Part,
    count_compounds,
    count_treated_fields,
    describe,
    needs_solvent,
    with_solvent,
    write_screen,
)
from cloome_kedro.imaging.discovery.sources import FoundSource, find_layouts, is_image, list_names, look_at_source
from cloome_kedro.imaging.discovery.tables import FoundTable
from cloome_kedro.imaging.discovery.texts import escape
from cloome_kedro.imaging.layouts.recognition import Recognised
from cloome_kedro.words import counted

if TYPE_CHECKING:
    from cloome_kedro.cli.new_screen import Asker

#: files of a description, notes for the user, and whether its study can run
Described = tuple[dict[str, str], list[str], bool]


def find_sources(folders: Sequence[Path], given: Mapping[str, Any]) -> list[tuple[Path, Recognised]]:
    """Find the sources of images in some folders: folder and layout of each.

    Raises
    ------
    ValueError
        If there are images, but no layout is recognised. The message gives examples of their names.
    """
    sources: list[tuple[Path, Recognised]] = []
    for folder in folders:
        click.echo(f"Looking at {folder} ...")
        names = list_names(folder)
        images = [name for name in names if is_image(name)]
        if layout := given.get("layout") or ("pattern" if given.get("pattern") else None):
            settings = {"pattern": given["pattern"]} if given.get("pattern") else {}
            sources.append((folder, Recognised(layout, len(images), settings, images[0] if images else "")))
            continue
        found = find_layouts(folder, names)
        if not found and images:
            raise ValueError(
                f"{folder} has {counted(len(images), 'image')}, but their names are those of no known layout, such as "
                f"{', '.join(images[:2])}. Name the layout by --layout, or describe the names by --pattern "
                "(docs/how-to/own_screen.md)"
            )
        sources += found
    return sources


def describe_images(
    name: str,
    folders: Sequence[Path],
    found: Sequence[tuple[Path, Recognised]],
    asker: "Asker",
    given: Mapping[str, Any],
) -> Described:
    """Describe a screen with images: look at its sources, and ask what is not known."""
    tables = look_for_tables([*folders, *given["tables"]])
    names = _source_names([folder for folder, _ in found])
    parts = []
    for source_name, (folder, recognised) in zip(names, found, strict=True):
        part = _describe_source(source_name, folder, recognised, tables, asker, given)
        parts.append(part)
        click.echo(f"\n{folder}")
        for text in describe(part):
            click.echo(f"  {text}")
        for reason, number in list(part.join.reasons.items())[:3]:
            click.secho(f"  ! {counted(number, 'well')}: {reason}", fg="yellow")
        for reason in part.source.unreadable[:3]:
            click.secho(f"  ! cannot be read: {reason}", fg="yellow")
        show_tables(part.join)

    notes: list[str] = []
    compounds = None
    question = (
        "There are only 2 compounds, and a study needs 3. Count the solvent DMSO as a compound, so that it can run?"
    )
    if needs_solvent(parts) and (asker.confirm(question) if given.get("solvent") is None else given["solvent"]):
        parts, compounds = with_solvent(name, parts)
        notes.append("the solvent DMSO counts as the third compound, so there are no controls. Accuracies mean nothing")
    storage = scales.choose_storage(
        [part.source.shape for part in parts],
        [part.source.diameter for part in parts if part.source.diameter],
        tuple(given["size"]) if given.get("size") else None,
    )
    if given.get("nucleus_diameter"):
        storage = replace(storage, diameter=given["nucleus_diameter"])
    click.echo(f"\nStored fields: {storage.size[0]} x {storage.size[1]} pixels. {storage.reason}.")
    labels = find_labels(tables, asker, given)
    structures = count_compounds(parts)
    scale = scales.choose_scale(
        len(structures),
        count_treated_fields(parts),
        title=escape(given.get("title") or f"The screen {name}"),
        side=min(storage.size),
        square=len(set(storage.size)) == 1,
        scaffolds=count_scaffolds(structures) if len(structures) >= 100 else None,
    )
    click.echo(f"Study: splits {', '.join(scale.splits)}; models {', '.join(scale.models.values())}")
    # A run looks for changes in the folder of the screen. What all folders have in common can be the whole disk.
    files = write_screen(name, folders[0], parts, storage, scale, labels=labels, compounds=compounds)
    return files, [*notes, *scale.notes], len(structures) >= scales.FEWEST


def _describe_source(
    name: str,
    folder: Path,
    recognised: Recognised,
    tables: Sequence[FoundTable],
    asker: "Asker",
    given: Mapping[str, Any],
) -> Part:
    source = look_at_source(name, folder, recognised, _channels(given.get("channels")))
    if given.get("bit_depth"):
        source = replace(source, bit_depth=int(given["bit_depth"]), bit_reason="as you have given it")
    source = _ask_channels(source, asker, given)
    plate = given.get("plate") or None
    if plate is None and given.get("plate") is None and source.one_plate:
        folders = source.images["plate"].nunique()
        plate = asker.ask(
            f"{folder}: {folders} folders would be plates, but each has one well only. Name of the one plate that they "
            "are from ('-' if each is a plate)",
            folder.name,
            lambda answer: None if answer == "-" else answer,
        )
    wells = source.wells
    if plate:
        wells = wells.assign(plate=plate).drop_duplicates(ignore_index=True)
    join = ask_join(wells, tables, source, asker, given)
    if controls := given.get("controls"):
        join = evaluate(wells, join.settings, [word.strip() for word in controls.split(",")])
    return Part(source, join, plate)


def _channels(text: str | None) -> dict[str, str] | None:
    """Channels as a user writes them: ``1=DNA,2=ER``.

    Raises
    ------
    ValueError
        If the text is not written like this, or names no channel.
    """
    if not text:
        return None
    pairs = [pair.partition("=") for pair in text.split(",")]
    channels = {key.strip(): channel.strip() for key, _, channel in pairs}
    for key, channel in channels.items():
        if canonical(channel) is None:
            raise ValueError(f"{key}={channel}: write one of {', '.join(CHANNELS)} after =, such as 1=DNA,2=ER")
    return {key: str(canonical(channel)) for key, channel in channels.items()}


def _ask_channels(source: FoundSource, asker: "Asker", given: Mapping[str, Any]) -> FoundSource:
    proposal = source.channels
    if given.get("channels") or not proposal.channels:
        return source
    text = ",".join(f"{key}={channel}" for key, channel in proposal.channels.items())
    click.echo(f"Channels in {source.folder}: {text}, {proposal.reason}.")
    if proposal.doubt:
        click.secho(f"  ! {proposal.doubt}", fg="yellow")
    answer = asker.ask("Channels", text, lambda answer: _complete(_channels(answer), proposal.channels))
    if answer == proposal.channels:
        return source
    return replace(source, channels=replace(proposal, channels=answer, reason="as you have given them", doubt=""))


def _complete(channels: dict[str, str] | None, names: Mapping[str, str]) -> dict[str, str]:
    if not channels or set(channels.values()) != set(CHANNELS) or not set(channels) <= set(names):
        raise ValueError(f"give each of {', '.join(CHANNELS)} one of the names {', '.join(names)}")
    return channels


def count_scaffolds(structures: Sequence[str], most: int = 2000) -> int:
    """Number of different scaffolds of structures, at most ``most`` of them, which are spread over the list."""
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    from cloome_kedro.chemistry.scaffolds import murcko_scaffold

    step = max(1, -(-len(structures) // most))
    with BlockLogs():
        read = (
            Chem.MolFromInchi(text) if text.startswith("InChI=") else Chem.MolFromSmiles(text)
            for text in structures[::step]
        )
        return len({murcko_scaffold(mol) for mol in read if mol is not None})


def _source_names(folders: Sequence[Path]) -> list[str]:
    names: list[str] = []
    for folder in folders:
        name = folder.name or "images"
        names.append(name if name not in names else f"{name}_{len(names) + 1}")
    return names


def describe_profiles(
    name: str, folders: Sequence[Path], found: Sequence[Any], asker: "Asker", given: Mapping[str, Any]
) -> Described:
    """Describe a screen of tables of profiles, without images."""
    from cloome_kedro.cli.new_screen_profiles import describe_tables

    return describe_tables(name, folders, asker, given)
