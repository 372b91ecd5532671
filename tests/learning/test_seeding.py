import pytest
import torch

from cloome_kedro.learning.seeding import seeded


def test_draws_follow_the_seed_and_leave_the_global_state_alone():
    state = torch.get_rng_state()
    drawn = []
    for seed in (3, 3, 4):
        with seeded(seed):
            drawn.append(torch.rand(4))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(torch.get_rng_state(), state)


def test_the_state_comes_back_after_an_error_too():
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match="drawn"), seeded(0):
        raise ValueError(f"drawn: {torch.rand(2)}")
    assert torch.equal(torch.get_rng_state(), state)
