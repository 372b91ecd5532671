"""Figures of training and of ranks."""

import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cloome_kedro import schemas
from cloome_kedro.reporting import figures
from cloome_kedro.reporting.style import Look, single_draw
from synthetic_study import LOOK, make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


def _texts(figure):
    return " ".join(text.get_text() for text in [*figure.texts, figure._suptitle] if text is not None)


def test_training_curves_draw_the_history(study):
    history = study["histories"]["cloome"]
    figure = figures.training_curves(history, LOOK)
    loss, accuracy, temperature = figure.axes
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), history["train_loss"])
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), history["validation_loss"])
    np.testing.assert_array_equal(temperature.lines[0].get_ydata(), history["inverse_temperature"])
    assert [text.get_text() for text in accuracy.get_legend().texts] == [
        "image → compound",
        "compound → image",
        "mean",
        "kept epoch",
    ]
    for line, column in zip(accuracy.lines, ("top1_image_to_compound", "top1_compound_to_image", "top1"), strict=False):
        np.testing.assert_array_equal(line.get_ydata(), history[f"validation_{column}"])
    assert list(loss.lines[2].get_xdata()) == [27, 27]
    assert "random split · simulated data" in _texts(figure)


def test_a_published_model_has_no_curves(study):
    figure = figures.training_curves(study["histories"]["cloome"].iloc[:0], LOOK)
    assert not figure.axes
    assert "not trained here" in _texts(figure)


def test_training_whose_validation_has_no_values_is_drawn(study):
    history = study["histories"]["cloome"].assign(validation_loss=np.nan, validation_top1=np.nan, best=False)
    figure = figures.training_curves(history, Look("random split"))
    figure.draw_without_rendering()
    assert "simulated" not in _texts(figure)
    loss, accuracy, _ = figure.axes
    assert [text.get_text() for text in loss.get_legend().texts] == ["training"]
    assert any(text.get_text() == "not evaluated" for text in accuracy.texts) == (
        not history.filter(like="validation_top1_").notna().any(axis=None)
    )


def test_epochs_are_whole_numbers_in_all_panels(study):
    history = study["histories"]["cloome"].iloc[:4].assign(**{"epoch": range(4), "validation_top1": np.nan})
    history = history[["epoch", "step", "train_loss", "inverse_temperature", "best", "validation_top1"]]
    figure = figures.training_curves(history, Look("random split"))
    figure.draw_without_rendering()
    for axis in figure.axes:
        assert (np.mod(axis.get_xticks(), 1) == 0).all()
        assert axis.get_xlim() == figure.axes[0].get_xlim()
    assert [text.get_text() for text in figure.axes[1].texts] == ["not evaluated"]


def test_training_without_two_validation_compounds_is_drawn(study):
    """Its history has no column of validation."""
    history = study["histories"]["cloome"].filter(regex="^(?!validation_)").assign(best=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = figures.training_curves(schemas.history.validate(history), LOOK)
        figure.draw_without_rendering()
    loss, accuracy, temperature = figure.axes
    (line,) = loss.lines
    np.testing.assert_array_equal(line.get_ydata(), history["train_loss"])
    assert not accuracy.lines
    np.testing.assert_array_equal(temperature.lines[0].get_ydata(), history["inverse_temperature"])


def test_training_that_kept_by_the_loss_alone_has_no_accuracies(study):
    history = study["histories"]["cloome"].filter(regex="^(?!validation_top)")
    loss, accuracy, _ = figures.training_curves(history, LOOK).axes
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), history["validation_loss"])
    assert [text.get_text() for text in accuracy.get_legend().texts] == ["kept epoch"]


def test_rank_distribution_is_the_share_within_k(study):
    ranks = study["retrieval_ranks"]
    figure = figures.rank_distribution(ranks, LOOK)
    assert [axis.get_title() for axis in figure.axes] == [
        "image → compound, 20 candidates (sampled pool)",
        "image → compound, 28 candidates (full pool)",
        "compound → image, 20 candidates (sampled pool)",
        "compound → image, 28 candidates (full pool)",
    ]
    axis = figure.axes[1]
    curves = {line.get_label(): line for line in axis.lines}
    assert list(curves) == ["CLOOME", "Bilinear", "Oracle (phenotype)", "chance"]
    assert curves["CLOOME"].get_zorder() > curves["Bilinear"].get_zorder()
    rows = single_draw(ranks).query("pool == 'full' and direction == 'image to compound'")
    for method in ("CLOOME", "Bilinear", "Oracle (phenotype)"):
        found = rows.loc[rows["method"] == method, "rank"]
        k, share = curves[method].get_data()
        assert (share[0], share[-1], k[-1]) == (0, 1, 28)
        for top in (1, 3, 10, 28):
            assert share[k <= top].max(initial=0) == pytest.approx((found <= top).mean())
    k, share = curves["chance"].get_data()
    np.testing.assert_allclose(share, k / 28)


def test_chance_is_of_every_querys_own_pool():
    axis = Figure().subplots()
    rows = pd.DataFrame({"method": "CLOOME", "rank": [1, 2, 2], "candidates": [2, 4, 4]})
    figures.draw_within_k(axis, rows, {"CLOOME": "0.2"})
    k, share = axis.lines[1].get_data()
    assert dict(zip(k, share, strict=True)) == pytest.approx({1: 1 / 3, 2: 2 / 3, 3: 5 / 6, 4: 1})


def test_bars_have_values_intervals_and_chance(study):
    metrics = study["metrics"].query("task == 'retrieval' and images == 'clean'")
    figure = figures.top_k_bars(metrics, LOOK)
    axis = figure.axes[0]
    rows = single_draw(metrics)
    rows = rows[(rows["pool"] == "sampled") & (rows["direction"] == "image to compound")]
    model = rows[rows["method"] == "CLOOME"].set_index("metric").loc[["top-1", "top-5", "top-10"]]
    np.testing.assert_allclose([bar.get_height() for bar in axis.containers[0]], model["value"])
    intervals = [line.get_ydata() for line in axis.lines]
    for low, high in zip(model["low"], model["high"], strict=True):
        assert any(np.allclose(interval, [low, high]) for interval in intervals)
    # each interval stands on its own bar
    for bar, value in zip(axis.containers[0], model["low"], strict=True):
        middle = bar.get_x() + bar.get_width() / 2
        assert any(np.allclose(line.get_xdata(), middle) and line.get_ydata()[0] == value for line in axis.lines)
    assert [c.get_segments()[0][0][1] for c in axis.collections] == pytest.approx([0.05, 0.25, 0.5])
    assert [t.get_text() for t in figure.legends[0].texts] == ["CLOOME", "Bilinear", "Oracle (phenotype)", "chance"]


def test_corrected_methods_differ_from_their_method_by_hatch_and_line(study):
    def with_corrected(table):
        rows = table[table["method"] == "CLOOME"]
        return pd.concat([table, rows.assign(method="CLOOME, sphered")], ignore_index=True)

    metrics = with_corrected(study["metrics"].query("task == 'retrieval' and images == 'clean'"))
    figure = figures.top_k_bars(metrics, LOOK)
    entries = {text.get_text(): handle for text, handle in zip(
        figure.legends[0].texts, figure.legends[0].legend_handles, strict=True)}  # fmt: skip
    assert list(entries)[:3] == ["CLOOME", "CLOOME, sphered", "Bilinear"]
    plain, corrected = figure.axes[0].containers[:2]
    assert plain[0].get_facecolor() == corrected[0].get_facecolor()
    for method, bar in (("CLOOME", plain[0]), ("CLOOME, sphered", corrected[0])):
        assert bar.get_hatch() == entries[method].get_hatch()
    assert [bool(bar.get_hatch()) for bar in (plain[0], corrected[0])] == [False, True]
    axis = figures.rank_distribution(with_corrected(study["retrieval_ranks"]), LOOK).axes[0]
    curves = {line.get_label(): line for line in axis.lines}
    plain, corrected = curves["CLOOME"], curves["CLOOME, sphered"]
    assert plain.get_color() == corrected.get_color()
    assert plain.get_linestyle() == "-"
    assert corrected.is_dashed()


def test_styles_leave_the_global_settings_alone(study):
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures.top_k_bars(study["metrics"].query("task == 'retrieval' and images == 'clean'"), LOOK)
    assert dict(matplotlib.rcParams) == before
