import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from cloome_kedro.evaluation.modality_gap import ModalityGap, modality_gap


def test_by_hand():
    images, compounds = np.array([[1.0, 0], [0, 1.0], [1.0, 0]]), np.array([[1.0, 0], [0.6, 0.8]])
    gap = modality_gap(images, compounds, np.array([0, 1, 1]))
    np.testing.assert_allclose(gap.matched, [1, 0.8, 0.6])
    np.testing.assert_allclose(gap.unmatched, [0.6, 0, 1])  # of two compounds, the other one
    assert gap.distance == pytest.approx(np.hypot(2 / 3 - 0.8, 1 / 3 - 0.4))
    assert gap.separation == pytest.approx((2 + 0.5 + 2 + 1 + 0.5) / 9)


def test_opposite_modalities_are_two_apart():
    images = np.tile([1.0, 0.0], (5, 1)).astype(np.float32)
    assert modality_gap(images, -images[:2], np.zeros(5, int)).distance == pytest.approx(2)


@given(st.integers(0, 2**32), st.integers(2, 30), st.integers(1, 40))
def test_unmatched_pairs_are_never_matched_ones(seed, compounds, fields):
    generator = np.random.default_rng(seed)
    match = generator.integers(0, compounds, fields)
    gap = modality_gap(np.eye(compounds)[match], np.eye(compounds), match, seed)
    assert (gap.matched == 1).all()
    assert (gap.unmatched == 0).all()
    assert gap.separation == 1


def test_separation_is_the_area_under_the_roc_curve():
    generator = np.random.default_rng(0)
    matched, unmatched = np.round(generator.normal(0.5, 1, 200), 1), np.round(generator.normal(size=150), 1)
    expected = roc_auc_score(np.repeat([1, 0], [200, 150]), np.concatenate([matched, unmatched]))
    assert ModalityGap(matched, unmatched, 0).separation == pytest.approx(expected)


def test_one_compound_is_too_few():
    with pytest.raises(ValueError, match="two compounds; got 3 images, 1 compounds"):
        modality_gap(np.eye(3), np.eye(3)[:1], np.zeros(3, int))
