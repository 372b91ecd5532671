import torch

from cloome_kedro.learning.encoders.identity import Identity


def test_vectors_are_their_own_embeddings():
    x = torch.randn(4, 9)
    network = Identity().build(9, 9)
    assert torch.equal(network(x), x)
    assert not list(network.parameters())


def test_the_size_of_the_space_is_that_of_the_input():
    assert Identity().fixed_size(9) == 9
