"""Settings of a search."""

import pytest

from cloome_kedro.tuning.config import SearchConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "workers must be at least 1"),
        ({"trials": 0}, "trials must be at least 1"),
        ({"trials": None}, "trials must be a number if the sampler is tpe"),
        ({"heartbeat_seconds": 0}, "heartbeat_seconds must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SearchConfig(**settings)


def test_a_grid_needs_no_number_of_trials():
    assert SearchConfig(sampler="grid", trials=None).trials is None
