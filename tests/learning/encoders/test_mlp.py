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


@pytest.mark.parametrize(
    ("settings", "same_as"),
    [({"norm": "batch"}, {}), ({"norm": "none"}, {"batch_norm": False}), ({"dropout": 0.5, "input_dropout": 0.5}, {})],
    ids=str,
)
def test_weights_do_not_depend_on_how_the_norm_is_named_nor_on_dropout(settings, same_as):
    networks = []
    for given in (settings, same_as):
        with seeded(0):
            networks.append(MLP(2, 7, **given).build(16, 3).eval())
    first, other = (network.state_dict() for network in networks)
    assert list(first) == list(other)
    assert all(torch.equal(first[name], other[name]) for name in first)
    x = torch.rand(4, 16)
    assert torch.equal(networks[0](x), networks[1](x))


def test_the_defaults_have_no_further_modules():
    """Finished trainings are found again by the text of the network."""
    assert "ropout" not in repr(MLP().build(4, 3))


def test_layer_normalisation():
    with seeded(0):
        encoder = MLP(layers=2, width=7, norm="layer").build(16, 3).double()
        x = torch.rand(4, 16, dtype=torch.float64)
    randomise_statistics(encoder)
    t, y = encoder.state_dict(), x
    for i in range(2):
        y = y @ t[f"layers.{i}.0.weight"].T + t[f"layers.{i}.0.bias"]
        centred = y - y.mean(1, keepdim=True)
        y = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
        y = (y * t[f"layers.{i}.1.weight"] + t[f"layers.{i}.1.bias"]).relu()
    y = y @ t["layers.2.0.weight"].T + t["layers.2.0.bias"]
    torch.testing.assert_close(encoder(x), y, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("dropout", "input_dropout"), [(0.4, 0.0), (0.0, 0.7), (0.4, 0.7)])
def test_dropout_zeroes_shares_of_inputs_and_hidden_values_in_training(dropout, input_dropout):
    """The layers compute identities: what is left is the inputs, each kept with the product of both shares."""
    width, rows = 64, 500
    encoder = MLP(2, width, norm="none", dropout=dropout, input_dropout=input_dropout).build(width, width)
    with torch.no_grad():
        for name, tensor in encoder.state_dict().items():
            tensor.copy_(torch.eye(width) if name.endswith("weight") else torch.zeros(width))
    x = torch.ones(rows, width)
    with seeded(0):
        found = encoder.train()(x)
    kept = (1 - input_dropout) * (1 - dropout) ** 2
    assert (found != 0).float().mean().item() == pytest.approx(kept, abs=4 * (kept * (1 - kept) / x.numel()) ** 0.5)
    assert found.unique().tolist() == pytest.approx([0, 1 / kept], rel=1e-5)
    assert torch.equal(encoder.eval()(x), x)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "group"}, "MLP: norm must be one of batch, layer, none, is group"),
        ({"norm": "batch", "batch_norm": False}, "norm: batch and batch_norm: false contradict each other"),
        ({"dropout": 1.0}, r"MLP: dropout must be from 0 to below 1, is 1\.0"),
        ({"input_dropout": -0.1}, r"MLP: input_dropout must be from 0 to below 1, is -0\.1"),
    ],
)
def test_settings_that_make_no_network_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MLP(**settings)


@pytest.mark.parametrize("setting", ["layers", "width"])
def test_bad_settings_are_named(setting):
    with pytest.raises(ValueError, match=f"MLP: {setting} must be at least 1, is 0"):
        MLP(**{setting: 0})


def test_the_size_of_the_space_is_free():
    assert MLP().fixed_size(7) is None
