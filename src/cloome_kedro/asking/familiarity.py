"""Which queries are unlike anything that the model was trained on."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cloome_kedro.index.lance import condition

if TYPE_CHECKING:
    from cloome_kedro.index import Index

_TRAINING = "fold LIKE '%train%'"


def unfamiliar_queries(index: "Index", vectors: np.ndarray, queries: pd.DataFrame, are_structures: bool) -> list[str]:
    """Sentences on queries that are less similar to their nearest training example than nearly all unseen queries.

    The limits are those of the table ``familiarity`` of the study. Fields of the plate of a query do not count, if they
    did not count there. Without this table, the limit is the similarity that 99 % of the rows of the index have to
    their nearest other row.

    Parameters
    ----------
    index
        The index.
    vectors
        (Q, d) embeddings of the queries.
    queries
        Columns ``text`` and, for structures, ``smiles``. For fields of the screen, ``text`` is their key.
    are_structures
        Whether queries are structures or images.
    """
    side = "compound" if are_structures else "image"
    found: list[str] = []
    for vector, row in zip(vectors, queries.to_dict("records"), strict=True):
        text, problems = row["text"], []
        limit, apart = _limit(index, side, "cosine")
        if limit is not None:
            nearest = _nearest_cosine(index, vector, are_structures, text if apart else None)
            if nearest is not None and nearest < limit:
                problems.append(f"in the embedding space {nearest:.2f} (99 % of unseen queries: at least {limit:.2f})")
        if are_structures and isinstance(row["smiles"], str):
            limit, _ = _limit(index, side, "Tanimoto")
            nearest = None if limit is None else _nearest_tanimoto(index, row["smiles"])
            if limit is not None and nearest is not None and nearest < limit:
                problems.append(f"by Tanimoto coefficient {nearest:.2f} (99 % of unseen queries: at least {limit:.2f})")
        if problems:
            nearest_one = "training compound" if are_structures else "training field"
            described = " and ".join(problems)
            found.append(f"{text} is unlike anything seen: its similarity to the nearest {nearest_one} is {described}")
    return found


def _limit(index: "Index", side: str, measure: str) -> tuple[float | None, bool]:
    """Lowest familiar similarity, and whether fields of the plate of the query do not count."""
    from cloome_kedro.evaluation.familiarity import UNFAMILIAR

    table = index.side_table("familiarity")
    if len(table):
        row = table[(table["side"] == side) & (table["measure"] == measure)]
        if len(row) and pd.notna(row[UNFAMILIAR].iloc[0]):
            return float(row[UNFAMILIAR].iloc[0]), bool(row["apart"].iloc[0])
    if measure != "cosine":
        return None, False
    limit = index.info["familiar"]["compounds" if side == "compound" else "fields"]
    return (None if limit is None else limit - 1e-5), False  # float32


def _nearest_cosine(index: "Index", vector: np.ndarray, are_structures: bool, key: str | None) -> float | None:
    where = _TRAINING if len(index.side_table("familiarity")) else None
    if key is not None and not are_structures and len(parts := key.split("/")) > 2:
        where = f"{where} AND NOT {condition('plate', parts[1:2])}"
    hits = index.search(vector, "compounds" if are_structures else "fields", 1, where, "cosine")
    return float(hits["score"].iloc[0]) if len(hits) else None


def _nearest_tanimoto(index: "Index", smiles: str) -> float | None:
    from cloome_kedro.chemistry.fingerprints import morgan
    from cloome_kedro.evaluation.familiarity import nearest_tanimoto

    table = index.side_table("fingerprints")
    if not len(table):
        return None
    settings = index.info["fingerprints"]
    packed = np.frombuffer(b"".join(table["bits"]), np.uint8).reshape(len(table), -1)
    return float(nearest_tanimoto(morgan([smiles], **settings), np.unpackbits(packed, axis=1))[0])
