"""Samplers that draw the same whoever draws."""

import math

import optuna
import pytest

from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.queue import fill
from cloome_kedro.tuning.samplers import make_sampler
from tuning_objectives import RANGES


def distance(point):
    """From the best point: smooth in the rate's logarithm."""
    return abs(math.log10(point["rate"] / 0.3)) + 0.5 * (point["objective"] == "info_loob")


def points_of(config, order=None, resumed_after=(), trials=16):
    """Points by number, of trials drawn in this order, by a new process after some of them."""
    study = optuna.create_study(direction="maximize", sampler=make_sampler(config))
    fill(study, study._storage, RANGES, [], config)
    points = {}
    for done, number in enumerate(order or range(trials)):
        if done in resumed_after:
            study.sampler = make_sampler(config)
        (waiting,) = (trial for trial in study.trials if trial.number == number)
        study._storage.set_trial_state_values(waiting._trial_id, optuna.trial.TrialState.RUNNING)
        trial = optuna.trial.Trial(study, waiting._trial_id)
        points[number] = RANGES.suggest(trial)
        study.tell(trial, -distance(points[number]))
    return [points[number] for number in range(len(points))]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_resumed_search_draws_what_it_would_have_drawn(sampler):
    config = SearchConfig(sampler=sampler, trials=16, seed=3)
    points = points_of(config)
    assert points_of(config, resumed_after=(2, 5, 11)) == points
    assert len({str(point) for point in points}) == 16
    assert points_of(SearchConfig(sampler=sampler, trials=16, seed=4)) != points


def test_a_random_search_draws_the_same_in_any_order():
    config = SearchConfig(sampler="random", trials=16)
    assert points_of(config, order=[*range(15, -1, -1)], resumed_after=(7,)) == points_of(config)


def test_tpe_learns_from_what_has_ended():
    def late(sampler):
        points = points_of(SearchConfig(sampler=sampler, trials=40), trials=40)
        return sum(map(distance, points[-20:]))

    assert late("tpe") < 0.6 * late("random")
