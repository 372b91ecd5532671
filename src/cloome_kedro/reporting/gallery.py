"""Retrieval galleries: a query compound and its best fields, a query field and its best compounds."""

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
from cloome_kedro.reporting.style import Look, single_draw
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND

MATCH, MECHANISM = "#d55e00", "#0072b2"  # vermillion and blue, told apart by colour-blind readers too


class Embeddings(Protocol):
    """Keyed vectors: ``of(keys)`` gives the vectors (N, d) of N keys, or raises a KeyError."""

    def of(self, keys: np.ndarray) -> np.ndarray: ...


def draw_structure(smiles: str, size: tuple[int, int] = (320, 320)) -> np.ndarray:
    """Structure as a picture, float32 (height, width, 3 or 4) from 0 to 1.

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
    """Positions of each query's ``hits`` best candidates by the dot product, best first: int (Q, min(hits, C)).

    Queries and candidates are (Q, d) and (C, d).
    """
    return np.argsort(-(queries @ candidates.T), axis=1, kind="stable")[:, :hits]


def _frame(axis: Any, picture: np.ndarray, text: str, colour: str | None) -> None:
    axis.imshow(picture)
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel(text, fontsize=8, labelpad=3, color=colour or "0.15")
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour or "0.85", linewidth=3 if colour else 0.8)


def _draw_rows(part: SubFigure, heading: str, rows: list[list[tuple]], hits: int) -> None:
    """Rows of (picture, text, frame colour): the query, its hits, its own match."""
    axes = part.subplots(len(rows), hits + 2, squeeze=False, gridspec_kw={"wspace": 0.08, "hspace": 0.42})
    # top and bottom in inches, so that one row looks like ten
    height = part.bbox.height / part.figure.dpi
    part.subplots_adjust(left=0.01, right=0.99, top=1 - 0.62 / height, bottom=0.55 / height)
    part.text(0.01, 1 - 0.18 / height, heading, fontsize=11, weight="bold", va="center")
    titles = ["query", *(f"{rank}." for rank in range(1, hits + 1)), "its match"]
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=9, color="0.35")
    for line, row in zip(axes, rows, strict=True):
        for axis, cell in zip(line, row, strict=True):
            _frame(axis, *cell)


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
    """Query compounds drawn by a seed, each with its most similar fields, and the reverse for the same compounds.

    Candidates are those of the full pool of ``ranks``, one field per compound. So the ranks that are printed are those
    behind the tables. The true match is framed in vermillion, and a hit that shares the query's mechanism of action in
    blue.

    Parameters
    ----------
    ranks
        Table ``ranks`` of retrieval. The model's rows of the single draw of fields are shown.
    embeddings
        The model's embeddings of fields by field id, and of compounds by InChIKey.
    compounds
        Table of that name.
    read_fields
        Function from field ids to uint8 (N, 5, H, W), see :func:`.montage.field_reader`.
    look
        Names and colours.
    queries, hits
        Compounds drawn, and hits shown of each.
    seed
        Of the draw.

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
        raise ValueError("no ranks of the full pool: nothing to draw a gallery of")
    drawn = np.sort(np.random.default_rng(seed).choice(len(keys), min(queries, len(keys)), replace=False))
    images, structures = embeddings[0].of(field_ids), embeddings[1].of(keys)
    hits = min(hits, len(keys))
    best_fields, best_keys = nearest(structures[drawn], images, hits), nearest(images[drawn], structures, hits)

    shown = np.unique(np.concatenate([drawn, best_fields.ravel()]))
    pictures = dict(zip(shown, composite(shrink(read_fields(field_ids[shown]))), strict=True))
    facts = compounds.set_index("inchikey").loc[keys]

    def structure(i):
        return draw_structure(facts["smiles"].iloc[i])

    def text(i, *more):
        named = [facts[column].iloc[i] for column in ("name", "moa") if pd.notna(facts[column].iloc[i])] or [keys[i]]
        return "\n".join(line if len(line) <= 24 else line[:23] + "…" for line in [*named, *more])

    def colour(query, hit):
        return MATCH if hit == query else MECHANISM if _share_mechanism(facts["moa"], query, hit) else None

    forward, reverse = [], []
    for q, found_fields, found_keys in zip(drawn, best_fields, best_keys, strict=True):
        image_rank, compound_rank = to_image.loc[keys[q], "rank"], to_compound.loc[keys[q], "rank"]
        forward.append(
            [(structure(q), text(q), None)]
            + [(pictures[hit], text(hit), colour(q, hit)) for hit in found_fields]
            + [(pictures[q], f"rank {image_rank} of {len(keys)}", MATCH)]
        )
        reverse.append(
            [(pictures[q], field_ids[q].split("/", 1)[-1], None)]
            + [(structure(hit), text(hit), colour(q, hit)) for hit in found_keys]
            + [(structure(q), text(q, f"rank {compound_rank} of {len(keys)}"), MATCH)]
        )
    head, height = 0.5, 2.05 * len(drawn) + 0.9
    figure = Figure(figsize=(1.55 * (hits + 2), 2 * height + head))
    top, first, second = figure.subfigures(3, 1, squeeze=False, height_ratios=[head, height, height])[:, 0]
    top.text(0.01, 0.6, look.heading, fontsize=10, color="0.35", va="center")
    top.text(0.01, 0.1, "frames: vermillion = the true match, blue = same mechanism of action", fontsize=8, va="center")
    _draw_rows(first, "compound → image: which images does this compound make?", forward, hits)
    _draw_rows(second, "image → compound: which compound made this image?", reverse, hits)
    return figure


def _share_mechanism(moa: pd.Series, a: int, b: int) -> bool:
    """Whether two compounds have a mechanism in common; several are separated by ``|``."""
    first, second = moa.iloc[a], moa.iloc[b]
    return pd.notna(first) and pd.notna(second) and bool(set(first.split("|")) & set(second.split("|")))
