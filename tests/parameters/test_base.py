"""Named entries: a setting that is one of a registry's entries, with its own settings beside the name."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from cloome_kedro.parameters.base import Named, Parameters, TopK, named
from cloome_kedro.registry import Registry


@dataclass(frozen=True)
class Plain:
    """An entry without settings."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}


@dataclass(frozen=True)
class Round:
    """An entry with settings."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    radius: int = 2
    sizes: tuple[int, ...] = (1, 2)
    colour: str | None = None

    def __post_init__(self):
        if self.radius < 1:
            raise ValueError(f"Round: radius must be at least 1, is {self.radius}")


@dataclass(frozen=True)
class RoundSettings:
    """Settings of an entry that is made from them."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    radius: int = 7


class Made:
    """An entry whose settings are another class."""

    settings = RoundSettings


SHAPES: Registry[Any] = Registry("shape", settings=lambda shape: getattr(shape, "settings", shape))
for name, entry in {"plain": Plain, "round": Round, "made": Made}.items():
    SHAPES.add(name, entry)
Shape = Annotated[Any, *named(lambda: SHAPES)]


class Drawing(Parameters):
    """A group with a named entry."""

    shape: Shape


def read(value):
    return Drawing.model_validate({"shape": value}).shape


def test_a_name_alone_stands_for_an_entry_without_settings():
    assert read("plain") == Plain()
    assert read({"name": "plain"}) == Plain()
    assert read("round") == Round()
    assert read("made") == RoundSettings()


def test_settings_stand_beside_the_name():
    assert read({"name": "round", "radius": 5, "sizes": [3, 4, 5]}) == Round(5, (3, 4, 5))
    assert read({"name": "made", "radius": 1}) == RoundSettings(1)


def test_an_instance_is_taken_as_it_is():
    assert read(Round(9)) == Round(9)


def test_null_counts_as_not_given():
    """So an environment can take back what another one sets, even where the entry has no such setting any more."""
    assert read({"name": "round", "radius": None, "colour": None}) == Round()
    assert read({"name": "plain", "radius": None}) == Plain()


def test_values_are_checked():
    with pytest.raises(ValidationError, match="radius"):
        read({"name": "round", "radius": "wide"})
    with pytest.raises(ValidationError, match="Round: radius must be at least 1, is 0"):
        read({"name": "round", "radius": 0})


def test_an_unknown_setting_lists_what_there_is():
    with pytest.raises(
        ValidationError, match="shape round: there is no setting radios; its settings are: radius, sizes, colour"
    ):
        read({"name": "round", "radios": 3})
    with pytest.raises(ValidationError, match="shape plain: there is no setting radius; its settings are: none"):
        read({"name": "plain", "radius": 3})


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(ValidationError, match="there is no shape 'rouns'; the nearest are: round"):
        read("rouns")
    with pytest.raises(ValidationError, match="there is no shape 'x'; the nearest are: plain, round, made"):
        read({"name": "x"})


@pytest.mark.parametrize("value", [None, 3, ["round"], {"radius": 3}])
def test_without_a_name_those_that_there_are_are_listed(value):
    with pytest.raises(ValidationError, match="the shape needs a name, one of plain, round, made"):
        read(value)


@given(
    st.builds(Plain)
    | st.builds(RoundSettings, st.integers())
    | st.builds(Round, st.integers(1), st.lists(st.integers()).map(tuple), st.none() | st.text())
)
def test_what_is_written_is_read_again(shape):
    written = Drawing(shape=shape).model_dump(mode="json")["shape"]
    assert written["name"] == {"Plain": "plain", "Round": "round", "RoundSettings": "made"}[type(shape).__name__]
    assert read(written) == shape


def test_the_mark_says_which_registry():
    (mark,) = [part for part in Drawing.model_fields["shape"].metadata if isinstance(part, Named)]
    assert mark.registry() is SHAPES


def test_groups_are_frozen_and_know_their_keys():
    drawing = Drawing.model_validate({"shape": "plain"})
    with pytest.raises(ValidationError, match="frozen"):
        drawing.shape = Round()
    with pytest.raises(ValidationError, match="colour"):
        Drawing.model_validate({"shape": "plain", "colour": "red"})


def test_top_k_are_sorted_and_there_once():
    ks: TypeAdapter = TypeAdapter(TopK)
    assert ks.validate_python([5, 1, 5]) == [1, 5]
    for wrong in ([], [0], ["many"]):
        with pytest.raises(ValidationError):
            ks.validate_python(wrong)
