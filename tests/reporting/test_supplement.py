"""Tables of the supplement: printed rows and order, the right figure of ours in its cell, the published beside."""

import re

import pandas as pd
import pytest

from cloome_kedro import schemas
from cloome_kedro.evaluation.intervals import exact_interval
from cloome_kedro.reporting.cells import ABSENT
from cloome_kedro.reporting.published import published_figures, significant_digits
from cloome_kedro.reporting.sheets import SHEETS
from cloome_kedro.reporting.style import Look
from cloome_kedro.reporting.supplement import (
    DEPENDENT_QUERIES,
    NO_RESULTS,
    describe_data_sources,
    supplement_tables,
)

CORRUPTIONS = ("random_flip", "random_flip_small_rotation", "small_rotation", "large_rotation")
LOOK = Look(models={"cloome": "CLOOME", "bilinear": "Bilinear"})
DATA_NOTE = describe_data_sources("virtual_screen", simulated=True, published_screen=False)


def rows_of(task, method, hits, *, n=200, draws=1, **setting):
    """Metric rows of one setting: top-1, top-5 and top-10 with ``hits``, ``hits`` + 10 and ``hits`` + 20 of ``n``."""
    common = {"split": "random", "task": task, "method": method, "images": "clean", "direction": None, "pool": "full"}
    common |= {"shown_by": "field", "excluded": None, "draws": draws, "candidates": 28.0} | setting
    for k, found in zip((1, 5, 10), (hits, hits + 10, hits + 20), strict=True):
        low, high = exact_interval(found, n)
        yield {
            **common,
            **{"metric": f"top-{k}", "value": found / n, "low": low, "high": high, "n": n, "compounds": 28},
            **{"interval": "exact", "successes": found if draws == 1 else None, "chance": k / 28, "split_hash": "0"},
            "spread": None if draws == 1 else 0.0123,
        }


def probing_rows(split="random", method="CLOOME", images="clean", auc=0.8123, shown_by="mean"):
    found = {"mean AUC": auc, "SD AUC": 0.1, "mean F1": 0.4, "SD F1": 0.3, "AUC > 0.9": 5, "AUC > 0.8": 12}
    for metric, value in (found | {"AUC > 0.7": 30, "assays not scored": 3}).items():
        bounds = (auc - 0.02, auc + 0.02, "bootstrap") if metric == "mean AUC" else (None, None, "none")
        yield {
            **{"split": split, "task": "probing", "method": method, "images": images, "direction": None, "pool": None},
            **{
                "shown_by": shown_by,
                "excluded": None,
                "draws": 1,
                "candidates": None,
                "metric": metric,
                "value": value,
            },
            **dict(zip(("low", "high", "interval"), bounds, strict=True)),
            **{"n": 45, "compounds": 256, "successes": None, "spread": None, "chance": None, "split_hash": "0"},
        }


def table(*rows) -> pd.DataFrame:
    return schemas.metrics.validate(pd.DataFrame([row for part in rows for row in part]))


@pytest.fixture(scope="module")
def tables():
    return supplement_tables(metrics_of_both_splits(), DATA_NOTE, LOOK)


def metrics_of_both_splits(cloome="CLOOME", bilinear="Bilinear"):
    """Table ``metrics``, where the two models have these labels."""
    directions = ("image to compound", "compound to image")
    retrieval = [
        rows_of("retrieval", method, hits + 3 * i, pool=pool, direction=direction, split=split, excluded="none")
        for split, more in (("random", 0), ("scaffold", 50))
        for pool, shift in (("sampled", 20), ("full", 0))
        for method, base in ((cloome, 30), (bilinear, 10), ("Random", 2))
        for i, direction in enumerate(directions)
        for hits in [base + shift + more]
    ]
    decoys = [
        rows_of("retrieval", cloome, 150, pool="full", direction=directions[0], shown_by="mean"),
        rows_of("retrieval", cloome, 151, pool="same plate", direction=directions[0]),
        rows_of("zero-shot MoA", cloome, 152, excluded="plate"),
        rows_of("zero-shot MoA", "Untrained", 153, excluded="none"),
    ]
    corrupted = [
        rows_of("retrieval", cloome, 5 * j + i, images=images, direction=direction, split=split)
        for split in ("random", "scaffold")
        for j, images in enumerate(CORRUPTIONS)
        for i, direction in enumerate(directions)
    ]
    zero_shot = [
        rows_of(task, method, hits, images=images, excluded="none", split=split)
        for task in ("zero-shot compound", "zero-shot MoA")
        for split in ("random", "scaffold")
        for method, images, hits in (
            (cloome, "clean", 60), ("Profiles", "clean", 40), (cloome, "random_flip_small_rotation", 50),
        )
    ]  # fmt: skip
    draws = rows_of("retrieval", cloome, 33, pool="sampled", direction=directions[0], draws=10)
    probing = [
        *probing_rows(method=cloome),
        *probing_rows(method=cloome, images="random_flip_small_rotation", auc=0.75),
    ]
    return table(*decoys, *retrieval, *corrupted, *zero_shot, draws, probing)


def cells(found, method, split="Random"):
    shown = found.table
    return shown[(shown["Method"] == method) & (shown["Split"] == split)].iloc[0]


def test_there_is_every_table_and_its_counterpart(tables):
    assert list(tables) == ["7", *(f"{n}{kind}" for n in range(8, 13) for kind in ("", "_clean"))]
    for found in tables.values():
        assert found.notes[0] == DATA_NOTE
        assert "SIMULATED" in found.notes[0]
        assert all(isinstance(cell, str) and cell for cell in found.table.to_numpy().ravel())


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_every_published_figure_is_there_once_in_the_printed_order(tables, sheet):
    shown = tables[sheet.name].table
    printed = published_figures().query("source == @sheet.source")
    columns = [name for name in shown if re.match("Published (top|AUC|F1)", name)]
    if sheet.task == "probing":  # of one split, beside each of ours
        shown = shown.iloc[:1]
        printed = printed[~printed["metric"].str.startswith("SD")].sort_values("value")
    found = [re.match(r"[\d.]+", cell)[0] for cell in shown[columns].to_numpy().ravel() if cell != ABSENT]
    assert (sorted(found) if sheet.task == "probing" else found) == printed["value"].tolist()


def test_rows_stand_as_printed(tables):
    methods = ["CLOOME (structure retr.)", "CLOOME (image retr.)", "Bilinear model (structure retr.)"]
    methods += ["Bilinear model (image retr.)", "Random"]
    assert tables["7"].table["Method"].tolist() == methods * 2
    assert tables["7"].table["Split"].tolist() == ["Random"] * 5 + ["Scaffold"] * 5
    assert tables["8_clean"].table["Method"].tolist() == methods
    names = tables["8"].table["Method"].str.split(": ").str[0].tolist()
    assert names[::2] == ["Random flip", "Random flip + small rotation", "Small rotation", "Large rotation"]
    assert tables["11"].table["Method"].tolist() == ["CLOOME", "CLOOME"]
    assert tables["12_clean"].table["Method"].tolist() == [
        "CLOOME", "GapNet (published only)", "CellProfiler (ours: Profiles)"
    ] * 2  # fmt: skip


@pytest.mark.parametrize(
    ("name", "method", "split", "hits"),
    [
        ("7", "CLOOME (structure retr.)", "Random", 50),
        ("7", "CLOOME (image retr.)", "Scaffold", 103),
        ("7", "Bilinear model (image retr.)", "Random", 33),
        ("8_clean", "CLOOME (structure retr.)", "Random", 30),
        ("9_clean", "Bilinear model (structure retr.)", "Scaffold", 60),
        ("8", "Random flip: CLOOME (image retr.)", "Random", 1),
        ("8", "Random flip + small rotation: CLOOME (structure retr.)", "Random", 5),
        ("8", "Large rotation: CLOOME (image retr.)", "Random", 16),
        ("9", "CLOOME (image retr.)", "Scaffold", 6),
        ("11", "CLOOME", "Scaffold", 50),
        ("11_clean", "CLOOME", "Random", 60),
        ("12", "CLOOME", "Random", 50),
        ("12_clean", "CellProfiler (ours: Profiles)", "Scaffold", 40),
    ],
)
def test_cells_hold_the_single_draw_with_its_interval(tables, name, method, split, hits):
    low, high = exact_interval(hits, 200)
    row = cells(tables[name], method, split)
    assert (
        row["Top-1 (%)"]
        == f"{significant_digits(hits / 2)} ({significant_digits(100 * low)}–{significant_digits(100 * high)})"
    )
    assert row["Top-10 (%)"].startswith(significant_digits((hits + 20) / 2))
    assert (row["n"], row["Candidates"]) == ("200", "28")


def test_published_cells_are_as_printed(tables):
    row = cells(tables["7"], "CLOOME (image retr.)", "Scaffold")
    assert (row["Published top-1 (%)"], row["Published n"]) == ("8.37 (7.00–9.95)", "1,398")
    assert cells(tables["12_clean"], "GapNet (published only)")["Published top-5 (%)"] == "4.68"
    assert cells(tables["12_clean"], "GapNet (published only)")["Top-5 (%)"] == ABSENT
    assert any("the exact interval is 6.97–9.95" in note for note in tables["7"].notes)


def test_our_models_have_their_own_names(tables):
    """Rows keep the published name, and say which of our models stands there."""
    look = Look(models={"profile": "Profile model", "bilinear": "x^T W z"})
    renamed = supplement_tables(metrics_of_both_splits("Profile model", "x^T W z"), DATA_NOTE, look)
    labels = {
        "CLOOME (structure retr.)": "CLOOME (structure retr.) (ours: Profile model)",
        "Bilinear model (image retr.)": "Bilinear model (image retr.) (ours: x^T W z)",
    }
    for published, ours in labels.items():
        row, same = cells(renamed["7"], ours), cells(tables["7"], published)
        assert row.drop("Method").tolist() == same.drop("Method").tolist()
        assert row["Top-1 (%)"][0].isdigit()
    assert set(renamed["11"].table["Method"]) == {"CLOOME (ours: Profile model)"}
    assert set(renamed["10"].table["Method"]) == {"CLOOME (ours: Profile model)"}
    assert renamed["10"].table["AUC, mean ± SD"].tolist() == tables["10"].table["AUC, mean ± SD"].tolist()
    assert "Large rotation: CLOOME (image retr.) (ours: Profile model)" in set(renamed["8"].table["Method"])


def test_a_study_without_the_baseline_leaves_its_rows_empty(tables):
    look = Look(models={"cloome": "CLOOME"})
    metrics = metrics_of_both_splits().query("method != 'Bilinear'")
    alone = supplement_tables(metrics, DATA_NOTE, look)["7"]
    assert alone.table["Method"].tolist() == tables["7"].table["Method"].tolist()
    assert cells(alone, "Bilinear model (image retr.)")["Top-1 (%)"] == ABSENT
    assert cells(alone, "CLOOME (image retr.)").equals(cells(tables["7"], "CLOOME (image retr.)"))


def test_draws_stand_beside(tables):
    row = cells(tables["7"], "CLOOME (structure retr.)")
    assert row["Top-1 (%), over draws"] == "16.5 ± 1.2"
    assert cells(tables["7"], "CLOOME (image retr.)")["Top-1 (%), over draws"] == ABSENT
    assert "over 10 draws" in tables["7"].notes[1]
    assert "no further draws" in tables["8"].notes[1]


def test_intervals_of_dependent_queries_are_called_too_narrow(tables):
    assert {name for name, found in tables.items() if DEPENDENT_QUERIES in found.notes} == {
        "11",
        "11_clean",
        "12",
        "12_clean",
    }


def test_probing(tables):
    row = tables["10"].table.iloc[0]
    assert row["AUC, mean ± SD"] == "0.750 ± 0.100 (0.730–0.770)"
    assert row["Published AUC, mean ± SD"] == "0.713 ± 0.2"
    assert (row["AUC > 0.8"], row["Published AUC > 0.8"]) == ("12", "83")
    assert (row["Assays"], row["Not scored"], row["Published assays"]) == ("45", "3", "209")
    assert "A sample is a compound" in tables["10"].notes[1]
    clean = tables["10_clean"].table.iloc[0]
    assert (clean["AUC, mean ± SD"][:5], clean["Published AUC, mean ± SD"]) == ("0.812", "0.714")
    # the scaffold split has no probing: its row is there, empty
    assert tables["10"].table.iloc[1][["Split", "AUC, mean ± SD"]].tolist() == ["Scaffold", ABSENT]


def test_a_split_of_ones_own_comes_after_the_published():
    metrics = table(
        rows_of("retrieval", "CLOOME", 20, pool="sampled", direction="image to compound", split="provided"),
        rows_of("zero-shot MoA", "CLOOME", 20, excluded="none", split="provided"),
        probing_rows(split="provided", shown_by="field"),
    )
    tables = supplement_tables(metrics, DATA_NOTE, LOOK)
    assert tables["7"].table["Split"].unique().tolist() == ["Random", "Scaffold", "Provided"]
    row = cells(tables["7"], "CLOOME (structure retr.)", "Provided")
    assert row["Top-1 (%)"].startswith("10.0")
    assert row["Published top-1 (%)"] == row["Published n"] == ABSENT
    assert cells(tables["12_clean"], "CLOOME", "Provided")["Top-1 (%)"].startswith("10.0")
    assert "Provided" not in tables["9"].table["Split"].tolist()
    assert tables["10_clean"].table["AUC, mean ± SD"].str[:5].tolist() == ["0.812"]
    assert "A sample is a field, as in the publication." in tables["10_clean"].notes[1]


def test_a_study_without_results_still_shows_the_published():
    empty = schemas.metrics.validate(pd.DataFrame(columns=list(schemas.metrics.columns)))
    for found in supplement_tables(empty, DATA_NOTE, LOOK).values():
        assert NO_RESULTS in found.notes
        ours = [name for name in found.table if re.match("Top|AUC|F1|n$|Candidates|Assays|Not", name)]
        assert set(found.table[ours].to_numpy().ravel()) == {ABSENT}
    assert "11.3 (9.94–12.7)" in set(supplement_tables(empty, DATA_NOTE, LOOK)["7"].table["Published top-1 (%)"])


def test_data_are_named():
    assert "SIMULATED" not in describe_data_sources("mine", simulated=False, published_screen=False)
    assert "newly drawn folds" in describe_data_sources("cpg0012", simulated=False, published_screen=True)
