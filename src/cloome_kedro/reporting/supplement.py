"""Supplementary tables 7 to 12 of the publication and their clean counterparts, with our and the published values."""

import re
from collections.abc import Iterable, Iterator

import pandas as pd

from cloome_kedro.reporting.captioned import CaptionedTable
from cloome_kedro.reporting.cells import ABSENT
from cloome_kedro.reporting.published import (
    label_parts,
    misprint_notes,
    percent_as_published,
    printed_labels,
    printed_rows,
    printed_value,
    significant_digits,
)
from cloome_kedro.reporting.sheets import SHEETS, Sheet
from cloome_kedro.reporting.style import Look
from cloome_kedro.words import CLEAN, COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND, PROBING, PROFILES, RETRIEVAL

#: corruptions and directions: names in the publication -> names in our tables
_CORRUPTIONS = {
    "Random flip": "random_flip",
    "Random flip + small rotation": "random_flip_small_rotation",
    "Small rotation": "small_rotation",
    "Large rotation": "large_rotation",
}
_DIRECTIONS = {"structure": IMAGE_TO_COMPOUND, "image": COMPOUND_TO_IMAGE}
#: note of a table without our results
NO_RESULTS = (
    "No row has results of this study: the screen has no assay labels or mechanisms, the split was not run, or the"
    " corruption was not requested."
)
#: note of tables with several queries per compound
DEPENDENT_QUERIES = (
    "Exact intervals of zero-shot classification assume independent query fields, as in the publication. Fields of one"
    " compound are not independent, so these intervals are too narrow. Intervals over draws and intervals of"
    " differences resample compounds."
)
_PROBING_METRICS = (
    *("mean AUC", "SD AUC", "mean F1", "SD F1"),
    *("AUC > 0.9", "AUC > 0.8", "AUC > 0.7"),
    "assays not scored",
)
_DEFAULTS = {"images": CLEAN, "direction": "", "pool": "", "shown_by": "field", "excluded": "none"}
_KEY = ("split", "task", "method", *_DEFAULTS, "metric")


def describe_data_sources(screen: str, simulated: bool, published_screen: bool) -> str:
    """Write the first note of every table: the screens of the published values and of our values.

    Parameters
    ----------
    screen
        Name of the screen of this study.
    simulated
        Whether it is simulated.
    published_screen
        Whether it is the screen of the publication.
    """
    ours = f"the screen {screen}" + (" (SIMULATED)" if simulated else "")
    if published_screen and not simulated:
        ours += ", with newly drawn folds"
    return (
        "Published values: Sanchez-Fernandez et al. 2023, on the screen of Bray et al. 2017. Our values are from"
        f" {ours}."
    )


def supplement_tables(metrics: pd.DataFrame, data_note: str, look: Look) -> dict[str, CaptionedTable]:
    """Make every table of the supplement.

    Parameters
    ----------
    metrics
        Table ``metrics``, all tasks and splits.
    data_note
        From :func:`describe_data_sources`.
    look
        Names of our models.

    Returns
    -------
    dict
        Tables by name: 7, 8, 8_clean, ..., 12_clean. Rows and columns are in the printed order. A cell is ``–`` if the
        value was not published, or if the study does not have it.
    """
    results = Results(metrics, look)
    return {
        sheet.name: (_probing_table if sheet.task == PROBING else _top_k_table)(results, sheet, data_note)
        for sheet in SHEETS
    }


class Results:
    """Rows of the table ``metrics``, which can be looked up by setting.

    Parameters
    ----------
    metrics
        Table ``metrics``, all tasks and splits.
    look
        Names of our models.

    Attributes
    ----------
    splits
        Names of splits with a capital letter, in order of appearance.
    methods
        Names of methods in the publication -> names in our tables.
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
        """Find a row of ``metrics``.

        Parameters
        ----------
        setting
            Values of columns of ``metrics``. The defaults are clean images, no direction, no pool, a class shown by one
            field, and nothing excluded.
        over_draws
            Whether to find the mean over draws instead of the single draw.

        Returns
        -------
        dict or None
            None if there is no such row.
        """
        values = _DEFAULTS | setting | {"split": setting["split"].lower()}
        return self._rows.get((*(values[column] for column in _KEY), over_draws))

    def label(self, printed: str) -> str:
        """Name a published row. If our method has another name, the label gives it too."""
        name = re.sub(r" \(as printed: .*\)", "", printed)
        if name == "GapNet":
            return "GapNet (published only)"
        published = label_parts(printed)["method"]
        ours = self.methods.get(published, published)
        return name if not ours or published.startswith(ours) else f"{name} (ours: {ours})"


def _top_k_table(results: Results, sheet: Sheet, data_note: str) -> CaptionedTable:
    printed = printed_rows(sheet.source)
    rows, has_results, draws = [], False, set()
    for split, label in _row_labels(sheet, results.splits):
        setting = _setting(label, sheet, results.methods) | {"split": split}
        cells = {"Split": split, "Method": results.label(label)}
        any_row: dict = {}
        for k in ("1", "5", "10"):
            row = printed.get((split, label, f"Top-{k}"))
            single = results.row(setting | {"metric": f"top-{k}"})
            over_draws = results.row(setting | {"metric": f"top-{k}"}, over_draws=True)
            cells |= {
                f"Top-{k} (%)": percent_as_published(single),
                f"Top-{k} (%), over draws": _spread(over_draws),
                f"Published top-{k} (%)": printed_value(row) if row else ABSENT,
            }
            has_results |= single is not None
            draws |= {over_draws["draws"]} if over_draws else set()
            any_row = single or any_row
        size = any_row.get("candidates")
        published = printed.get((split, label, "Top-1"))
        cells |= {
            "n": f"{any_row['n']:,}" if any_row else ABSENT,
            "Candidates": ABSENT if size is None or pd.isna(size) else f"{round(size, 1):,g}",
            "Published n": f"{int(published['n']):,}" if published else ABSENT,
        }
        rows.append(cells)
    notes = [data_note]
    if has_results:
        numbers = " or ".join(map(str, sorted(draws)))
        notes.append(
            "Our values: the single draw that a publication would report, with its exact (Clopper–Pearson) interval. "
            + (
                f"Over draws: mean ± standard deviation over {numbers} draws. "
                if draws
                else "There are no further draws. "
            )
            + "n: number of queries. Ties count against the match."
        )
        if sheet.task != RETRIEVAL:
            notes.append(DEPENDENT_QUERIES)
    else:
        notes.append(NO_RESULTS)
    if any(row["Method"] == "Random" for row in rows):
        notes.append("Random: our value is exact chance. A published value comes from a random ranking.")
    notes += misprint_notes(sheet.source)
    return CaptionedTable(sheet.title, tuple(notes), pd.DataFrame(rows))


def _probing_table(results: Results, sheet: Sheet, data_note: str) -> CaptionedTable:
    """Make a table of probing, one row per split.

    The publication reports one split without its name. Its values stand beside each of our splits.
    """
    printed = {metric: row["value"] for (_, _, metric), row in printed_rows(sheet.source).items()}
    published_assays = next((row["n"] for row in printed_rows(sheet.source).values()), ABSENT)
    rows, levels = [], []
    for split in results.splits or ["Random"]:
        by_level = {level: _probing_rows(results, sheet, split, level) for level in ("mean", "field")}
        level = next((level for level, ours in by_level.items() if ours["mean AUC"]), "mean")
        ours = by_level[level]
        levels += [level] if ours["mean AUC"] else []
        cells = {"Split": split, "Method": results.label("CLOOME")}
        for score in ("AUC", "F1"):
            cells[f"{score}, mean ± SD"] = _mean_sd(ours[f"mean {score}"], ours[f"SD {score}"])
            published = [printed.get(f"{statistic} {score}") for statistic in ("mean", "SD")]
            cells[f"Published {score}, mean ± SD"] = " ± ".join(value for value in published if value) or ABSENT
        for bound in ("0.9", "0.8", "0.7"):
            cells[f"AUC > {bound}"] = _count(ours[f"AUC > {bound}"])
            cells[f"Published AUC > {bound}"] = printed.get(f"tasks AUC>{bound}", ABSENT)
        cells["Assays"] = ABSENT if ours["mean AUC"] is None else f"{ours['mean AUC']['n']:,}"
        cells["Not scored"] = _count(ours["assays not scored"])
        cells["Published assays"] = published_assays
        rows.append(cells)
    samples = {
        "mean": "A sample is a compound (the mean over its fields). In the publication, a sample is a field.",
        "field": "A sample is a field, as in the publication.",
    }
    notes = [data_note]
    if levels:
        notes.append(
            "Our values: mean ± standard deviation over assays, with a bootstrap interval of the mean over compounds."
            f" {samples[levels[0]]} Not scored: assays that lack a class in one of the folds."
        )
    else:
        notes.append(NO_RESULTS)
    notes.append(
        "The publication reports one split and does not say which one. It counts assays that lack a class as AUC 0.5."
    )
    return CaptionedTable(sheet.title, tuple(notes), pd.DataFrame(rows))


def _row_labels(sheet: Sheet, our_splits: Iterable[str]) -> Iterator[tuple[str, str]]:
    """List split and label of every row: the printed rows, then the same rows for splits that were not published."""
    others = [split for split in our_splits if sheet.other_splits and split not in ("Random", "Scaffold")]
    for split in (*sheet.splits, *others):
        published_split = split if split in sheet.splits else sheet.splits[0]
        for label in printed_labels(sheet.rows or sheet.source, published_split):
            yield split, label


def _setting(label: str, sheet: Sheet, methods: dict[str, str]) -> dict[str, str]:
    """Translate the label of a published row to values of our table ``metrics``."""
    parts = label_parts(label)
    direction = _DIRECTIONS[parts["direction"] or "structure"] if sheet.task == RETRIEVAL else ""
    return {
        "task": sheet.task,
        "method": methods.get(parts["method"], parts["method"]),
        "images": _CORRUPTIONS[parts["corruption"]] if parts["corruption"] else sheet.images,
        "direction": direction,
        "pool": sheet.pool,
    }


def _spread(row: dict | None) -> str:
    if row is None:
        return ABSENT
    value = significant_digits(100 * row["value"])
    return value if pd.isna(row["spread"]) else f"{value} ± {significant_digits(100 * row['spread'], 2)}"


def _probing_rows(results: Results, sheet: Sheet, split: str, level: str) -> dict[str, dict | None]:
    """Find the rows of probing of the first model, by metric."""
    setting = {
        "split": split,
        "task": PROBING,
        "method": results.methods["CLOOME"],
        "images": sheet.images,
        "shown_by": level,
    }
    return {metric: results.row(setting | {"metric": metric}) for metric in _PROBING_METRICS}


def _mean_sd(mean: dict | None, spread: dict | None) -> str:
    if mean is None:
        return ABSENT
    text = f"{mean['value']:.3f}" + (f" ± {spread['value']:.3f}" if spread else "")
    return text if pd.isna(mean["low"]) else f"{text} ({mean['low']:.3f}–{mean['high']:.3f})"


def _count(row: dict | None) -> str:
    return ABSENT if row is None else f"{row['value']:,.0f}"
