"""Questions to an index, and answers in the form of the JSON interface."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.asking import Answer
from cloome_kedro.imaging.images import to_stored
from cloome_kedro.index.lance import condition
from cloome_kedro.page.library import Shelf, parts
from cloome_kedro.page.models import Answered, Asked, CandidateSet, Hit, Question, Selection, UploadSelection
from cloome_kedro.words import DIRECTIONS, counted

_QUESTIONS = ("smiles", "compound", "field", "well")
_KEYS = {"fields": "field_id", "compounds": "inchikey"}
_NEVER = "inchikey = ''"  # a condition that no row fulfils


def ask(shelf: Shelf, question: Question) -> Answered:
    """Answer a question.

    Raises
    ------
    ValueError
        If the question does not name exactly one thing, or `Asker` refuses it.
    """
    given = [name for name in _QUESTIONS if getattr(question, name) is not None]
    if len(given) != 1:
        raise ValueError(f"ask with exactly one of {', '.join(_QUESTIONS)}; given are: {', '.join(given) or 'none'}")
    (name,) = given
    value = getattr(question, name)
    kind = question.kind or ("fields" if name in ("smiles", "compound") else "compounds")
    where = filters(shelf, question, kind)
    with shelf.lock:
        if name == "smiles":
            answer = shelf.asker.by_smiles([value], kind, question.top, where)
        elif name == "compound":
            answer = shelf.asker.by_compound(value, kind, question.top, where)
        elif name == "field":
            answer = shelf.asker.by_field(value, kind, question.top, where)
        else:
            answer = shelf.asker.by_well(value, kind, question.top, where)
    return answered(shelf, answer, _fields_of(shelf, name, value))


def ask_images(shelf: Shelf, images: np.ndarray, name: str, selection: UploadSelection) -> Answered:
    """Answer a question by an uploaded field, uint8 or uint16 (1, 5, H, W), with a name.

    Raises
    ------
    ValueError
        If `Asker` refuses the images.
    """
    kind = selection.kind or "compounds"
    where = filters(shelf, selection, kind)
    with shelf.lock:
        if images.dtype == np.uint8 and shelf.index.info["accepts"]["images"]:
            storage = shelf.asker.model.storage
            storage.stored_shape(images.shape[-2:])
            images, _ = to_stored(images, storage)  # as files: an array of uint8 would be taken as it is
        answer = shelf.asker.by_images(images, kind, selection.top, where, plate=selection.scaled_by, texts=[name])
    return answered(shelf, answer, [])


def filters(shelf: Shelf, selection: Selection, kind: str) -> str | None:
    """SQL condition of the filters. It contains only names that the index has."""
    conditions = []
    if selection.plate is not None:
        if selection.plate not in shelf.plates:
            raise ValueError(f"the index has no plate {selection.plate!r}")
        if kind == "fields":
            conditions.append(condition("plate", [selection.plate]))
        else:
            on_plate = shelf.wells.loc[shelf.wells["plate"] == selection.plate, "inchikey"].dropna().unique()
            conditions.append(_one_of("inchikey", on_plate))
    if selection.moa is not None:
        if selection.moa not in shelf.mechanisms:
            raise ValueError(f"the index has no mechanism {selection.moa!r}")
        conditions.append(_with_part(shelf.compounds["moa"], "moa", selection.moa))
    if selection.fold == "control":
        conditions.append("control" if kind == "fields" else _NEVER)
    elif selection.fold is not None:
        entries = shelf.compounds["fold"] if kind == "compounds" else shelf.wells["fold"]
        conditions.append(_with_part(entries, "fold", selection.fold))
    return " AND ".join(conditions) or None


def _with_part(entries: pd.Series, column: str, part: str) -> str:
    return _one_of(column, [entry for entry in entries.dropna().unique() if part in parts(entry)])


def _one_of(column: str, values: Iterable[str]) -> str:
    values = sorted(values)
    return condition(column, values) if values else _NEVER


def _fields_of(shelf: Shelf, name: str, value: str) -> list[str]:
    """Fields that show a query on the page."""
    if name == "field":
        return [value]
    if name != "well":
        return []
    _, plate, well = value.rsplit("/", 2)
    rows = shelf.index.rows("fields", f"{condition('plate', [plate])} AND {condition('well', [well])}", ["field_id"])
    return rows["field_id"].tolist()[:4]


def answered(shelf: Shelf, answer: Answer, fields: list[str]) -> Answered:
    """An answer to one query, with sentences on the search."""
    info = shelf.index.info
    search = info["search"][answer.kind]
    text_of_search = f"{counted(answer.candidates, answer.kind.removesuffix('s'))} searched"
    if not search["exact"]:
        text_of_search += (
            f", approximately: the search finds {100 * search['recall@20']:.1f} % of the nearest 20 rows "
            f"({search['queries']} queries)"
        )
    query = answer.queries.iloc[0].to_dict()
    names = ("compound", "inchikey", "smiles", "fold")
    asked = Asked(text=str(query["text"]), trained=answer.trained, fields=fields, **{n: text(query[n]) for n in names})
    sets = [
        CandidateSet(
            level=each.level,
            first=each.first,
            candidates=each.candidates,
            text=str(each),
            **{name: number(getattr(each, name)) for name in ("coverage", "low", "high")},
        )
        for each in answer.sets
    ]
    return Answered(
        kind="fields" if answer.kind == "fields" else "compounds",
        direction=None if answer.direction is None else DIRECTIONS[answer.direction],
        candidates=answer.candidates,
        search=text_of_search,
        asked=asked,
        hits=[_hit(row, answer.kind) for row in answer.hits.to_dict("records")],
        sets=sets,
        warnings=answer.warnings,
        notes=answer.notes,
    )


def _hit(row: dict[Any, Any], kind: str) -> Hit:
    common: dict[str, Any] = {name: text(row[name]) for name in ("compound", "inchikey", "smiles", "moa", "fold")}
    common |= {"rank": row["rank"], "score": row["score"], "worth": number(row["worth"]), "key": row[_KEYS[kind]]}
    if kind == "compounds":
        return Hit(**common, fields=row["fields"])
    place = {name: row[name] for name in ("plate", "well", "site")}
    return Hit(**common, **place, concentration_um=number(row["concentration_um"]), control=bool(row["control"]))


def text(value: Any) -> str | None:
    """A text, or None if it is missing."""
    return value if isinstance(value, str) else None


def number(value: Any) -> float | None:
    """A finite number, or None."""
    return float(value) if value is not None and math.isfinite(value) else None
