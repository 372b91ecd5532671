"""Judge the fields that the sources of a screen list: which are complete, and which wells have no compound."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.index import PATHS, REJECTED, index_screen
from cloome_kedro.imaging.inspection.findings import EXAMPLES, Finding
from cloome_kedro.imaging.sources import Source
from cloome_kedro.words import MISSING, counted, one_line

_NO_COMPOUND = "well without compound"
_TWICE = "is also listed for another field or channel"


@dataclass(frozen=True)
class Index:
    """Fields that the sources of a screen list.

    Attributes
    ----------
    fields, compounds, rejected
        Tables ``field_index``, ``compound_table`` and ``rejected_fields``.
    findings
        One error for each source that cannot be read.
    """

    fields: pd.DataFrame
    compounds: pd.DataFrame
    rejected: pd.DataFrame
    findings: list[Finding]


def index_sources(
    folder: Path,
    screen: str,
    sources: Sequence[Source],
    missing: Sequence[str] = MISSING,
    identify: Callable[[str], str] = str,
) -> Index:
    """Index a screen as the ingestion does. A source that cannot be read becomes a finding.

    Parameters are those of :func:`cloome_kedro.imaging.index.index_screen`.
    """

    def attempt(chosen: Sequence[Source]) -> tuple[tuple | None, str]:
        try:
            return index_screen(folder, screen, chosen, missing, identify), ""
        except (OSError, ValueError) as error:
            return None, one_line(error)

    tables, message = attempt(sources)
    if tables is not None:
        return Index(tables[0], tables[1], tables[2], [])
    problems = [(source, attempt([source])) for source in sources] if len(sources) > 1 else []
    readable = [source for source, (found, _) in problems if found is not None]
    messages = [text for _, (found, text) in problems if found is None] or [message]
    tables = attempt(readable)[0] if readable and len(readable) < len(sources) else None
    findings = [Finding("source", "error", text) for text in messages]
    return nothing(*findings) if tables is None else Index(tables[0], tables[1], tables[2], findings)


def nothing(*findings: Finding) -> Index:
    """Make an index without fields."""
    columns = ["field_id", "plate", "well", "site", "source", "bit_depth", "control", "compound_id", *PATHS]
    return Index(
        pd.DataFrame(columns=columns),
        pd.DataFrame(columns=["compound_id", "smiles", "name", "moa"]),
        pd.DataFrame(columns=REJECTED),
        list(findings),
    )


def plate_table(index: Index) -> pd.DataFrame:
    """Count fields and wells of each plate.

    Returns
    -------
    Columns plate, fields, rejected, wells, controls (wells), without_compound (wells) and missing (fields): how many
    fields the wells of the plate lack, in comparison with the usual number of fields of its wells.
    """
    listed = pd.concat(
        [
            index.fields[["plate", "well", "site"]].assign(control=index.fields["control"].astype(bool), reason=""),
            index.rejected[["plate", "well", "site", "reason"]].assign(control=False),
        ],
        ignore_index=True,
    )
    rows = []
    for plate, fields in listed.groupby("plate", sort=True):
        wells = fields.groupby("well").size()
        usual = int(wells.mode().max())
        rejected = fields["reason"] != ""
        lacking = fields["reason"].str.startswith(_NO_COMPOUND)
        rows.append(
            {
                "plate": str(plate),
                "fields": int((~rejected).sum()),
                "rejected": int(rejected.sum()),
                "wells": len(wells),
                "controls": fields.loc[fields["control"], "well"].nunique(),
                "without_compound": fields.loc[lacking, "well"].nunique(),
                "missing": int((usual - wells).clip(lower=0).sum()),
            }
        )
    columns = ["plate", "fields", "rejected", "wells", "controls", "without_compound", "missing"]
    return pd.DataFrame(rows, columns=columns)


def check_fields(plates: pd.DataFrame, rejected: pd.DataFrame, max_rejected_fraction: float) -> list[Finding]:
    """Judge how complete the fields are, plate by plate, and which wells have no compound.

    Parameters
    ----------
    plates
        Result of :func:`plate_table`.
    rejected
        Table ``rejected_fields``.
    max_rejected_fraction
        The ingestion stops with a larger share of rejected fields.
    """
    total = int(plates["fields"].sum() + plates["rejected"].sum())
    if not total:
        return []
    where = f"{counted(total, 'field')} in {counted(plates['wells'].sum(), 'well')} of {counted(len(plates), 'plate')}"
    findings = []
    if len(rejected):
        share = len(rejected) / total
        reasons = rejected["reason"].map(_kind_of).value_counts()
        text = (
            f"{len(rejected):,} of {where} cannot be used: "
            + "; ".join(f"{reason} ({count:,})" for reason, count in reasons.head(5).items())
            + f". Most are on {_worst(plates, 'rejected')}. An example is {one_line(rejected['field_id'].iloc[0])}: "
            + one_line(rejected["reason"].iloc[0], 200)
        )
        if stops := share > max_rejected_fraction or len(rejected) == total:
            text += (
                f". The ingestion stops above a share of {max_rejected_fraction:g} (ingestion.max_rejected_fraction)"
            )
        findings.append(Finding("fields", "error" if stops else "warning", text))
    else:
        findings.append(Finding("fields", "ok", f"{where} are complete"))
    if lacking := int(plates["missing"].sum()):
        text = f"{counted(lacking, 'field')} fewer than the usual number per well, most on {_worst(plates, 'missing')}"
        findings.append(Finding("fields", "warning", text))
    usual = int(plates["wells"].mode().max())
    if len(small := plates[plates["wells"] < usual]):
        named = ", ".join(f"{row.plate} ({row.wells})" for row in small.head(EXAMPLES).itertuples())
        findings.append(
            Finding("fields", "warning", f"{counted(len(small), 'plate')} with fewer than {usual} wells, e.g. {named}")
        )
    if lacking := int(plates["without_compound"].sum()):
        advice = "If they are controls, add what their cells say to platemap.controls"
        text = f"{counted(lacking, 'well')} without compound, most on {_worst(plates, 'without_compound')}. {advice}"
        findings.append(Finding("wells", "warning", text))
    if len(bare := plates[plates["controls"] == 0]):
        text = f"{counted(len(bare), 'plate')} without control wells, e.g. {', '.join(bare['plate'][:EXAMPLES])}"
        findings.append(Finding("wells", "warning", f"{text}: a plate without controls is normalised by all its wells"))
    elif not lacking:
        findings.append(Finding("wells", "ok", f"each has a compound or is a control ({plates['controls'].sum():,})"))
    twice = rejected[rejected["reason"].str.contains(_TWICE, regex=False)]
    if len(twice):
        text = (
            f"{counted(len(twice), 'field')} use an image that is listed for another field or channel, too. They are "
            f"left out at ingestion, e.g. {one_line(twice['field_id'].iloc[0])}"
        )
        findings.append(Finding("doubled files", "warning", text))
    return findings


def _kind_of(reason: str) -> str:
    """Beginning of a reason, without names of files."""
    if _TWICE in reason:
        return "an image is listed twice"
    if reason.startswith("compound "):
        return "the compound is in no table"
    kind = one_line(re.split(r": |; | in the file", reason)[0], 60)
    return re.sub(r"^(missing )?channel \w+", lambda match: f"{match[1] or ''}channel", kind)


def _worst(plates: pd.DataFrame, column: str) -> str:
    most = plates.sort_values(column, ascending=False, kind="stable").head(EXAMPLES)
    return ", ".join(f"{row['plate']} ({row[column]:,})" for _, row in most[most[column] > 0].iterrows())
