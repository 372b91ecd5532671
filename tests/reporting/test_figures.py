import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cloome_kedro.reporting import figures
from cloome_kedro.reporting.style import single_draw
from synthetic_study import make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


def _texts(figure):
    return " ".join(text.get_text() for text in [*figure.texts, figure._suptitle] if text is not None)


def test_training_curves_draw_the_history(study):
    history = study["history"]
    figure = figures.training_curves(history, "random split", "simulated data")
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
    assert list(loss.lines[2].get_xdata()) == [27, 27]
    assert "random split · simulated data" in _texts(figure)


def test_a_published_model_has_no_curves(study):
    figure = figures.training_curves(study["history"].iloc[:0], "random split")
    assert not figure.axes
    assert "not trained here" in _texts(figure)


def test_training_without_validation_is_drawn(study):
    history = study["history"].assign(validation_loss=np.nan, validation_top1=np.nan, best=False)
    figure = figures.training_curves(history)
    figure.draw_without_rendering()
    assert "simulated" not in _texts(figure)


def test_rank_distribution_is_the_share_within_k(study):
    ranks = pd.concat([study["retrieval_ranks"], study["bilinear_ranks"]])
    figure = figures.rank_distribution(ranks)
    assert [axis.get_title() for axis in figure.axes] == [
        "image → compound, 20 candidates (sampled pool)",
        "image → compound, 28 candidates (full pool)",
        "compound → image, 20 candidates (sampled pool)",
        "compound → image, 28 candidates (full pool)",
    ]
    axis = figure.axes[1]
    curves = {line.get_label(): line for line in axis.lines}
    assert list(curves) == ["CLOOME", "Bilinear", "chance"]
    assert curves["CLOOME"].get_zorder() > curves["Bilinear"].get_zorder()
    rows = single_draw(ranks).query("pool == 'full' and direction == 'structure retrieval'")
    for method in ("CLOOME", "Bilinear"):
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
    figures.draw_within_k(axis, rows, ["CLOOME"])
    k, share = axis.lines[1].get_data()
    assert dict(zip(k, share, strict=True)) == pytest.approx({1: 1 / 3, 2: 2 / 3, 3: 5 / 6, 4: 1})


def test_bars_have_values_intervals_and_chance(study):
    metrics = study["retrieval_metrics"]
    figure = figures.top_k_bars(metrics)
    axis = figure.axes[0]
    rows = single_draw(metrics)
    rows = rows[(rows["pool"] == "sampled") & (rows["direction"] == "structure retrieval")]
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


def test_styles_leave_the_global_settings_alone(study):
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures.top_k_bars(study["retrieval_metrics"])
    assert dict(matplotlib.rcParams) == before
