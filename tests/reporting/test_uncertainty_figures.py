"""The figure that says how sure an answer is."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cloome_kedro.reporting.uncertainty_figures import answer_certainty
from synthetic_study import LOOK, MODELS, make_study


def test_coverages_intervals_and_curves_are_drawn():
    study = make_study()
    sets, answered = study["candidate_sets"], study["answered"]
    figure = answer_certainty(sets, answered, LOOK)
    upper, lower = figure.axes[:2], figure.axes[2:]
    assert [axis.get_title() for axis in upper] == ["image → compound", "compound → image"]
    shown = sets.query("task == 'retrieval' and shown_by == 'field' and method == 'CLOOME'")
    for axis, direction in zip(upper, ("image to compound", "compound to image"), strict=True):
        expected = shown[shown["direction"] == direction]["coverage"]
        points = [line.get_ydata()[0] for line in axis.lines if line.get_marker() not in ("None", "", None)]
        np.testing.assert_allclose(sorted(points), sorted(expected))
    curves = answered.query(
        "task == 'retrieval' and shown_by == 'field' and k == 1 and direction == 'image to compound'"
    )
    for label in MODELS.values():
        expected = curves.query("method == @label").sort_values("share")["accuracy"].to_numpy()
        assert any(np.array_equal(line.get_ydata(), expected) for line in lower[0].lines), label


def test_labels_of_neighbouring_panels_do_not_touch():
    study = make_study()
    figure = answer_certainty(study["candidate_sets"], study["answered"], LOOK)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    left, right = (axis.xaxis.label.get_window_extent(canvas.get_renderer()) for axis in figure.axes[2:4])
    assert right.x0 - left.x1 > 10


def test_without_measured_coverage_the_figure_says_so():
    study = make_study()
    sets = study["candidate_sets"].assign(coverage=np.nan)
    figure = answer_certainty(sets, study["answered"].iloc[:0], LOOK)
    assert "No test compound is measured" in figure.texts[0].get_text()
