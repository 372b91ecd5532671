"""The data report: which plates and fields it shows, its tables, and the page."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.plate_quality import FEWEST_PLATES, choose_plates, plate_deviations
from cloome_kedro.reporting import about
from cloome_kedro.reporting.cells import ABSENT
from cloome_kedro.reporting.corrections import precision_of_corrections_table
from cloome_kedro.reporting.illumination import evenness_summary, evenness_text
from cloome_kedro.reporting.plate_figures import STATISTICS, shown_statistics
from cloome_kedro.reporting.report import embed, link_documentation, render
from cloome_kedro.reporting.style import Look, one_line
from cloome_kedro.reporting.tables import data_summary, rejected_summary
from cloome_kedro.words import counted

_UNUSUAL = 3  # robust standard deviations from which a plate is called unusual
_VALUES = re.compile(r"'[^']*'|\d+")


def plates_to_show(wells: pd.DataFrame, number: int, named: Sequence[str] = ()) -> dict[str, str]:
    """Choose plates, and say what is unusual about each.

    Parameters
    ----------
    wells
        Table ``well_quality``.
    number, named
        Number of plates, and plates that are shown in any case.

    Returns
    -------
    dict
        Plate -> text such as ``unusual: cell count -4.1``, or empty.
    """
    deviations = plate_deviations(wells, shown_statistics(wells))
    if deviations.empty:
        deviations = pd.DataFrame({"none": 0.0}, index=sorted(wells["plate"].unique()))
    shown = {}
    for plate in choose_plates(deviations, number, named):
        row = deviations.loc[plate].dropna()
        name, value = max(row.items(), key=lambda item: abs(item[1]), default=("", 0.0))
        shown[plate] = f"unusual: {STATISTICS[str(name)]} {_short(value)}" if abs(value) >= _UNUSUAL else ""
    return shown


def _short(value: float) -> str:
    return f"{value:+.1f}" if abs(value) < 20 else f"{'over +' if value > 0 else 'below -'}20"


def choose_examples(fields: pd.DataFrame, names: pd.Series, number: int, seed: int) -> pd.Series:
    """Choose a control field and treated fields of a plate at random.

    Parameters
    ----------
    fields
        Rows of the table ``fields`` of one plate.
    names
        Names of compounds, indexed by field id.
    number, seed
        Number of fields, and seed of the draw.

    Returns
    -------
    pandas.Series
        Index: field id. Values: labels.
    """
    generator = np.random.default_rng(seed)
    controls, treated = fields[fields["control"]], fields[~fields["control"]].drop_duplicates("compound_id")
    of_controls = min(len(controls), max(1, number - len(treated)))
    drawn = [
        table.iloc[np.sort(generator.choice(len(table), min(size, len(table)), replace=False))]
        for table, size in ((controls, of_controls), (treated, number - of_controls))
    ]
    labels = {}
    for row in pd.concat(drawn).to_dict("records"):
        name = names.get(row["field_id"])
        treatment = "control" if row["control"] else name if isinstance(name, str) else row["compound_id"]
        place = f"{one_line(row['plate'], 14)} {row['well']}"
        labels[row["field_id"]] = f"{one_line(treatment, 38 - len(place))} · {place}"
    return pd.Series(labels, dtype=object)


def choose_rejected(rejected: pd.DataFrame, index: pd.DataFrame, number: int) -> Iterator[tuple[dict, str]]:
    """Choose rejected fields that have files, in turn from each reason.

    Parameters
    ----------
    rejected, index
        Tables ``rejected_fields`` and ``field_index``.
    number
        Largest number of fields.

    Yields
    ------
    Row of ``field_index``, and a label with the place and the reason.
    """
    table = rejected[["field_id", "reason"]].merge(index, on="field_id")
    kind = table["reason"].str.replace(_VALUES, "…", regex=True)
    turns = table.assign(turn=table.groupby(kind).cumcount()).sort_values("turn", kind="stable")
    for row in turns.head(number).to_dict("records"):
        yield row, f"{one_line(row['plate'], 14)} {row['well']} site {row['site']}\n{_wrapped(row['reason'])}"


def _wrapped(text: str, width: int = 30, lines: int = 3) -> str:
    text = one_line(text, width * lines)
    return "\n".join(text[start : start + width] for start in range(0, len(text), width))


def count_wells(pairs: pd.DataFrame) -> pd.Series:
    """Count the wells of each compound."""
    return pairs.drop_duplicates(["plate", "well"]).groupby("inchikey").size()


def count_scaffolds(compounds: pd.DataFrame) -> pd.Series:
    """Count the compounds of each scaffold. Compounds without a ring system are left out."""
    scaffolds = compounds["scaffold"].dropna()
    return scaffolds[scaffolds.astype(str) != ""].value_counts()


def count_mechanisms(compounds: pd.DataFrame) -> pd.Series:
    """Count the compounds of each mechanism. A compound with several mechanisms counts for each of them."""
    return compounds["moa"].dropna().str.split("|").explode().str.strip().value_counts()


def effect_table(effects: pd.DataFrame) -> pd.DataFrame:
    """Tabulate effects of positions, one row per statistic and basis; all cells are text."""
    rows = []
    for (statistic, basis), part in effects.groupby(["statistic", "basis"], sort=False):
        by_factor = {row["factor"]: row for row in part.to_dict("records")}
        cells = {"measurement": STATISTICS.get(str(statistic), str(statistic)), "wells": str(basis).split()[0]}
        for factor, title in (("row", "rows"), ("column", "columns")):
            row = by_factor.get(factor)
            cells[title] = ABSENT if row is None else _interval(row, 100, 1, " %")
        edge = by_factor.get("edge")
        cells["edge minus inside, SD"] = ABSENT if edge is None else _interval(edge, 1, 2, "")
        rows.append(cells | {"n": f"{int(part['wells'].max()):,}"})
    return pd.DataFrame(rows, columns=["measurement", "wells", "rows", "columns", "edge minus inside, SD", "n"])


def precision_table(precision: pd.DataFrame) -> pd.DataFrame:
    """Tabulate mean average precisions, one row per method and kind of match; all cells are text."""
    rows = [
        {
            "method": row["method"],
            "matches": row["matches"],
            "mean average precision": _interval(row, 1, 3, "") if row["n"] else ABSENT,
            "chance": f"{row['chance']:.3f}" if row["n"] else ABSENT,
            "significant": f"{100 * row['significant']:.1f} %" if row["groups"] else ABSENT,
            "of": f"{row['groups']:,} {'compounds' if row['matches'] == 'replicates' else 'mechanisms'}",
            "compounds": f"{row['n']:,}",
        }
        for row in precision.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _interval(row: Mapping[Any, Any], scale: float, decimals: int, unit: str) -> str:
    value, low, high = (f"{scale * row[name]:.{decimals}f}" for name in ("value", "low", "high"))
    return f"{value}{unit} ({low}–{high})" if not low.startswith("-") else f"{value}{unit} ({low} to {high})"


def render_data_report(
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, str],
    *,
    study: Any,
    settings: Any,
    images: bool,
    seed: int,
    documentation: str = "",
) -> str:
    """Render the page.

    Parameters
    ----------
    tables
        Tables of the screen by their names, with ``well_quality``, ``position_effects``, ``average_precision`` and
        ``average_precision_corrections``.
    figures
        ``data_report_<name>`` -> data URI.
    study, settings
        Parameters of the study and of the data report.
    images
        Whether the screen has images.
    seed
        Seed of the choice of fields.
    documentation
        As in :func:`~cloome_kedro.reporting.report.link_documentation`.
    illumination
        HTML about the correction of illumination, which is not escaped and may name further figures. Empty: the screen
        is not corrected.

    Returns
    -------
    str
        HTML.
    """
    wells, pairs, labels = tables["well_quality"], tables["pairs"], tables["labels"]
    replicates = count_wells(pairs)
    precision = tables["average_precision"]
    assays = labels.drop(columns="inchikey")
    evenness = tables["illumination_evenness"] if images else pd.DataFrame()
    writing = about.facts_of_writing()
    page = render(
        "data_report.html.j2",
        Look(note=study.note, models=study.models),
        title=f"Data of the screen {study.screen}",
        images=images,
        facts={"screen": study.screen} | {name: writing[name] for name in ("written", "git commit")},
        counts=data_summary(
            tables["fields"],
            tables["rejected_fields"],
            tables["compounds"],
            tables["merged_compounds"],
            pairs,
        ),
        rejected_fields=rejected_summary(tables["rejected_fields"], "field_id"),
        rejected_compounds=rejected_summary(tables["rejected_compounds"], "compound_id"),
        plates=plates_to_show(wells, settings.plates, settings.show_plates),
        plate_count=wells["plate"].nunique(),
        fewest_plates=FEWEST_PLATES,
        control_count=int(wells["control"].sum()),
        measured=len(shown_statistics(wells)) > 0,
        effects=effect_table(tables["position_effects"]),
        replicate_text=_replicate_text(replicates),
        precision=precision_table(precision),
        has_matches=bool(precision["n"].gt(0).any()),
        corrected=precision_of_corrections_table(tables["average_precision_corrections"]),
        protocols=dict(zip(precision["matches"], precision["protocol"], strict=True)),
        label_text=f"{counted(assays.shape[1], 'assay')}, {counted(len(assays), 'compound')}"
        f"{f', {100 * assays.notna().to_numpy().mean():.1f} % of the cells have a label' if assays.size else ''}",
        has_labels=bool(assays.size),
        has_rejected=len(tables["rejected_fields"]) > 0,
        confidence=settings.confidence,
        seed=seed,
        evenness=evenness_summary(evenness) if len(evenness) else None,
        evenness_text=evenness_text(evenness) if len(evenness) else "",
        version=version("cloome-kedro"),
    )
    return link_documentation(embed(page, figures), documentation)


def _replicate_text(replicates: pd.Series) -> str:
    if replicates.empty:
        return "No compound has a well."
    several = int((replicates > 1).sum())
    return (
        f"A compound has {counted(replicates.median(), 'well')} in the median (from {replicates.min():,} to "
        f"{replicates.max():,}). {several:,} of {counted(len(replicates), 'compound')} are in several wells."
    )
