"""Connection to LanceDB, and its conditions and messages."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def connect(uri: str | Path) -> Any:
    """Connect to the LanceDB tables in a folder or at a URI.

    Raises
    ------
    ImportError
        If LanceDB is not installed.
    """
    try:
        import lancedb
    except ImportError as error:
        raise ImportError(
            "an index needs LanceDB, which is not installed: pip install 'cloome-kedro[index]'"
        ) from error
    return lancedb.connect(str(uri))


def condition(column: str, values: Sequence[str]) -> str:
    """SQL condition that a column has one of some values.

    >>> condition("plate", ["P1", "O'Neill"])
    "plate IN ('P1', 'O''Neill')"
    """
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"{column} IN ({quoted})"


def short(error: BaseException) -> str:
    """Message of LanceDB as one line, without places in its source."""
    text = " ".join(str(error).split())
    text = re.split(r" Valid fields are|, /| at /", text)[0]
    return (text if len(text) <= 200 else f"{text[:197]}...").rstrip(".") + "."
