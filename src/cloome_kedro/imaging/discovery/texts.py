"""Write the configuration of a screen as YAML with comments."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cloome_kedro.imaging.discovery.scale import Scale, Storage
from cloome_kedro.imaging.sources import Platemap

_WIDTH = 120
_FOLDER = "cloome_kedro.datasets.folder.FolderDataset"
#: settings of a platemap in the order in which they are written
_PLATEMAP = (
    *("platemaps", "barcodes", "compounds", "id_column", "plate_column", "well_column", "compound_column"),
    *("concentration_column", "concentration_unit", "smiles_column", "name_column", "moa_column"),
    *("barcode_column", "platemap_column", "controls"),
)


@dataclass(frozen=True)
class SourceText:
    """What is written about a source.

    Attributes
    ----------
    name, folder
        Name, and folder relative to the screen's folder.
    found
        What was found, as sentences.
    settings
        Settings of the source beside name, folder and platemap.
    comments
        Setting -> comment.
    platemap
        Settings of the platemap.
    """

    name: str
    folder: str
    found: Sequence[str]
    settings: Mapping[str, Any]
    comments: Mapping[str, str]
    platemap: Mapping[str, Any]


def write_globals(name: str, scale: Scale, *, images: bool, found: str) -> str:
    """Text of ``globals.yml``."""
    lines = _comment(f"{found} Written by `cloome new-screen`.")
    lines += [f"screen: {flow(name)}", "simulate: false"]
    if not images:
        lines.append("images: false")
    for note in scale.notes:
        lines += _comment(note[:1].upper() + note[1:])
    lines.append(f"splits: {flow(scale.splits)}")
    lines.append(f"models: {flow(scale.models)}")
    return "\n".join(lines) + "\n"


def write_catalog(folder: Path, labels: Path | None = None, matrix: Mapping[str, Path] | None = None) -> str:
    """Text of ``catalog.yml``.

    Parameters
    ----------
    folder
        Folder of the screen.
    labels
        Table of labels of assays.
    matrix
        In place of a table, a matrix: its files ``filepath``, ``rows`` and ``columns``.
    """
    lines = [
        "raw_screen:",
        f"  type: {_FOLDER}",
        f"  filepath: {flow(escape(folder))}  # if the folder is moved, correct this path",
        '  metadata: {description: "The screen as it was delivered: images, platemaps, table of compounds"}',
    ]
    if labels or matrix:
        description = (
            '  metadata: {description: "Labels of assays, active or inactive, one row per compound and assay"}'
        )
        kind = "label_matrix.LabelMatrix" if matrix else "label_table.LabelTable"
        files: Mapping[str, Path | None] = matrix or {"filepath": labels}
        lines += ["", "assay_labels:", f"  type: cloome_kedro.datasets.{kind}"]
        lines += [f"  {key}: {flow(escape(path))}" for key, path in files.items() if path]
        lines += ["  validator: cloome_kedro.schemas.assay_labels"] if matrix else []
        lines.append(description)
    return "\n".join(lines) + "\n"


def write_parameters(
    sources: Sequence[SourceText], storage: Storage, scale: Scale, groups: Mapping[str, Any], n_jobs: int | None = None
) -> str:
    """Text of ``parameters.yml`` of a screen with images.

    Parameters
    ----------
    sources, storage, scale
        What was found and chosen.
    groups
        Further groups: name -> settings.
    n_jobs
        Processes of ingestion. None: those of conf/base.
    """
    lines = _comment(
        "What was found in the folder, and what follows from it. Settings that are not here are those of conf/base. "
        "All settings of sources: docs/how-to/own_screen.md"
    )
    lines += ["ingestion:", "  sources:"]
    for source in sources:
        lines += _source(source)
    lines.append("  storage:")
    lines += [
        "    intensity: published_training",
        "    scope: field  # each channel of each field is scaled by its own brightest pixels",
    ]
    lines += _comment(storage.reason[:1].upper() + storage.reason[1:] + ".", "    ")
    lines.append(f"    size: {flow(list(storage.size))}")
    if n_jobs is not None:
        lines.append(f"  n_jobs: {n_jobs}  # more processes would take longer to start than to work")
    lines += ["", "profiles:", "  measure:"]
    lines.append(f"    nucleus_diameter: {storage.diameter:g}  # in pixels of the stored fields")
    lines += _groups(scale, groups)
    return "\n".join(lines) + "\n"


def write_profile_parameters(tables: Mapping[str, Any], comment: str, scale: Scale, groups: Mapping[str, Any]) -> str:
    """Text of ``parameters.yml`` of a screen without images. ``tables`` is the group ``profile_tables``."""
    lines = _comment(f"{comment} Settings that are not here are those of conf/base: docs/how-to/no_images.md")
    lines.append(_block({"profile_tables": tables}))
    lines += _groups(scale, groups)
    return "\n".join(lines) + "\n"


def _groups(scale: Scale, more: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, (comment, settings) in scale.groups.items():
        lines += ["", *_comment(comment[:1].upper() + comment[1:] + "." if comment else ""), _block({name: settings})]
    for name, settings in more.items():
        lines += ["", _block({name: settings})]
    return lines


def _source(source: SourceText) -> list[str]:
    lines = [line for text in source.found for line in _comment(text, "    ")]
    lines.append(f"    - name: {flow(source.name)}")
    settings = dict(source.settings)
    ordered = {"layout": settings.pop("layout"), "folder": source.folder, **settings}
    for key, value in ordered.items():
        if key == "folder" and value == ".":
            continue
        if comment := source.comments.get(key):
            lines += _comment(comment, "      ")
        lines.append(f"      {key}: {flow(value)}")
    lines.append("      platemap:")
    defaults = Platemap("")
    for key in _PLATEMAP:
        if key not in source.platemap or source.platemap[key] == getattr(defaults, key):
            continue
        value = source.platemap[key]
        if key == "controls" and tuple(value) == defaults.controls:
            continue
        if comment := source.comments.get(f"platemap.{key}"):
            lines += _comment(comment, "        ")
        lines.append(f"        {key}: {flow(list(value) if isinstance(value, tuple) else value)}")
    return lines


def _comment(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ") if text else []


class _Dumper(yaml.SafeDumper):
    """Writes a value again where it is repeated, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never use an alias."""
        return True


def flow(value: Any) -> str:
    """One value as YAML on one line.

    >>> flow({"1": "Mito", "2": "AGP"}), flow("0123"), flow(None)
    ("{'1': Mito, '2': AGP}", "'0123'", 'null')
    """
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _block(value: Any) -> str:
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=None, width=_WIDTH, sort_keys=False, allow_unicode=True)
    return text.rstrip("\n")


def escape(text: Path | str) -> str:
    """Path or other text in which ``${`` is no reference to a setting."""
    return str(text).replace("${", "\\${")
