"""Screens with too few compounds to rank, and what figures and texts say of few things."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cloome_kedro import schemas
from cloome_kedro.evaluation.summary import Summary, summarise_ranks
from cloome_kedro.reporting import figures, gallery, montage
from cloome_kedro.reporting.headline import headline
from cloome_kedro.reporting.images import encode
from cloome_kedro.reporting.small_screens import evaluable, reasons_by_task, why_not
from cloome_kedro.reporting.style import Look, log_ticks
from cloome_kedro.reporting.tables import format_retrieval, retrieval_tables
from cloome_kedro.reporting.tasks_text import format_tasks
from report_run import run_report
from synthetic_study import LOOK, make_study


def one_compound():
    """The invented study with a single test compound, which is ranked first among one candidate."""
    study = make_study()
    mechanisms = study["zero_shot_ranks"].query("task == 'zero-shot MoA'")
    key = mechanisms.loc[mechanisms["compound"].isin(study["retrieval_ranks"]["compound"]), "compound"].iloc[0]
    for name in ("retrieval_ranks", "zero_shot_ranks", "corruption_ranks"):
        ranks = study[name]
        study[name] = ranks[ranks["compound"] == key].assign(candidates=1, rank=1).reset_index(drop=True)
    metrics = [summarise_ranks(study[name], Summary()) for name in ("retrieval_ranks", "zero_shot_ranks")]
    probing = study["metrics"].query("task == 'probing'")
    metrics = pd.concat([*metrics, probing], ignore_index=True).assign(split_hash=probing["split_hash"].iloc[0])
    keep = (study["examples"]["fold"] != "test") | (study["examples"]["inchikey"] == key)
    study["examples"] = study["examples"].assign(fold=study["examples"]["fold"].where(keep, "train"))
    return study | {"metrics": schemas.metrics.validate(metrics)}


@pytest.fixture(scope="module")
def study():
    return one_compound()


@pytest.fixture(scope="module")
def catalog(study):
    return run_report({"random": study})


def test_a_rank_among_one_candidate_is_no_result(study):
    assert set(study["metrics"].query("metric == 'top-1'")["value"]) == {1}
    assert set(evaluable(study["metrics"])["task"]) == {"probing"}
    assert len(evaluable(make_study()["metrics"])) == len(make_study()["metrics"])
    assert reasons_by_task(study["metrics"], "validation") == dict.fromkeys(
        ("retrieval", "zero-shot compound", "zero-shot MoA"), "cannot be evaluated: 1 validation compound"
    )
    assert reasons_by_task(make_study()["metrics"]) == {}


@pytest.mark.parametrize(
    ("task", "compounds", "reason"),
    [
        ("retrieval", 1, "1 test compound"),
        ("retrieval", 5, "1 candidate"),
        ("zero-shot MoA", 4, "1 mechanism among the test compounds"),
        ("zero-shot MoA", 1, "1 test compound"),
    ],
)
def test_the_reason_is_said(task, compounds, reason):
    rows = pd.DataFrame({"candidates": [1.0, 1.0], "compounds": compounds})
    assert why_not(rows, task) == f"cannot be evaluated: {reason}"
    assert why_not(rows.assign(candidates=[1.0, 1.5]), task) == ""
    assert why_not(rows.iloc[:0], task) == ""


def test_the_headline_says_that_it_cannot_be_evaluated(study):
    retrieval, mechanism, assays = headline(study["metrics"], study["differences"], LOOK)
    assert (retrieval.title, retrieval.reason) == ("Retrieval", "cannot be evaluated: 1 test compound")
    assert mechanism.reason == retrieval.reason
    assert assays.reason == ""
    assert np.isfinite(assays.value)


def test_the_report_shows_no_accuracy(catalog):
    html = catalog["report"].load()
    result = html[html.index('<section id="result">') : html.index('<section id="data">')]
    assert result.count("cannot be evaluated: 1 test compound") == 2
    assert "nan" not in result
    assert "100.0 %" not in html.replace("100.0 %)", "")
    assert "<p>Retrieval cannot be evaluated: 1 test compound. At least two are needed.</p>" in html
    assert "<p>Zero-shot MoA cannot be evaluated: 1 test compound. At least two are needed.</p>" in html
    for name in ("retrieval_accuracy_figure", "rank_distribution_figure", "retrieval_gallery_figure"):
        figure = catalog[f"random.{name}"].figure
        assert figure.texts[0].get_text() == "Retrieval cannot be evaluated: 1 test compound."


def test_the_terminal_says_it_too(catalog, study):
    assert "random split: cannot be evaluated: 1 test compound" in catalog["summary"].load()
    assert "random split: zero-shot MoA cannot be evaluated: 1 test compound" in format_tasks(study["metrics"], LOOK)
    assert "Intervals of top-1" in format_tasks(make_study()["metrics"], LOOK)
    assert "Intervals of top-1" not in format_tasks(study["metrics"], LOOK)
    assert "100" not in format_retrieval(study["metrics"].query("task == 'retrieval'"), LOOK)


@pytest.mark.parametrize("size", [1, 2, 1500])
def test_candidates_are_counted_in_singular_and_plural(size):
    study = make_study()
    expected = {1: "1 candidate", 2: "2 candidates", 1500: "1,500 candidates"}[size]
    ranks = study["retrieval_ranks"].assign(candidates=size, rank=1)
    titles = [axis.get_title() for axis in figures.rank_distribution(ranks, LOOK).axes]
    metrics = study["metrics"].query("task == 'retrieval' and images == 'clean'").assign(candidates=float(size))
    titles += [axis.get_title() for axis in figures.top_k_bars(metrics, LOOK).axes]
    titles += list(retrieval_tables(metrics, LOOK))
    for title in titles:
        assert re.search(rf"(^|\s){expected}\b", title), title


def ticks(low, high):
    figure = Figure(figsize=(4, 3), layout="constrained")
    axis = figure.subplots()
    axis.set_xscale("log")
    axis.set_xlim(0.9 * low, 1.1 * high)
    log_ticks(axis.xaxis, low, high)
    encode(figure, "png")
    shown = axis.get_xlim()
    labels = [*zip(axis.get_xticks(), axis.get_xticklabels(), strict=True)]
    assert not any(label.get_text() for label in axis.get_xticklabels(minor=True))
    return [label.get_text() for place, label in labels if shown[0] <= place <= shown[1]]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1, 1, ["1"]),
        (1, 2, ["1", "2"]),
        (1, 9, ["1", "2", "5"]),
        (1, 28, ["1", "2", "5", "10", "20"]),
        (1, 2115, ["1", "10", "100", "1000"]),
        (0.0008, 0.02, ["0.001", "0.002", "0.005", "0.01", "0.02"]),
        (1e-5, 1e-1, ["1e\N{MINUS SIGN}05", "0.0001", "0.001", "0.01", "0.1"]),
    ],
)
def test_logarithmic_axes_have_plain_numbers(low, high, expected):
    assert ticks(low, high) == expected


LONG = "a compound or split with a rather long name " * 4


def headings(figure):
    """Titles and other texts outside of axes, with those of subfigures."""
    parts = [figure, *figure.subfigs]
    return [
        *(text for part in parts for text in part.texts),
        *(axis.title for axis in figure.axes),
        *(axis._left_title for axis in figure.axes),
    ]


@pytest.mark.parametrize("name", ["random split", LONG])
def test_titles_are_not_clipped(name):
    study = make_study()
    study["compounds"] = study["compounds"].assign(name=name)
    look = Look(name, "simulated data", LOOK.models)
    read = montage.field_reader(study["plate_store"], study["fields"])
    names = study["pairs"].merge(study["compounds"], on="inchikey").set_index("field_id")["name"]
    embeddings = study["field_embeddings"], study["compound_embeddings"]
    few = study["retrieval_ranks"].query("pool == 'full'").assign(candidates=3)
    drawn = {
        "message": look.message(f"Retrieval cannot be evaluated: {name}"),
        "one panel": figures.rank_distribution(few.assign(rank=1), look),
        "training": figures.training_curves(study["histories"]["cloome"], look),
        "gallery": gallery.retrieval_gallery(
            study["retrieval_ranks"], embeddings, study["compounds"], read, look, queries=1, hits=1
        ),
        "fields": montage.sample_panels(study["fields"], read, names, 0, "simulated data"),
    }
    for kind, figure in drawn.items():
        encode(figure, "png", 100)
        width, height = figure.bbox.width, figure.bbox.height
        for text in headings(figure):
            if text.get_text():
                box = text.get_window_extent()
                assert box.x0 >= 0, (kind, text.get_text())
                assert box.y0 >= 0, (kind, text.get_text())
                assert box.x1 <= width, (kind, text.get_text())
                assert box.y1 <= height, (kind, text.get_text())
        titles = [text.get_window_extent() for axis in figure.axes[:2] for text in (axis.title, axis._left_title)]
        boxes = [box for box in titles if box.width]
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i]), kind
