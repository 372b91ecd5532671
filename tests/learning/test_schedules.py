import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR

from cloome_kedro.learning.schedules import warmup_cosine_restarts


def test_hand_computed_points():
    multiplier = lambda step: warmup_cosine_restarts(step, 10, 110, 2)  # noqa: E731
    assert [multiplier(s) for s in (0, 1, 5, 10)] == pytest.approx([0, 0.1, 0.5, 1])
    assert multiplier(35) == pytest.approx(0.5)
    assert multiplier(59) == pytest.approx((1 + math.cos(math.pi * 0.98)) / 2)
    assert multiplier(60) == pytest.approx(1)  # the hard restart
    assert [multiplier(s) for s in (110, 111)] == [0, 0]


def test_one_cycle_is_cosine_annealing():
    optimizer = SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    scheduler = CosineAnnealingLR(optimizer, T_max=40)
    for step in range(40):
        assert warmup_cosine_restarts(step, 0, 40, 1) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        scheduler.step()


@given(st.integers(0, 300), st.integers(0, 100), st.integers(1, 200), st.integers(1, 5))
def test_stays_in_zero_to_one(step, warmup, total, cycles):
    assert 0 <= warmup_cosine_restarts(step, warmup, total, cycles) <= 1
