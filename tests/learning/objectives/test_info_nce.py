import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.learning.objectives.info_nce import InfoNCE
from objective_formulas import info_nce, unit_vectors


def loss(field, compound, scale):
    outputs = {"field": field, "compound": compound, "scale": scale}
    return InfoNCE()({name: torch.tensor(value, dtype=torch.float64) for name, value in outputs.items()})


@settings(max_examples=50)
@given(n=st.integers(2, 12), d=st.integers(1, 6), scale=st.floats(1, 100), seed=st.integers(0, 99))
def test_the_loss_is_its_closed_form(n, d, scale, seed):
    x, z = unit_vectors(n, d, seed)
    assert loss(x, z, scale).item() == pytest.approx(info_nce(x, z, scale), rel=1e-9, abs=1e-9)


def test_embeddings_need_not_have_length_one():
    x, z = np.random.default_rng(0).normal(size=(2, 6, 3))
    assert loss(x, z, 1.0).item() == pytest.approx(info_nce(x, z, 1.0), rel=1e-12)


@pytest.mark.parametrize("n", [2, 7, 100])
def test_where_all_scores_are_equal_the_loss_is_that_of_chance(n):
    assert loss(np.zeros((n, 3)), np.ones((n, 3)), 14.3).item() == pytest.approx(math.log(n))


def test_orthogonal_pairs():
    """Each row of scores is the scale once and zero otherwise."""
    assert loss(np.eye(4), np.eye(4), 3.0).item() == pytest.approx(math.log(math.exp(3) + 3) - 3)
