"""The nearest names, for messages about unknown ones."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloome_kedro.index import layout
from cloome_kedro.index.lance import condition

if TYPE_CHECKING:
    from cloome_kedro.index.store import Index


def near(index: "Index", kind: str, name: str, columns: Sequence[str] = ()) -> str:
    """Text that names the keys of a kind, or the entries of other columns, that are nearest to an unknown name."""
    parts = name.split("/")
    # A screen can have millions of fields. Only those of the plate in the name are compared, if there is such a plate.
    where = condition("plate", parts[1:2]) if kind != layout.COMPOUNDS and len(parts) > 1 else None
    columns = columns or (layout.KEYS[kind],)
    texts = _texts(index, kind, columns, where)
    if where and not texts:
        plates = _texts(index, kind, ("plate",), None)
        nearest = difflib.get_close_matches(parts[1], plates, 3, 0) or plates[:3]
        return f": it has no plate {parts[1]!r}; the nearest are: {', '.join(nearest)}"
    by_lower = {text.casefold(): text for text in texts}
    if found := difflib.get_close_matches(name.casefold(), by_lower, 3, 0.6):
        return f"; the nearest are: {', '.join(by_lower[text] for text in found)}"
    return f"; such as: {', '.join(texts[:3])}" if texts else ""


def _texts(index: "Index", kind: str, columns: Sequence[str], where: str | None) -> list[str]:
    table = index.rows(kind, where, list(dict.fromkeys([layout.KEYS[kind], *columns])))
    return sorted({text for column in columns for text in table[column].dropna()})
