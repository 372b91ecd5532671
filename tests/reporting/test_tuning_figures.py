"""Figures of a hyperparameter search."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.reporting import tuning_figures as figures
from cloome_kedro.reporting.images import encode
from synthetic_search import BETA, EPOCHS, FAILED, KILLED, OBJECTIVE, PRUNED, RATE, WIDTH, WINNER, make_search
from synthetic_study import LOOK, make_study


@pytest.fixture
def search():
    return make_search(make_study()["examples"])


def _lines(axis):
    return {line.get_label(): line for line in axis.lines}


def _texts(figure):
    return " ".join(text.get_text() for text in [*figure.texts, figure._suptitle] if text is not None)


def test_the_course_shows_every_trial_and_the_best_so_far(search):
    trials = search["trials"]
    figure = figures.search_history(trials, search["trial_epochs"], LOOK)
    course = figure.axes[0]
    drawn = _lines(course)
    complete = trials[trials["state"] == "COMPLETE"]
    np.testing.assert_array_equal(drawn["complete"].get_xdata(), complete["number"])
    np.testing.assert_array_equal(drawn["complete"].get_ydata(), complete["value"])
    assert list(drawn["pruned"].get_xdata()) == list(PRUNED)
    assert drawn["pruned"].get_fillstyle() == "none"
    assert list(drawn["failed"].get_xdata()) == [KILLED, FAILED]
    numbers, best = drawn["best so far"].get_data()
    for number, value in zip(numbers, best, strict=True):
        assert value == complete.loc[complete["number"] <= number, "value"].max()
    assert numbers[-1] == trials["number"].max()
    assert (drawn["winner"].get_xdata()[0], drawn["winner"].get_ydata()[0]) == (WINNER, 0.5)
    assert (drawn["default"].get_xdata()[0], drawn["default"].get_ydata()[0]) == (0, pytest.approx(0.1))
    (reference,) = [line for line in course.lines if line.get_linestyle() == "--"]
    assert reference.get_ydata()[0] == pytest.approx(0.1)
    for part in ("random split", "simulated data", "top-1 in the full pool"):
        assert part in _texts(figure)


def test_curves_are_those_that_were_reported_and_pruned_ones_end_with_a_cross(search):
    curves = figures.search_history(search["trials"], search["trial_epochs"], LOOK).axes[1]
    (collection,) = curves.collections
    assert len(collection.get_segments()) == 16 - 2  # without the failed and the killed one
    crosses = next(line for line in curves.lines if line.get_marker() == "x")
    assert list(crosses.get_xdata()) == [1] * len(PRUNED)
    thick = [line for line in curves.lines if line.get_linewidth() > 2]
    for line, number in zip(thick, (0, WINNER), strict=True):
        values = search["trial_epochs"].query(f"trial == {number}")["value"]
        np.testing.assert_allclose(line.get_ydata(), values)
        assert len(values) == EPOCHS


def test_a_search_without_a_complete_trial(search):
    trials = search["trials"].assign(best=False)
    pruned = trials.assign(state="PRUNED", value=0.1)
    assert "best so far" not in _lines(figures.search_history(pruned, search["trial_epochs"], LOOK).axes[0])
    waiting = trials.assign(state="WAITING", value=None)
    figure = figures.search_history(waiting, search["trial_epochs"].iloc[:0], LOOK)
    assert not figure.axes
    assert "No trial has ended" in _texts(figure)


def test_values_that_were_not_finite_are_not_drawn(search):
    epochs = search["trial_epochs"]
    epochs.loc[epochs["trial"] == 2, "value"] = np.nan
    (collection,) = figures.search_history(search["trials"], epochs, LOOK).axes[1].collections
    assert len(collection.get_segments()) == 16 - 3


def test_a_grid_of_many_trials_stays_small(search):
    trials = pd.concat([search["trials"].iloc[[1]]] * 1536, ignore_index=True)
    generator = np.random.default_rng(0)
    trials = trials.assign(number=range(1536), source="grid", value=generator.random(1536), best=False)
    epochs = (
        trials[["number", "value"]]
        .rename(columns={"number": "trial"})
        .merge(pd.DataFrame({"epoch": range(30)}), "cross")
    )
    assert len(encode(figures.search_history(trials, epochs, LOOK), "svg")) < 7.5e5  # in base64 1 MB


def test_importances_are_bars_in_order(search):
    importances = search["importances"]
    importances.loc[importances["parameter"] == BETA, "trials"] = 5
    (axis,) = figures.importance_figure(importances, LOOK).axes
    assert [bar.get_width() for bar in axis.patches] == pytest.approx([0.6, 0.25, 0.1, 0.05])
    assert [text.get_text() for text in axis.get_yticklabels()] == [
        *("learning_rate", "compound.encoder.width", "objective.name", "objective.hopfield_beta (5 trials)")
    ]
    assert "11 complete trials" in axis.get_xlabel()
    figure = figures.importance_figure(importances.iloc[:0], LOOK)
    assert not figure.axes
    assert "No importances: there are too few complete trials" in _texts(figure)


def test_slices_show_each_parameter_that_was_varied(search):
    trials = search["trials"].assign(**{"fit.schedule": "cosine", "fit.flag": [True, False] * 8})
    trials = trials.astype({"fit.flag": "boolean", WIDTH: "Int64", RATE: "Float64", BETA: "Float64"})
    figure = figures.parameter_slices(trials, LOOK)
    axes = {axis.get_xlabel(): axis for axis in figure.axes}
    assert list(axes) == [
        *("learning_rate", "objective.name", "objective.hopfield_beta", "compound.encoder.width", "flag")
    ]
    assert [axes[name].get_xscale() for name in axes] == ["log", "linear", "linear", "linear", "linear"]
    complete = trials[trials["state"] == "COMPLETE"]
    np.testing.assert_allclose(_lines(axes["learning_rate"])["complete"].get_xdata(), complete[RATE].astype(float))
    beta = _lines(axes["objective.hopfield_beta"])["complete"]
    having = complete.dropna(subset=BETA)
    np.testing.assert_allclose(beta.get_ydata(), having["value"])
    places = having[BETA].map({8: 0, 14.3: 1, 22: 2}).astype(float)
    assert np.abs(beta.get_xdata() - places).max() <= 0.2
    assert [text.get_text() for text in axes["objective.hopfield_beta"].get_xticklabels()] == ["8", "14.3", "22"]
    assert [text.get_text() for text in axes["flag"].get_xticklabels()] == ["false", "true"]
    assert "default" in [text.get_text() for text in figure.legends[0].texts]
    figure.draw_without_rendering()


def test_numbers_that_no_two_trials_share_have_an_axis_of_their_own(search):
    """Few trials of a range of real numbers are no categories."""
    trials = search["trials"].query("state == 'COMPLETE'").head(4)
    axes = {axis.get_xlabel(): axis for axis in figures.parameter_slices(trials, LOOK).axes}
    np.testing.assert_allclose(_lines(axes["learning_rate"])["complete"].get_xdata(), trials[RATE])
    figure = figures.parameter_slices(trials.assign(**{"fit.epochs": [2, 3, 4, 6]}), LOOK)
    (epochs,) = (axis for axis in figure.axes if axis.get_xlabel() == "epochs")
    assert all(tick == int(tick) for tick in epochs.get_xticks())
    assert [text.get_text() for text in axes["objective.name"].get_xticklabels()] == ["info_loob", "info_nce"]


def test_nothing_varied(search):
    trials = search["trials"].drop(columns=[RATE, OBJECTIVE, BETA, WIDTH])
    assert "No parameter has taken two values" in _texts(figures.parameter_slices(trials, LOOK))
