"""Answers as text, CSV, JSON and pictures."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cloome_kedro.atomic import replace_file
from cloome_kedro.words import DIRECTIONS, counted

if TYPE_CHECKING:
    from cloome_kedro.asking import Answer
    from cloome_kedro.index import Index

#: columns of the table on the terminal -> their heading and their largest width
_SHOWN = {
    "fields": {"field_id": ("field", 60), "compound": ("compound", 28), "moa": ("mechanism", 28), "fold": ("fold", 20)},
    "wells": {"well_id": ("well", 60), "compound": ("compound", 28), "moa": ("mechanism", 28), "fold": ("fold", 20)},
    "compounds": {
        "compound": ("compound", 28),
        "inchikey": ("InChIKey", 27),
        "moa": ("mechanism", 28),
        "fold": ("fold", 20),
        "fields": ("fields", 8),
        "smiles": ("SMILES", 200),
    },
}


def formatted(answer: "Answer", info: Mapping[str, Any], form: str) -> str:
    """Text of an answer as ``table``, ``csv`` or ``json``."""
    if form == "csv":
        return answer.hits.to_csv(index=False).rstrip("\n")
    if form == "json":
        return json.dumps(as_json(answer, info), indent=1, ensure_ascii=False)
    return "\n".join([*table_lines(answer), "", *lines(answer, info)])


def as_json(answer: "Answer", info: Mapping[str, Any]) -> dict[str, Any]:
    """An answer in JSON values."""
    return {
        "model": {name: info[name] for name in ("screen", "split", "model", "label", "weights", "simulated")},
        "searched": answer.kind,
        "candidates": answer.candidates,
        "direction": None if answer.direction is None else DIRECTIONS[answer.direction],
        "queries": _records(answer.queries),
        "hits": _records(answer.hits),
        "sets": [vars(each) for each in answer.sets],
        "notes": answer.notes,
        "warnings": answer.warnings,
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records", force_ascii=False, double_precision=6))


def table_lines(answer: "Answer", width: int | None = None) -> list[str]:
    """Hits as aligned lines, which are cut at the width of the terminal."""
    from cloome_kedro.words import one_line

    hits = answer.hits
    if not len(hits):
        return ["no row fulfils the condition"]
    columns = {"rank": ("rank", hits["rank"].astype(str).tolist()), "score": ("score", _fixed(hits["score"], 3))}
    if hits["worth"].notna().any():
        columns["worth"] = ("worth", [f"{100 * value:.0f} %" for value in hits["worth"]])
    left = len(columns)
    for name, (heading, longest) in _SHOWN[answer.kind].items():
        texts = ["–" if pd.isna(value) else one_line(value, longest) for value in hits[name]]
        if name == "fold" and "control" in hits:
            texts = ["control" if is_control else text for text, is_control in zip(texts, hits["control"], strict=True)]
        columns[name] = (heading, texts)
    widths = [max(len(heading), *map(len, texts)) for heading, texts in columns.values()]
    rows = [[heading for heading, _ in columns.values()], *zip(*(texts for _, texts in columns.values()), strict=True)]
    width = width or shutil.get_terminal_size((120, 40)).columns
    aligned = (
        "  ".join(
            cell.rjust(size) if number < left else cell.ljust(size)
            for number, (cell, size) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
    return [line if len(line) <= width else line[: width - 1] + "…" for line in aligned]


def _fixed(values: pd.Series, digits: int) -> list[str]:
    return [f"{value:.{digits}f}" for value in values]


def lines(answer: "Answer", info: Mapping[str, Any]) -> list[str]:
    """Sentences on a query, its candidate sets and its warnings."""
    simulated = ", simulated data" if info["simulated"] else ""
    searched = counted(answer.candidates, answer.kind.removesuffix("s"))
    direction = "similarity within one side" if answer.direction is None else DIRECTIONS[answer.direction]
    text = [f"{info['label']} of {info['screen']}, {info['split']} split{simulated}: {direction}, {searched} searched"]
    search = info["search"][answer.kind]
    if not search["exact"]:
        text.append(
            f"the search is approximate: it finds {100 * search['recall@20']:.1f} % of the nearest 20 rows "
            f"({search['queries']} queries)"
        )
    text += answer.notes
    if answer.direction is not None and answer.hits["worth"].notna().any():
        text.append("worth: share of the test queries whose match ranked as high")
    text += map(str, answer.sets)
    return text + [f"warning: {warning}" for warning in answer.warnings]


def other_models(info: Mapping[str, Any], accepts: str | None) -> str:
    """Sentence on the other models of the study that answer such a question; empty if there are none.

    Parameters
    ----------
    info
        ``index.json`` of the index.
    accepts
        ``smiles`` or ``images``: models must embed them. None: all models answer.
    """
    able = {
        name: model
        for name, model in info["models"].items()
        if name != info["model"] and (accepts is None or model[accepts])
    }
    named = ", ".join(f"{model['label']} (--model {name})" for name, model in able.items())
    return f"other models of the study answer, too: {named}" if named else ""


def write_gallery(path: Path, answer: "Answer", index: "Index") -> None:
    """Write pictures of the hits of the first query as PNG or HTML."""
    from cloome_kedro.reporting import hits as gallery
    from cloome_kedro.reporting.images import encode

    rows = answer.hits[answer.hits["query"] == 0].reset_index(drop=True)
    images = None
    if index.info["thumbnail"] and answer.kind != "compounds" and len(rows):
        keys = rows["field_id"] if answer.kind == "fields" else _first_fields(index, rows["well_id"])
        images = index.thumbnails(keys)
    shown = gallery.Hits(
        heading=f"{answer.queries['text'].iloc[0]}: the most similar {answer.kind}",
        notes=lines(answer, index.info),
        table=rows,
        pictures=gallery.pictures(rows, images),
        query=gallery.structure_or_none(answer.queries["smiles"].iloc[0]),
    )
    with replace_file(path) as part:
        if path.suffix == ".html":
            part.write_text(gallery.hits_page(shown), encoding="utf-8")
        else:
            part.write_bytes(encode(gallery.hits_figure(shown), "png"))


def _first_fields(index: "Index", wells: pd.Series) -> list[str]:
    """First field of each well."""
    parts = wells.str.split("/", expand=True)
    from cloome_kedro.index.lance import condition

    where = f"{condition('plate', sorted(set(parts[1])))} AND {condition('well', sorted(set(parts[2])))}"
    fields = index.rows("fields", where, ["field_id"])["field_id"]
    first = fields.groupby(fields.str.rsplit("/", n=1).str[0]).min()
    return first.loc[wells].tolist()
