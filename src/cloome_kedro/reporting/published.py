"""Published numbers that stand beside ours in the supplementary tables."""

import re
from functools import cache
from importlib import resources

import pandas as pd

from cloome_kedro.reporting.cells import ABSENT

_LABEL = re.compile(
    r"(?:(?P<corruption>[^:(]+): )?(?P<method>[^(]+?)"
    r"(?: \((?P<direction>structure|image) retr\.\)| \(as printed: .*\))?"
)


@cache
def published_figures() -> pd.DataFrame:
    """Load all published numbers.

    Returns
    -------
    pandas.DataFrame
        One row per number, with its ``source``. All cells are text, as printed.
    """
    with resources.files("cloome_kedro.reporting").joinpath("published.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def printed_rows(source: str) -> dict[tuple[str, str, str], dict]:
    """Find the published numbers of a source, by split, label of the row, and metric."""
    published = published_figures()
    rows = published[published["source"] == source].to_dict("records") if source else []
    return {(row["split"], row["method"], row["metric"]): row for row in rows}


def printed_labels(source: str, split: str) -> list[str]:
    """List the labels of the rows of a source and split, in the printed order."""
    published = published_figures()
    rows = published[(published["source"] == source) & (published["split"] == split)]
    return list(rows["method"].unique())


def label_parts(label: str) -> re.Match[str]:
    """Split the label of a published row into its parts.

    Returns
    -------
    re.Match
        Groups ``corruption``, ``method`` and ``direction``.

    Raises
    ------
    ValueError
        If the label has another form.

    Examples
    --------
    >>> label_parts("Random flip: CLOOME (image retr.)").groupdict()
    {'corruption': 'Random flip', 'method': 'CLOOME', 'direction': 'image'}
    """
    parts = _LABEL.fullmatch(label)
    if parts is None:
        raise ValueError(
            f"published.csv: the method {label!r} must have the form `method`, `method (structure retr.)` or"
            " `corruption: method (structure retr.)`"
        )
    return parts


def printed_value(row: dict) -> str:
    """Format a published number as printed, with its interval if it has one."""
    return f"{row['value']} ({row['ci_low']}–{row['ci_high']})" if row["ci_low"] and row["ci_high"] else row["value"]


def percent_as_published(row: dict | None) -> str:
    """Format a row of ``metrics`` in the style of the publication, in per cent with its interval.

    Examples
    --------
    >>> percent_as_published({"value": 0.113, "low": 0.0994, "high": 0.127})
    '11.3 (9.94–12.7)'
    """
    if row is None:
        return ABSENT
    value = significant_digits(100 * row["value"])
    if pd.isna(row["low"]):
        return value
    low, high = (significant_digits(100 * row[end]) for end in ("low", "high"))
    return f"{value} ({low}–{high})"


def significant_digits(value: float, count: int = 3) -> str:
    """Format a number with ``count`` significant digits. A value below 0.001 has three decimals.

    Examples
    --------
    >>> significant_digits(11.34), significant_digits(2), significant_digits(0), significant_digits(0.00001)
    ('11.3', '2.00', '0', '0.000')
    """
    if value == 0:
        return "0"
    return f"{value:#.{count}g}".rstrip(".") if abs(value) >= 1e-3 else f"{value:.3f}"


def misprint_notes(source: str) -> list[str]:
    """Write the notes on the published numbers of a source. Numbers with the same note share one line."""
    numbers_by_note: dict[str, list[str]] = {}
    for row in printed_rows(source).values():
        number = f"{row['method']} {row['metric']}, {row['split'].lower()} split"
        numbers_by_note.setdefault(row["note"], []).append(number)
    return [f"Published {_listed(numbers)}: {note}." for note, numbers in numbers_by_note.items() if note]


def _listed(numbers: list[str], max_numbers: int = 3) -> str:
    return "; ".join(numbers) if len(numbers) <= max_numbers else f"{numbers[0]} and {len(numbers) - 1} other numbers"
