"""Pictures of the hits of a query: composites of fields, and drawn structures of compounds."""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.image
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cloome_kedro.reporting.gallery import draw_structure
from cloome_kedro.reporting.montage import composite
from cloome_kedro.reporting.report import environment
from cloome_kedro.reporting.style import one_line, plain_text

_COLUMNS = 5
_CELL = 1.9  # inches


@dataclass(frozen=True)
class Hits:
    """Hits of one query, with their pictures.

    Attributes
    ----------
    heading
        What was asked.
    notes
        Sentences about the query and the answer.
    table
        One row per hit: ``rank``, ``score``, ``worth`` and metadata.
    pictures
        One picture (H, W, 3 or 4) per hit.
    query
        Picture of the query, if it is a structure.
    """

    heading: str
    notes: Sequence[str]
    table: pd.DataFrame
    pictures: Sequence[np.ndarray]
    query: np.ndarray | None = None

    def captions(self) -> list[list[str]]:
        """Lines below each picture."""
        captions = []
        for row in self.table.to_dict("records"):
            name = next((row[key] for key in ("compound", "inchikey") if isinstance(row.get(key), str)), "control")
            place = row.get("field_id", row.get("well_id"))
            score = f"{row['rank']}.  {row['score']:.3f}"
            if pd.notna(row["worth"]):
                score += f"  worth {100 * row['worth']:.0f} %"
            lines = [score, name, *([row["moa"]] if isinstance(row.get("moa"), str) else [])]
            captions.append([*lines, place.split("/", 1)[1]] if place else lines)
        return captions


def structure_or_none(smiles: object) -> np.ndarray | None:
    """Drawing of a structure, or None if there is none."""
    return draw_structure(smiles) if isinstance(smiles, str) else None


def pictures(table: pd.DataFrame, images: np.ndarray | None) -> list[np.ndarray]:
    """Pictures of hits.

    Parameters
    ----------
    table
        One row per hit, with ``smiles``.
    images
        Fields of the hits, uint8 (N, 5, H, W), with one contrast for all. None: structures are drawn. A hit without a
        structure gets an empty picture.
    """
    if images is not None and len(images):
        return list(composite(images))
    empty = np.ones((320, 320, 3), np.float32)
    return [empty if (drawn := structure_or_none(smiles)) is None else drawn for smiles in table["smiles"]]


@plain_text
def hits_figure(hits: Hits) -> Figure:
    """Draw the pictures of hits in rows of five, with a heading and notes."""
    cells = [(picture, lines) for picture, lines in zip(hits.pictures, hits.captions(), strict=True)]
    if hits.query is not None:
        cells.insert(0, (hits.query, ["query"]))
    rows = max(1, math.ceil(len(cells) / _COLUMNS))
    notes = [one_line(note, 150) for note in hits.notes]
    head = 0.5 + 0.17 * len(notes)
    height = rows * (_CELL + 0.75) + head
    figure = Figure(figsize=(_COLUMNS * _CELL + 0.4, height))
    figure.text(0.01, 1 - 0.22 / height, one_line(hits.heading, 100), fontsize=11, weight="bold", va="center")
    for number, note in enumerate(notes):
        figure.text(0.01, 1 - (0.48 + 0.17 * number) / height, note, fontsize=7, color="0.3", va="center")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False)
    figure.subplots_adjust(0.01, 0.7 / height, 0.99, 1 - (head + 0.1) / height, wspace=0.08, hspace=0.75 / _CELL)
    for axis in axes.flat[len(cells) :]:
        axis.set_axis_off()
    for axis, (picture, lines) in zip(axes.flat, cells, strict=False):
        axis.imshow(picture)
        axis.set(xticks=[], yticks=[])
        axis.set_xlabel("\n".join(one_line(line, 30) for line in lines), fontsize=7, labelpad=3)
        for spine in axis.spines.values():
            spine.set(color="0.85", linewidth=0.8)
    return figure


def hits_page(hits: Hits) -> str:
    """One HTML file with the pictures and the table of hits. It loads nothing from elsewhere."""
    columns = [name for name in hits.table.columns if name != "query" and hits.table[name].notna().any()]
    return (
        environment()
        .get_template("hits.html.j2")
        .render(
            heading=hits.heading,
            notes=list(hits.notes),
            query=None if hits.query is None else _data_uri(hits.query),
            cells=[
                {"picture": _data_uri(picture), "lines": lines}
                for picture, lines in zip(hits.pictures, hits.captions(), strict=True)
            ],
            columns=columns,
            rows=[[_cell(row[name]) for name in columns] for row in hits.table.to_dict("records")],
        )
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return "" if value is None else str(value)


def _data_uri(picture: np.ndarray) -> str:
    file = io.BytesIO()
    matplotlib.image.imsave(file, picture, format="png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
