"""Tables of the HTML report: their cells, how much room they need, and their CSV files.

The macro ``table`` of the templates writes a link ``table:<name>`` for each table. :func:`link_tables` replaces it by
the path of a CSV file when the parts of the report are joined.
"""

import re
from html.parser import HTMLParser

import pandas as pd
from markupsafe import Markup, escape

from cloome_kedro.reporting.cells import ABSENT

#: folder of the CSV files, beside the report
FOLDER = "tables"

_NUMBER = re.compile(r"[+-]?\d[\d.,]*((–| of )\d[\d.,]*)?( %)?( ± [\d.,]+( %)?)?( \([^()]*\d[^()]*\))?")
_INTERVAL = re.compile(r"\([^()]*\)")
_UNBROKEN = re.compile(r"[^\s/→|-]{25,}")
#: largest numbers of characters in a row for which a table is narrow or medium
_NARROW, _MEDIUM = 58, 102
_PLACE = re.compile(
    r'<(?:section|details)\b[^>]*\bid="(?P<id>[^"]*)"|href="table:(?P<name>[^"]*)"|(?P<table><table\b.*?</table>)', re.S
)


def slug(text: str) -> str:
    """Turn a text into a part of a file name and of an identifier.

    Examples
    --------
    >>> slug("CLOOME minus other methods, top-1"), slug("漢")
    ('cloome-minus-other-methods-top-1', 'table')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:60].strip("-") or "table"


def numeric(cells: pd.Series) -> bool:
    """Check whether a column has numbers, with or without intervals, and otherwise only missing values."""
    texts = cells.astype(str)
    return bool(
        texts.map(lambda text: text == ABSENT or bool(_NUMBER.fullmatch(text))).all() and (texts != ABSENT).any()
    )


def cell(text: str, number: bool) -> Markup:
    """Format a cell as HTML. The interval of a number can have its own line, and long words can be broken.

    Examples
    --------
    >>> str(cell("12.3 % (9.1–16.0)", number=True))
    '12.3\\xa0% <span class="interval">(9.1–16.0)</span>'
    >>> str(cell("a < b", number=False))
    'a &lt; b'
    """
    text = str(text)
    if not number:
        shown = escape(text)
        return Markup('<span class="long">{}</span>').format(shown) if _UNBROKEN.search(text) else shown
    fixed = escape(text.replace(" %", "\xa0%").replace("± ", "±\xa0"))
    return Markup(_INTERVAL.sub(lambda match: f'<span class="interval">{match[0]}</span>', str(fixed)))


def room(table: pd.DataFrame) -> str:
    """Say how much room a table needs with its intervals on the same line: narrow, medium or wide."""
    size = 0
    for name in table.columns:
        longest_word = max(map(len, str(name).split()), default=0)
        cells = table[name].astype(str)
        longest = cells.str.len() if numeric(cells) else cells.str.len().clip(upper=24)
        size += 2 + max(longest_word, int(longest.max() if len(cells) else 0))
    return "narrow" if size <= _NARROW else "medium" if size <= _MEDIUM else "wide"


def link_tables(html: str) -> tuple[str, dict[str, pd.DataFrame]]:
    """Replace the links ``table:<name>`` of a report, and read the tables that follow them.

    Parameters
    ----------
    html
        The whole report. The id of the nearest section before a table begins the name of its file.

    Returns
    -------
    report, tables
        The report with links ``tables/<name>.csv``, and each table by this name, as text cells as they are shown.
        A name that occurs again gets a number.
    """
    place, waiting = "", ""
    tables: dict[str, pd.DataFrame] = {}

    def replace(match: re.Match) -> str:
        nonlocal place, waiting
        if match["id"] is not None:
            place = match["id"]
        elif match["name"] is not None:
            waiting = _free_name("-".join(filter(None, (place, match["name"]))), tables)
            return f'href="{FOLDER}/{waiting}.csv"'
        elif waiting:
            tables[waiting] = _read(match["table"])
            waiting = ""
        return match[0]

    return _PLACE.sub(replace, html), tables


def _free_name(name: str, taken: dict) -> str:
    number = 1
    while (free := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return free


def _read(html: str) -> pd.DataFrame:
    """Read a table of the report as text cells."""
    reader = _Cells()
    reader.feed(html)
    header, *rows = reader.rows
    return pd.DataFrame(rows, columns=header, dtype=str)


class _Cells(HTMLParser):
    """Text of the cells of a table, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        self._inside &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data.replace("\xa0", " ")
