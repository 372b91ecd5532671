import numpy as np
import pytest

from cloome_kedro.reporting.probing_figures import assay_auc
from synthetic_study import make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


def test_assays_are_sorted_by_the_models_auc_and_counted(study):
    scores = study["probing_scores"]
    figure = assay_auc(scores, study["corruption_probing_scores"], "random split", "simulated data")
    ordered, by_method, corrupted = figure.axes
    expected = scores.query("method == 'CLOOME' and scored")["auc"].sort_values(ascending=False)
    model = next(line for line in ordered.lines if line.get_label() == "CLOOME")
    np.testing.assert_array_equal(model.get_ydata(), expected)
    texts = [text.get_text() for text in ordered.texts]
    for level in (0.9, 0.8, 0.7):
        assert f"{(expected > level).sum()} of 11" in texts
    assert [label.get_text() for label in by_method.get_xticklabels()] == [
        "CLOOME", "Profiles", "Untrained", "Plate only", "Cell count only"
    ]  # fmt: skip
    points = corrupted.lines[1]
    changed = study["corruption_probing_scores"].query("scored").set_index("assay")["auc"]
    clean = scores.query("method == 'CLOOME' and scored").set_index("assay")["auc"]
    order = clean.sort_values(ascending=False).index
    np.testing.assert_array_equal(points.get_xdata(), clean[order])
    np.testing.assert_array_equal(points.get_ydata(), changed[order])


def test_without_corruption_there_is_no_third_panel(study):
    figure = assay_auc(study["probing_scores"], study["corruption_probing_scores"].iloc[:0])
    assert len(figure.axes) == 2


def test_no_scored_assay_is_said(study):
    scores = study["probing_scores"]
    for nothing in (scores.iloc[:0], scores.assign(scored=False)):
        figure = assay_auc(nothing, study["corruption_probing_scores"].iloc[:0])
        assert figure.texts[0].get_text() == "No assay could be scored."
