"""The perceptron against its formula, written with matrices; tests/test_parity.py has its names and sizes."""

import pytest
import torch

from batch_norm_formula import batch_norm, randomise_statistics
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.seeding import seeded


@pytest.mark.parametrize("norm", [True, False])
def test_it_is_a_perceptron(norm):
    with seeded(0):
        encoder = MLP(layers=2, width=7, batch_norm=norm).build(16, 3).double().eval()
        x = torch.rand(4, 16, dtype=torch.float64)
    randomise_statistics(encoder)
    t = encoder.state_dict()
    y = x
    for i in range(2):
        y = y @ t[f"layers.{i}.0.weight"].T + t[f"layers.{i}.0.bias"]
        y = (batch_norm(y, t, f"layers.{i}.1") if norm else y).relu()
    y = y @ t["layers.2.0.weight"].T + t["layers.2.0.bias"]
    torch.testing.assert_close(encoder(x), y, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("setting", ["layers", "width"])
def test_bad_settings_are_named(setting):
    with pytest.raises(ValueError, match=f"MLP: {setting} must be at least 1, is 0"):
        MLP(**{setting: 0})


def test_the_size_of_the_space_is_free():
    assert MLP().fixed_size(7) is None
