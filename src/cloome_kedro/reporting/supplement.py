"""The publication's supplementary tables 7 to 12 and their clean counterparts, ours beside what was published."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

import pandas as pd

from cloome_kedro.reporting.captioned import CaptionedTable
from cloome_kedro.reporting.sheets import SHEETS, Sheet
from cloome_kedro.reporting.style import Look
from cloome_kedro.words import CLEAN, COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND, PROBING, PROFILES, RETRIEVAL

ABSENT = "–"
#: how the publication names corruptions and directions -> how our tables do
CORRUPTIONS = {
    "Random flip": "random_flip",
    "Random flip + small rotation": "random_flip_small_rotation",
    "Small rotation": "small_rotation",
    "Large rotation": "large_rotation",
}
DIRECTIONS = {"structure": IMAGE_TO_COMPOUND, "image": COMPOUND_TO_IMAGE}
NOTHING = (
    "None of the rows is ours: the study has no such results (a screen without assay labels or mechanisms, a split that"
    " was not run, or a corruption that was not asked for)."
)
#: of tables with several queries per compound
DEPENDENT = (
    "Exact intervals of zero-shot classification take query fields as independent, as the publication does. Those of"
    " one compound are not, so they are too narrow; intervals over draws and of differences resample compounds."
)
PROBING_METRICS = (
    *("mean AUC", "SD AUC", "mean F1", "SD F1"),
    *("AUC > 0.9", "AUC > 0.8", "AUC > 0.7"),
    "assays not scored",
)
_LABEL = re.compile(
    r"(?:(?P<corruption>[^:(]+): )?(?P<method>[^(]+?)"
    r"(?: \((?P<direction>structure|image) retr\.\)| \(as printed: .*\))?"
)
_NOTHING = {"images": CLEAN, "direction": "", "pool": "", "shown_by": "field", "excluded": "none"}
_KEY = ("split", "task", "method", *_NOTHING, "metric")


@cache
def published_figures() -> pd.DataFrame:
    """Every number of the publication that stands beside ours, each with its source; all cells as printed."""
    with resources.files("cloome_kedro.reporting").joinpath("published.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def whose_data(screen: str, simulated: bool, published_screen: bool) -> str:
    """The first note of every table."""
    ours = f"the screen {screen}" + (" (SIMULATED)" if simulated else "")
    if published_screen and not simulated:
        ours += ", in folds drawn anew"
    return f"Published: Sanchez-Fernandez et al. 2023, on the screen of Bray et al. 2017; ours: {ours}."


def supplement_tables(metrics: pd.DataFrame, whose: str, look: Look) -> dict[str, CaptionedTable]:
    """Every table of the supplement, by its name: 7, 8, 8_clean, ..., 12_clean.

    Rows and columns are in the printed order. A cell that was not published, or that the study lacks, is ``–``.

    Parameters
    ----------
    metrics
        Table ``metrics`` of all tasks and splits.
    whose
        From :func:`whose_data`.
    look
        Names of our models.
    """
    found = Results(metrics, look)
    return {
        sheet.name: _probing(found, sheet, whose) if sheet.task == PROBING else _top_k(found, sheet, whose)
        for sheet in SHEETS
    }


class Results:
    """Rows of ``metrics`` by what they are of.

    Attributes
    ----------
    splits
        In order of appearance, with a capital.
    methods
        How the publication names methods -> how our tables do.
    """

    def __init__(self, metrics: pd.DataFrame, look: Look):
        filled = metrics.assign(
            **{column: metrics[column].astype(object).fillna("") for column in ("direction", "pool")},
            excluded=metrics["excluded"].astype(object).fillna("none"),
        )
        self._rows: dict[tuple, dict] = {}
        for row in filled.to_dict("records"):
            self._rows.setdefault((*(row[column] for column in _KEY), row["draws"] > 1), row)
        self.splits = [split.capitalize() for split in dict.fromkeys(metrics["split"])]
        self.methods = {
            "CLOOME": look.model,
            "Bilinear model": look.models.get("bilinear", "Bilinear"),
            "CellProfiler": PROFILES,
        }

    def row(self, setting: dict[str, str], over_draws: bool = False) -> dict | None:
        """The row of the single draw, or of the mean over draws; None where there is none.

        Parameters
        ----------
        setting
            Columns of ``metrics``. Of those that are not given, the row says nothing: images are clean, a field shows a
            compound, nothing is excluded.
        """
        chosen = _NOTHING | setting | {"split": setting["split"].lower()}
        return self._rows.get((*(chosen[column] for column in _KEY), over_draws))

    def label(self, printed: str) -> str:
        """A published row's name, with that of our method where it is another."""
        name = re.sub(r" \(as printed: .*\)", "", printed)
        if name == "GapNet":
            return "GapNet (published only)"
        theirs = _parts(printed)["method"]
        ours = self.methods.get(theirs, theirs)
        return name if not ours or theirs.startswith(ours) else f"{name} (ours: {ours})"


def percent(row: dict | None) -> str:
    """A proportion in per cent with its interval, as published: ``11.3 (9.94–12.7)``."""
    if row is None:
        return ABSENT
    value = digits(100 * row["value"])
    return value if pd.isna(row["low"]) else f"{value} ({digits(100 * row['low'])}–{digits(100 * row['high'])})"


def digits(value: float, count: int = 3) -> str:
    """Rounded to so many significant digits; 0 is 0, and less than 0.001 is given to three decimals."""
    if value == 0:
        return "0"
    return f"{value:#.{count}g}".rstrip(".") if abs(value) >= 1e-3 else f"{value:.3f}"


def _top_k(found: Results, sheet: Sheet, whose: str) -> CaptionedTable:
    printed = _printed(sheet.source)
    rows, cells, draws, candidates = [], 0, set(), False
    for split, label in _rows(sheet, found.splits):
        setting = _setting(label, sheet, found.methods) | {"split": split}
        shown = {"Split": split, "Method": found.label(label)}
        any_row: dict = {}
        for k in ("1", "5", "10"):
            ours = found.row(setting | {"metric": f"top-{k}"})
            over = found.row(setting | {"metric": f"top-{k}"}, over_draws=True)
            shown |= {
                f"Top-{k} (%)": percent(ours),
                f"Top-{k} (%), over draws": _spread(over),
                f"Published top-{k} (%)": _as_printed(printed.get((split, label, f"Top-{k}"))),
            }
            cells += ours is not None
            draws |= {over["draws"]} if over else set()
            any_row = ours or any_row
        size = any_row.get("candidates")
        theirs = printed.get((split, label, "Top-1"))
        shown |= {
            "n": f"{any_row['n']:,}" if any_row else ABSENT,
            "Candidates": ABSENT if size is None or pd.isna(size) else f"{round(size, 1):,g}",
            "Published n": f"{int(theirs['n']):,}" if theirs else ABSENT,
        }
        candidates |= size is not None
        rows.append(shown)
    notes = [whose]
    if cells:
        notes.append(
            "Ours: the single draw that a publication would give, with its exact (Clopper–Pearson) interval; "
            + (
                f"over draws: mean ± standard deviation over {' or '.join(map(str, sorted(draws)))} draws. "
                if draws
                else "there are no further draws. "
            )
            + "n: queries. Ties count against the match."
        )
        if sheet.task != RETRIEVAL:
            notes.append(DEPENDENT)
    else:
        notes.append(NOTHING)
    if any(row["Method"] == "Random" for row in rows):
        notes.append("Random: ours is exact chance; where the publication has it, it was drawn.")
    notes += _misprints(sheet.source)
    return CaptionedTable(sheet.title, tuple(notes), pd.DataFrame(rows))


def _probing(found: Results, sheet: Sheet, whose: str) -> CaptionedTable:
    """One row per split; the publication has one split, which it does not name."""
    printed = {metric: row["value"] for (_, _, metric), row in _printed(sheet.source).items()}
    assays = next((row["n"] for row in _printed(sheet.source).values()), ABSENT)
    rows, levels = [], []
    for split in found.splits or ["Random"]:
        level = next((by for by in ("mean", "field") if _assays(found, sheet, split, by, "mean AUC")), "mean")
        ours = {name: _assays(found, sheet, split, level, name) for name in PROBING_METRICS}
        levels += [level] if ours["mean AUC"] else []
        shown = {"Split": split, "Method": found.label("CLOOME")}
        for score in ("AUC", "F1"):
            shown[f"{score}, mean ± SD"] = _mean_sd(ours[f"mean {score}"], ours[f"SD {score}"])
            theirs = [printed.get(f"{kind} {score}") for kind in ("mean", "SD")]
            shown[f"Published {score}, mean ± SD"] = " ± ".join(value for value in theirs if value) or ABSENT
        for bound in ("0.9", "0.8", "0.7"):
            shown[f"AUC > {bound}"] = _count(ours[f"AUC > {bound}"])
            shown[f"Published AUC > {bound}"] = printed.get(f"tasks AUC>{bound}", ABSENT)
        shown["Assays"] = ABSENT if ours["mean AUC"] is None else f"{ours['mean AUC']['n']:,}"
        shown["Not scored"] = _count(ours["assays not scored"])
        shown["Published assays"] = assays
        rows.append(shown)
    kinds = {"mean": "a compound (the mean over its fields)", "field": "a field"}
    notes = [whose]
    if levels:
        notes.append(
            "Ours: mean ± standard deviation over the assays that can be scored, the mean with a bootstrap interval"
            f" over compounds; a sample is {kinds[levels[0]]}, of the publication a field."
        )
    else:
        notes.append(NOTHING)
    notes.append(
        "The publication gives one split, whose kind it does not name, and counts assays without a class as 0.5."
    )
    return CaptionedTable(sheet.title, tuple(notes), pd.DataFrame(rows))


def _rows(sheet: Sheet, ours: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Split and label of every row: as printed, then the splits that the publication does not have."""
    facts = published_figures()
    of_sheet = facts[facts["source"] == (sheet.rows or sheet.source)]
    others = [split for split in ours if sheet.others and split not in ("Random", "Scaffold")]
    for split in (*sheet.splits, *others):
        like = split if split in sheet.splits else sheet.splits[0]
        for label in of_sheet.loc[of_sheet["split"] == like, "method"].unique():
            yield split, label


def _setting(label: str, sheet: Sheet, methods: dict[str, str]) -> dict[str, str]:
    """What a published row's label says of it, as our tables do."""
    parts = _parts(label)
    direction = DIRECTIONS[parts["direction"] or "structure"] if sheet.task == RETRIEVAL else ""
    return {
        "task": sheet.task,
        "method": methods.get(parts["method"], parts["method"]),
        "images": CORRUPTIONS[parts["corruption"]] if parts["corruption"] else sheet.images,
        "direction": direction,
        "pool": sheet.pool,
    }


def _parts(label: str) -> re.Match[str]:
    """Corruption, method and direction in the label of a published row."""
    parts = _LABEL.fullmatch(label)
    if parts is None:
        raise ValueError(f"published.csv: the method {label!r} cannot be read")
    return parts


def _printed(source: str) -> dict[tuple[str, str, str], dict]:
    facts = published_figures()
    rows = facts[facts["source"] == source].to_dict("records") if source else []
    return {(row["split"], row["method"], row["metric"]): row for row in rows}


def _as_printed(row: dict | None) -> str:
    if row is None:
        return ABSENT
    return f"{row['value']} ({row['ci_low']}–{row['ci_high']})" if row["ci_low"] and row["ci_high"] else row["value"]


def _misprints(source: str) -> list[str]:
    of_note: dict[str, list[str]] = {}
    for row in _printed(source).values():
        of_note.setdefault(row["note"], []).append(f"{row['method']} {row['metric']}, {row['split'].lower()} split")
    return [f"Published {_listed(cells)}: {note}." for note, cells in of_note.items() if note]


def _spread(row: dict | None) -> str:
    if row is None:
        return ABSENT
    value = digits(100 * row["value"])
    return value if pd.isna(row["spread"]) else f"{value} ± {digits(100 * row['spread'], 2)}"


def _assays(found: Results, sheet: Sheet, split: str, level: str, metric: str) -> dict | None:
    model = found.methods["CLOOME"]
    setting = {
        "split": split,
        "task": PROBING,
        "method": model,
        "metric": metric,
        "images": sheet.images,
        "shown_by": level,
    }
    return found.row(setting)


def _mean_sd(mean: dict | None, spread: dict | None) -> str:
    if mean is None:
        return ABSENT
    text = f"{mean['value']:.3f}" + (f" ± {spread['value']:.3f}" if spread else "")
    return text if pd.isna(mean["low"]) else f"{text} ({mean['low']:.3f}–{mean['high']:.3f})"


def _count(row: dict | None) -> str:
    return ABSENT if row is None else f"{row['value']:,.0f}"


def _listed(parts: list[str], most: int = 3) -> str:
    return "; ".join(parts) if len(parts) <= most else f"{parts[0]} and {len(parts) - 1} more"
