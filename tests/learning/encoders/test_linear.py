import numpy as np
import pytest
import torch

from cloome_kedro.learning.encoders.linear import Linear
from cloome_kedro.learning.seeding import seeded


@pytest.mark.parametrize("bias", [False, True])
def test_a_layer_that_starts_at_zero_embeds_everything_at_zero(bias):
    layer = Linear(bias=bias, start="zeros").build(7, 3)
    assert [tuple(p.shape) for p in layer.parameters()] == [(3, 7), (3,)][: 1 + bias]
    assert torch.equal(layer(torch.randn(5, 7)), torch.zeros(5, 3))
    layer(torch.ones(1, 7)).sum().backward()
    assert torch.equal(layer.weight.grad, torch.ones(3, 7)), "it can leave zero"


@pytest.mark.parametrize("bias", [False, True])
def test_otherwise_it_starts_as_torchs_layer_does(bias):
    with seeded(0):
        layer = Linear(bias=bias).build(7, 3)
    with seeded(0):
        expected = torch.nn.Linear(7, 3, bias=bias)
    assert all(torch.equal(p, q) for p, q in zip(layer.parameters(), expected.parameters(), strict=True))
    x = torch.randn(5, 7)
    product = x.numpy() @ layer.weight.detach().numpy().T + (layer.bias.detach().numpy() if bias else 0)
    np.testing.assert_allclose(layer(x).detach().numpy(), product, atol=1e-6)


def test_the_size_of_the_space_is_free():
    assert Linear().fixed_size(7) is None
