"""Search spaces."""

from itertools import product

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from cloome_kedro.tuning.space import Dimension, Space
from tuning_objectives import GRID


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give exactly one of"),
        ({"choices": (1,), "integer": (1, 2)}, "not choices and integer"),
        ({"choices": ()}, "one or more different values"),
        ({"choices": (1, 2, 1.0)}, "one or more different values"),
        ({"choices": (1, True)}, "one or more different values"),
        ({"choices": ((1, 2),)}, r"holds \(1, 2\)"),
        ({"choices": (float("nan"),)}, "finite"),
        ({"uniform": (2.0, 1.0)}, "a lower and an upper bound"),
        ({"uniform": (1.0, 1.0)}, "a lower and an upper bound"),
        ({"uniform": (0.0, float("inf"))}, "finite"),
        ({"log_uniform": (0.0, 1.0)}, "must be above 0"),
        ({"log_integer": (0, 4)}, "must be above 0"),
        ({"integer": (1, 2.5)}, "must be integers"),
    ],
)
def test_what_no_parameter_can_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Dimension(**arguments)


def test_configuration_is_read_with_its_types():
    read = TypeAdapter(dict[str, Dimension]).validate_python
    found = read({"a": {"choices": [8, 14.3, None, True, "x"]}, "b": {"log_uniform": [1e-3, 1], "when": {"a": None}}})
    assert [type(value) for value in found["a"].choices] == [int, float, type(None), bool, str]
    assert found["b"] == Dimension(log_uniform=(0.001, 1.0), when={"a": None})
    with pytest.raises(ValidationError, match="log_uniforn"):
        read({"a": {"log_uniforn": [1, 2]}})


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        (
            {"a": Dimension(integer=(1, 2)), "b": Dimension(choices=(1,), when={"a": 1})},
            "names a, which is not an earlier parameter with",
        ),
        (
            {"b": Dimension(choices=(1,), when={"a": 1}), "a": Dimension(choices=(1, 2))},
            "names a, which is not an earlier parameter with",
        ),
        (
            {"a": Dimension(choices=(1, 2)), "b": Dimension(choices=(1,), when={"a": True})},
            "needs a = True, but a must be one of 1, 2",
        ),
    ],
)
def test_conditions_that_never_hold_are_refused(dimensions, message):
    with pytest.raises(ValueError, match=f"b: its condition.*{message}"):
        Space(dimensions)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"rate": 1, "objektive": "info_nce"}, "no parameter objektive in the space; the nearest is objective"),
        ({"rate": 1}, "objective is missing: it must be one of 'info_nce', 'info_loob'"),
        ({"rate": 5, "objective": "info_nce"}, "rate is 5: it must be one of 1, 2, 3, 4"),
        ({"rate": True, "objective": "info_nce"}, "rate is True"),
        ({"rate": 1, "objective": "info_loob"}, "beta is missing"),
        (
            {"rate": 1, "objective": "info_nce", "beta": 8},
            "beta must be left out: it is searched only if objective = 'info_loob'",
        ),
    ],
)
def test_points_outside_are_refused_by_name(point, message):
    with pytest.raises(ValueError, match=message):
        GRID.check(point)


def test_a_point_is_given_back_as_the_space_writes_it():
    space = Space({"a": Dimension(choices=(8, 14.3)), "b": Dimension(uniform=(0, 2))})
    checked = space.check({"b": 1, "a": 8.0})
    assert list(checked.items()) == [("a", 8), ("b", 1.0)]
    assert [type(value) for value in checked.values()] == [int, float]


@pytest.mark.parametrize("value", [0, 9, 2.0, "2", None, True])
def test_a_range_of_integers_holds_integers_between_its_ends(value):
    dimension = Dimension(integer=(1, 8))
    assert value not in dimension
    assert {1, 8} <= {number for number in range(12) if number in dimension} == set(range(1, 9))


def test_a_grid_is_in_order_and_without_what_is_not_searched():
    assert GRID.grid_size == 4 * (1 + 2)
    assert GRID.grid()[:4] == [
        {"rate": 1, "objective": "info_nce"},
        {"rate": 1, "objective": "info_loob", "beta": 8},
        {"rate": 1, "objective": "info_loob", "beta": 14.3},
        {"rate": 2, "objective": "info_nce"},
    ]


def test_no_grid_of_real_numbers_nor_one_that_never_ends():
    with pytest.raises(ValueError, match="learning_rate may be any real number"):
        Space({"learning_rate": Dimension(uniform=(0, 1))}).grid()
    with pytest.raises(ValueError, match="values of b has more than 100,000 points"):
        Space({"a": Dimension(integer=(1, 10)), "b": Dimension(integer=(1, 10**12))}).grid()


@st.composite
def spaces(draw):
    """Up to five parameters, those after the first under conditions on ones before, which may have conditions too."""
    dimensions = {}
    for number in range(draw(st.integers(1, 5))):
        chosen = [name for name, dimension in dimensions.items() if dimension.choices]
        names = draw(st.lists(st.sampled_from(chosen), max_size=2, unique=True)) if chosen else []
        when = {name: draw(st.sampled_from(dimensions[name].choices)) for name in names}
        kinds = st.one_of(
            st.just({"integer": (1, 3)}),
            st.just({"log_integer": (2, 4)}),
            st.lists(st.sampled_from([0, 2.5, False, None, "x"]), min_size=1, max_size=3, unique=True).map(
                lambda choices: {"choices": tuple(choices)}
            ),
        )
        try:
            dimensions[f"p{number}"] = Dimension(**draw(kinds), when=when)
        except ValueError:  # 0 and False
            dimensions[f"p{number}"] = Dimension(choices=(1, 2), when=when)
    return Space(dimensions)


@settings(max_examples=60)
@given(spaces())
def test_the_grid_is_all_combinations_without_what_their_conditions_leave_out(space):
    grid = space.grid()
    every = product(*(dimension.values for dimension in space.dimensions.values()))
    points = [space.completed(dict(zip(space.dimensions, values, strict=True))) for values in every]
    assert {repr(point) for point in points} == {repr(point) for point in grid}
    assert len({repr(point) for point in grid}) == len(grid) == space.grid_size
    assert all(repr(space.check(point)) == repr(point) for point in grid)


def test_every_suggested_point_fits_and_enqueued_ones_come_as_they_are():
    space = Space(
        {**GRID.dimensions, "width": Dimension(log_integer=(1, 64)), "decay": Dimension(log_uniform=(1e-3, 1))}
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    wanted = {"rate": 2, "objective": "info_loob", "beta": 14.3, "width": 64, "decay": 1e-3}
    study.enqueue_trial(wanted)
    points = [space.suggest(study.ask()) for _ in range(40)]
    assert points[0] == wanted
    assert all(space.check(point) == point for point in points)
    assert {"beta" in point for point in points} == {True, False}
