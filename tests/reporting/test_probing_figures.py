"""The figure of linear probing."""

import numpy as np
import pytest

from cloome_kedro.reporting.probing_figures import assay_auc
from cloome_kedro.reporting.style import Look
from synthetic_study import LOOK, make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


def test_assays_are_sorted_by_the_models_auc_and_counted(study):
    scores = study["probing_scores"]
    figure = assay_auc(scores, study["corrupted_probing_scores"], LOOK)
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
    changed = study["corrupted_probing_scores"].query("scored").set_index("assay")["auc"]
    clean = scores.query("method == 'CLOOME' and scored").set_index("assay")["auc"]
    order = clean.sort_values(ascending=False).index
    np.testing.assert_array_equal(points.get_xdata(), clean[order])
    np.testing.assert_array_equal(points.get_ydata(), changed[order])


def test_without_corruption_there_is_no_third_panel(study):
    figure = assay_auc(study["probing_scores"], study["corrupted_probing_scores"].iloc[:0], LOOK)
    assert len(figure.axes) == 2


def test_no_scored_assay_is_said(study):
    scores = study["probing_scores"]
    for nothing in (scores.iloc[:0], scores.assign(scored=False)):
        figure = assay_auc(nothing, study["corrupted_probing_scores"].iloc[:0], LOOK)
        assert figure.texts[0].get_text() == "No assay could be scored."


def test_the_model_has_its_own_name(study):
    """A model that was not probed leaves nothing to sort by."""
    scores, corrupted = study["probing_scores"], study["corrupted_probing_scores"]
    look = Look(models={"profile": "Profile model"})
    renamed = scores.replace({"method": {"CLOOME": "Profile model"}})
    figure = assay_auc(renamed, corrupted, look)
    assert len(figure.axes) == 2, "the corrupted images are of another model"
    assert figure.axes[0].get_xlabel() == "assays, in the order of Profile model's AUC"
    assert "Profile model above" in [text.get_text() for text in figure.axes[0].texts]
    assert assay_auc(scores, corrupted, look).texts[0].get_text() == "Profile model has no scored assay."
