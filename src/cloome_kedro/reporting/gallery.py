"""Retrieval galleries: query compounds with their best fields, and query fields with their best compounds."""

import io
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import matplotlib.image
import numpy as np
import pandas as pd
from matplotlib.figure import Figure, SubFigure
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

from cloome_kedro.reporting.montage import composite, shrink
from cloome_kedro.reporting.style import Look, one_line, plain_text, single_draw
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND

#: colours of frames, vermillion and blue, which colour-blind readers can distinguish
MATCH, MECHANISM = "#d55e00", "#0072b2"

_HEADING_WIDTH = 6.2  # inches that the longest heading needs

#: a picture, the text below it, and the colour of its frame
_Cell = tuple[np.ndarray, str, str | None]


class Embeddings(Protocol):
    """Vectors with keys."""

    def of(self, keys: np.ndarray) -> np.ndarray:
        """Get the vectors (N, d) of N keys, or raise a KeyError."""


def draw_structure(smiles: str, size: tuple[int, int] = (320, 320)) -> np.ndarray:
    """Draw a structure.

    Parameters
    ----------
    smiles
        SMILES of the structure.
    size
        Width and height in pixels.

    Returns
    -------
    numpy.ndarray
        float32 (height, width, 3 or 4), from 0 to 1.

    Raises
    ------
    ValueError
        If RDKit cannot read ``smiles``.
    """
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise ValueError(f"RDKit cannot read the SMILES {smiles!r}")
    canvas = rdMolDraw2D.MolDraw2DCairo(*size)
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    return matplotlib.image.imread(io.BytesIO(canvas.GetDrawingText()), format="png")


def nearest(queries: np.ndarray, candidates: np.ndarray, hits: int) -> np.ndarray:
    """Find the candidates with the highest dot products with each query.

    Parameters
    ----------
    queries, candidates
        (Q, d) and (C, d).
    hits
        Number of candidates to find for each query.

    Returns
    -------
    numpy.ndarray
        int (Q, min(hits, C)), positions in ``candidates``, best first.
    """
    return np.argsort(-(queries @ candidates.T), axis=1, kind="stable")[:, :hits]


@plain_text
def retrieval_gallery(
    ranks: pd.DataFrame,
    embeddings: tuple[Embeddings, Embeddings],
    compounds: pd.DataFrame,
    read_fields: Callable[[Iterable[str]], np.ndarray],
    look: Look,
    *,
    queries: int = 6,
    hits: int = 5,
    seed: int = 0,
) -> Figure:
    """Draw random compounds with their most similar fields, and fields of these compounds with the best compounds.

    The candidates are those of the full pool of ``ranks``, one field per compound. The ranks in the figure are
    therefore the ranks behind the tables. The frame of the true match is vermillion. The frame of another hit that
    shares a mechanism of action with the query is blue.

    Parameters
    ----------
    ranks
        Table ``ranks`` of retrieval. The figure shows the single draw of the first model.
    embeddings
        The model's embeddings of fields by field id, and of compounds by InChIKey.
    compounds
        Table of this name.
    read_fields
        Function from field ids to uint8 (N, 5, H, W), see :func:`.montage.field_reader`.
    look
        Title and note, and the first model.
    queries
        Number of compounds that are drawn.
    hits
        Number of hits that are shown for each query.
    seed
        Seed of the choice of compounds.

    Raises
    ------
    ValueError
        If ``ranks`` has no full pool.
    KeyError
        If a field or compound has no embedding.
    """
    ranks = single_draw(ranks[ranks["method"] == look.model])
    full = ranks[ranks["pool"] == "full"]
    to_compound = full[full["direction"] == IMAGE_TO_COMPOUND].set_index("match")
    to_image = full[full["direction"] == COMPOUND_TO_IMAGE].set_index("query")
    keys, field_ids = to_compound.index.to_numpy(), to_compound["query"].to_numpy()
    if not len(keys):
        raise ValueError(
            f"a retrieval gallery needs ranks of {look.model} in the full pool, but the table has none. Run the"
            " pipeline retrieval with this model"
        )
    drawn = np.sort(np.random.default_rng(seed).choice(len(keys), min(queries, len(keys)), replace=False))
    images, structures = embeddings[0].of(field_ids), embeddings[1].of(keys)
    hits = min(hits, len(keys))
    best_fields, best_keys = nearest(structures[drawn], images, hits), nearest(images[drawn], structures, hits)

    shown = np.unique(np.concatenate([drawn, best_fields.ravel()]))
    pictures = dict(zip(shown, composite(shrink(read_fields(field_ids[shown]))), strict=True))
    facts = compounds.set_index("inchikey").loc[keys]

    def structure(i):
        return draw_structure(facts["smiles"].iloc[i])

    def label(i, *lines):
        known = [facts[column].iloc[i] for column in ("name", "moa") if pd.notna(facts[column].iloc[i])] or [keys[i]]
        return "\n".join(one_line(line, 24) for line in [*known, *lines])

    def frame(query, hit):
        return MATCH if hit == query else MECHANISM if _share_mechanism(facts["moa"], query, hit) else None

    forward: list[list[_Cell]] = []
    reverse: list[list[_Cell]] = []
    for query, field_hits, compound_hits in zip(drawn, best_fields, best_keys, strict=True):
        image_rank, compound_rank = to_image.loc[keys[query], "rank"], to_compound.loc[keys[query], "rank"]
        forward.append(
            [(structure(query), label(query), None)]
            + [(pictures[hit], label(hit), frame(query, hit)) for hit in field_hits]
            + [(pictures[query], f"rank {image_rank} of {len(keys)}", MATCH)]
        )
        reverse.append(
            [(pictures[query], one_line(field_ids[query].split("/", 1)[-1], 24), None)]
            + [(structure(hit), label(hit), frame(query, hit)) for hit in compound_hits]
            + [(structure(query), label(query, f"rank {compound_rank} of {len(keys)}"), MATCH)]
        )
    head, height = 0.5, 2.05 * len(drawn) + 0.9
    figure = Figure(figsize=(max(_HEADING_WIDTH, 1.55 * (hits + 2)), 2 * height + head))
    top, first, second = figure.subfigures(3, 1, squeeze=False, height_ratios=[head, height, height])[:, 0]
    top.text(0.01, 0.6, one_line(look.heading, 80), fontsize=10, color="0.35", va="center")
    top.text(0.01, 0.1, "frames: vermillion = the true match, blue = same mechanism of action", fontsize=8, va="center")
    _draw_rows(first, "compound → image: which images does this compound make?", forward, hits)
    _draw_rows(second, "image → compound: which compound made this image?", reverse, hits)
    return figure


def _draw_rows(part: SubFigure, heading: str, rows: list[list[_Cell]], hits: int) -> None:
    """Draw one row per query: the query, its hits, its match."""
    axes = part.subplots(len(rows), hits + 2, squeeze=False, gridspec_kw={"wspace": 0.08, "hspace": 0.42})
    # Margins are in inches, so that the layout does not depend on the number of rows.
    height = part.bbox.height / part.figure.dpi
    part.subplots_adjust(left=0.01, right=0.99, top=1 - 0.62 / height, bottom=0.55 / height)
    part.text(0.01, 1 - 0.18 / height, heading, fontsize=11, weight="bold", va="center")
    titles = ["query", *(f"{rank}." for rank in range(1, hits + 1)), "its match"]
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9, color="0.35")
    for row_axes, row in zip(axes, rows, strict=True):
        for axis, cell in zip(row_axes, row, strict=True):
            _draw_cell(axis, *cell)


def _draw_cell(axis: Any, picture: np.ndarray, text: str, colour: str | None) -> None:
    axis.imshow(picture)
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel(text, fontsize=8, labelpad=3, color=colour or "0.15")
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour or "0.85", linewidth=3 if colour else 0.8)


def _share_mechanism(moa: pd.Series, a: int, b: int) -> bool:
    """Check whether two compounds share a mechanism. Mechanisms of a compound are separated by ``|``."""
    first, second = moa.iloc[a], moa.iloc[b]
    return pd.notna(first) and pd.notna(second) and bool(set(first.split("|")) & set(second.split("|")))
