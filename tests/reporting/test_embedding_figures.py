"""Figures of the embedding space."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.modality_gap import modality_gap
from cloome_kedro.reporting.embedding_figures import embedding_map, keep_most_common, modality_gap_figure
from cloome_kedro.reporting.style import Look


def _unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def vectors():
    return _unit(np.random.default_rng(0).normal(size=(90, 6)) * [4, 2, 1, 1, 1, 1])


def test_rare_and_missing_labels_are_others():
    labels = pd.Series(["a", "b", "b", None, "c", "c"])
    assert keep_most_common(labels, number=2).tolist() == ["others", "b", "b", "others", "c", "c"]
    assert keep_most_common(pd.Series([None, None])).tolist() == ["others"] * 2


def test_map_is_the_plane_of_most_variance(vectors):
    mechanisms = pd.Series(["x", "y", None] * 30)
    figure = embedding_map(vectors, mechanisms, pd.Series(["p1", "p2"] * 45), Look("random split"))
    by_mechanism, by_plate = figure.axes
    centred = vectors - vectors.mean(0)
    variance = np.linalg.svd(centred, compute_uv=False) ** 2
    share = 100 * variance / variance.sum()
    assert by_mechanism.get_xlabel() == f"PC 1 ({share[0]:.1f} % of variance)"
    assert by_mechanism.get_ylabel() == f"PC 2 ({share[1]:.1f} %)"
    points = np.concatenate([part.get_offsets() for part in by_plate.collections])
    np.testing.assert_allclose((points**2).sum(0), variance[:2], rtol=1e-6)
    assert {text.get_text() for text in by_mechanism.get_legend().texts} == {"others", "x", "y"}
    assert {text.get_text() for text in by_plate.get_legend().texts} == {"p1", "p2"}
    assert figure._suptitle.get_text() == "random split"


def test_a_part_of_many_fields_is_drawn_of_the_same_plane(vectors):
    few = embedding_map(vectors, pd.Series(["x"] * 90), pd.Series(["p"] * 90), Look(), max_points=10)
    assert sum(len(part.get_offsets()) for part in few.axes[0].collections) == 10
    whole = embedding_map(vectors, pd.Series(["x"] * 90), pd.Series(["p"] * 90), Look())
    assert few.axes[0].get_xlabel() == whole.axes[0].get_xlabel()


def test_two_fields_make_no_map(vectors):
    with pytest.raises(ValueError, match="at least three fields; got 2"):
        embedding_map(vectors[:2], pd.Series(["x", "y"]), pd.Series(["p", "p"]), Look())


def test_gap_is_drawn_with_its_numbers(vectors):
    compounds = _unit(vectors[:30] + 1)
    gap = modality_gap(vectors, compounds, np.arange(90) % 30)
    figure = modality_gap_figure(gap, vectors, compounds, Look(note="simulated data"))
    texts = [text.get_text() for axis in figure.axes for text in axis.get_legend().texts]
    assert f"centroids, {gap.distance:.2f} apart" in texts
    assert f"image and its compound, mean {gap.matched.mean():.2f}" in texts
    assert f"image and another compound, mean {gap.unmatched.mean():.2f}" in texts
    assert figure._suptitle.get_text() == "simulated data"
    means = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(means, [gap.unmatched.mean(), gap.matched.mean()])
    # centroids keep their distance as far as the plane shows it
    centroids = next(line for line in figure.axes[1].lines if len(line.get_xdata()) == 2).get_xydata()
    assert np.linalg.norm(centroids[0] - centroids[1]) <= gap.distance + 1e-9
