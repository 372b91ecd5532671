"""The configuration of a screen with images, from what was found."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cloome_kedro.imaging.discovery.joined import SOLVENT_SMILES, Join
from cloome_kedro.imaging.discovery.scale import FEWEST, Scale, Storage
from cloome_kedro.imaging.discovery.sources import FoundSource, source_settings
from cloome_kedro.imaging.discovery.texts import SourceText, escape, write_catalog, write_globals, write_parameters
from cloome_kedro.words import counted

#: file of the compounds that new-screen writes beside the configuration
COMPOUNDS = "compounds.csv"


def path_of_compounds(name: str) -> str:
    """Path of this file in the configuration of the environment ``name``."""
    return f"${{project:conf/{name}/{COMPOUNDS}}}"


@dataclass(frozen=True)
class Labels:
    """Labels of assays: a table, or the files of a matrix; and settings of the group ``labels``."""

    table: Path | None = None
    matrix: Mapping[str, Path] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A source with the tables of its wells, and the name of its plate, if the user gives one."""

    source: FoundSource
    join: Join
    plate: str | None = None


def count_compounds(parts: Sequence[Part]) -> list[str]:
    """Different structures in treated wells of all sources, as they are written."""
    return sorted({smiles for part in parts for smiles in part.join.with_structure})


def count_treated_fields(parts: Sequence[Part]) -> int:
    """Number of fields in treated wells, if all wells of a source have equally many."""
    return sum(round(part.source.fields * part.join.treated / max(part.join.wells, 1)) for part in parts)


def needs_solvent(parts: Sequence[Part]) -> bool:
    """Whether there is one compound too few for a study, and the solvent could be counted as a compound."""
    return len(count_compounds(parts)) == FEWEST - 1 and any(part.join.solvents for part in parts)


def with_solvent(name: str, parts: Sequence[Part]) -> tuple[list[Part], str]:
    """Count the solvent DMSO as a compound: the parts, and the table of compounds that they then read."""
    rows = ["compound_id,smiles,name,moa"]
    changed, listed = [], set()
    for part in parts:
        join = part.join
        structures = dict(join.structures) | dict.fromkeys(join.solvents, SOLVENT_SMILES[0])
        described = join.compounds.set_index("compound_id")
        for key, smiles in structures.items():
            if key not in listed:
                label = "DMSO" if key in join.solvents else described["name"].get(key)
                cells = [key, smiles, label, described["moa"].get(key)]
                rows.append(",".join(_cell(cell) for cell in cells))
            listed.add(key)
        kept = {key: value for key, value in join.settings.items() if key not in ("compounds", "smiles_column")}
        settings = {
            **kept,
            "compounds": path_of_compounds(name),
            "id_column": "compound_id",
            "name_column": "name",
            "moa_column": "moa",
            "controls": [mark for mark in join.settings["controls"] if mark not in join.solvents and mark != "DMSO"],
        }
        solvents = join.solvents
        number = join.controls if solvents else 0
        changed.append(
            replace(
                part,
                join=replace(
                    join,
                    settings=settings,
                    structures=structures,
                    treated=join.treated + number,
                    controls=join.controls - number,
                ),
            )
        )
    return changed, "\n".join(rows) + "\n"


def _cell(value: Any) -> str:
    text = "" if value is None or value != value else str(value)
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\n]', text) else text


def describe(part: Part) -> list[str]:
    """What was found in a source, as sentences."""
    source, join = part.source, part.join
    images = counted(len(source.images), "image")
    height, width = source.shape
    plates = [part.plate] if part.plate else sorted(source.images["plate"].unique())
    shown = ", ".join(map(str, plates[:4])) + (f" and {len(plates) - 4} more" if len(plates) > 4 else "")
    sites = Counter(source.images[["plate", "well", "site"]].drop_duplicates().groupby(["plate", "well"]).size())
    usual = sites.most_common(1)[0][0]
    texts = [
        f"{images} of the layout {source.recognised.layout}, such as {source.recognised.example}",
        f"{counted(len(plates), 'plate')} ({shown}), {counted(join.wells, 'well')}, {counted(source.fields, 'field')} "
        f"(usually {usual} per well) of {height} x {width} pixels",
        f"{counted(join.treated, 'well')} with a compound, {counted(join.controls, 'control well')}, "
        f"{counted(join.unused, 'well')} that cannot be used; {counted(len(join.with_structure), 'structure')}",
    ]
    return [*texts, *source.recognised.notes]


def write_screen(
    name: str,
    root: Path,
    parts: Sequence[Part],
    storage: Storage,
    scale: Scale,
    *,
    labels: Labels | None = None,
    compounds: str | None = None,
) -> dict[str, str]:
    """Write the files of the environment.

    Parameters
    ----------
    name
        Name of the screen and of its environment.
    root
        Folder of the screen. Tables and sources in it are named relative to it.
    parts
        Sources.
    storage, scale
        What follows from sizes and numbers.
    labels
        Labels of assays.
    compounds
        Text of a table of compounds, see `with_solvent`.

    Returns
    -------
    Name of each file and its text.
    """
    sources = [_text(part, root, compounds is not None) for part in parts]
    wells = counted(sum(part.join.wells for part in parts), "well")
    number = counted(len(count_compounds(parts)), "compound")
    fields = sum(part.source.fields for part in parts)
    labels = labels or Labels()
    groups = {"labels": {"table": dict(labels.settings)}} if labels.settings else {}
    files = {
        "globals.yml": write_globals(
            name, scale, images=True, found=f"{counted(fields, 'field')} of {wells} with {number}."
        ),
        "catalog.yml": write_catalog(root, labels.table, labels.matrix),
        "parameters.yml": write_parameters(sources, storage, scale, groups, 2 if fields < 200 else None),
    }
    return files | ({COMPOUNDS: compounds} if compounds else {})


def _text(part: Part, root: Path, solvent: bool) -> SourceText:
    source, join = part.source, part.join
    platemap = dict(join.settings)
    for key in ("platemaps", "barcodes", "compounds"):
        value = platemap.get(key)
        if value and not value.startswith("${project:"):
            platemap[key] = escape(relative(Path(value), root))
    comments = {"bit_depth": source.bit_reason[:1].upper() + source.bit_reason[1:]}
    if source.channels.channels:
        doubt = f" But {source.channels.doubt}." if source.channels.doubt else ""
        comments["channels"] = f"Channels: {source.channels.reason}.{doubt} Please compare them with the images"
    if part.plate:
        comments["plate"] = "The folders have one well each, so their names are not those of plates"
    if solvent:
        comments["platemap.compounds"] = (
            "Two compounds cannot be divided into training, validation and test. So the solvent DMSO counts as a "
            "compound here, and there are no controls. Delete this table, and name the controls, as soon as there are "
            "more compounds"
        )
    if "plate_column" in platemap and platemap["plate_column"] == "":
        comments["platemap.plate_column"] = "The table is the platemap of all plates"
    settings = source_settings(source, part.plate)
    return SourceText(source.name, relative(source.folder, root), describe(part), settings, comments, platemap)


def relative(path: Path, root: Path) -> str:
    """Path relative to the folder of the screen if it is in it, otherwise the absolute path."""
    path = Path(os.path.abspath(path))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
