"""Findings: what a check of a screen has found."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

Verdict = Literal["ok", "warning", "error"]

#: number of examples in a text
EXAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes
    ----------
    check
        What was checked, such as ``fields``.
    verdict
        ``error``: ingestion or training would stop, or the results would be wrong. ``warning``: look at it.
    text
        What was found, and what to do.
    """

    check: str
    verdict: Verdict
    text: str


def findings_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """One row per finding: check, verdict, text."""
    rows = [dataclasses.asdict(finding) for finding in findings]
    return pd.DataFrame(rows, columns=["check", "verdict", "text"]).astype(str)
