"""Figures of zero-shot classification."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.reporting import zero_shot_figures
from cloome_kedro.reporting.style import Look
from synthetic_study import LOOK, make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


@pytest.fixture(scope="module")
def clean(study):
    return study["metrics"].query("images == 'clean'")


def test_protocols_are_named_by_what_references_may_be():
    label = zero_shot_figures.protocol_label
    assert label("full", "none") == label("full", None) == "any reference"
    assert label("full", "plate+compound") == "other plates and compounds"
    assert label("same plate", "none") == "same plate"
    assert label("same plate", "well") == "same plate, other wells"


def test_every_method_has_its_value_and_interval_by_protocol(clean):
    figure = zero_shot_figures.zero_shot_accuracy(clean, LOOK)
    compound, moa = figure.axes
    assert [label.get_text().split("\nn =")[0] for label in compound.get_xticklabels()] == [
        "any reference", "other wells", "other plates", "same plate,\nother wells"
    ]  # fmt: skip
    assert len(moa.get_xticklabels()) == 6
    rows = clean.query("task == 'zero-shot MoA' and draws == 1 and metric == 'top-1' and method != 'Random'")
    assert len(rows) == 5 * 6
    points = {tuple(line.get_ydata()) for line in moa.lines if line.get_marker() != "None"}
    assert {(value,) for value in rows["value"]} == points
    intervals = {tuple(line.get_ydata()) for line in moa.lines if len(line.get_ydata()) == 2}
    assert set(zip(rows["low"], rows["high"], strict=True)) <= intervals
    chance = [line.get_ydata()[0] for line in moa.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(chance, 1 / 9)
    assert [text.get_text() for text in figure.legends[0].texts] == [
        "CLOOME", "Profiles", "Untrained", "Plate only", "Cell count only", "chance"
    ]  # fmt: skip
    assert figure._suptitle.get_text() == "random split · simulated data"


def test_a_task_without_rows_has_no_panel(clean):
    assert len(zero_shot_figures.zero_shot_accuracy(clean.query("task == 'zero-shot compound'"), LOOK).axes) == 1


def test_no_zero_shot_at_all_is_said(study):
    for draw, table in (("zero_shot_accuracy", "metrics"), ("zero_shot_ranks", "zero_shot_ranks")):
        figure = getattr(zero_shot_figures, draw)(study[table].iloc[:0], LOOK)
        assert "No zero-shot results" in figure.texts[0].get_text()


def test_ranks_are_of_the_published_protocol(study):
    figure = zero_shot_figures.zero_shot_ranks(study["zero_shot_ranks"], LOOK)
    assert [axis.get_title() for axis in figure.axes] == ["zero-shot compound, 28 classes", "zero-shot MoA, 9 classes"]
    found = study["zero_shot_ranks"].query(
        "task == 'zero-shot MoA' and method == 'CLOOME' and pool == 'full' and excluded == 'none'"
    )["rank"]
    curve = next(line for line in figure.axes[1].lines if line.get_label() == "CLOOME")
    k, share = curve.get_data()
    assert share[k <= 1].max(initial=0) == pytest.approx((found == 1).mean())


def test_means_are_drawn_where_there_are_no_fields(clean):
    metrics = clean.assign(shown_by="mean")
    both = pd.concat([clean, metrics.assign(value=0.99)])
    assert len(zero_shot_figures.zero_shot_accuracy(metrics, LOOK).axes) == 2
    drawn = zero_shot_figures.zero_shot_accuracy(both, LOOK)
    assert not any(line.get_ydata()[0] == 0.99 for axis in drawn.axes for line in axis.lines)


def test_methods_keep_their_order_in_a_study_of_other_models(clean):
    renamed = clean.replace({"method": {"CLOOME": "Profile model"}})
    figure = zero_shot_figures.zero_shot_accuracy(renamed, Look(models={"profile": "Profile model"}))
    assert [text.get_text() for text in figure.legends[0].texts][:2] == ["Profile model", "Profiles"]
