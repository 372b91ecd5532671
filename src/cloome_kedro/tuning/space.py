"""Search spaces: what each parameter may be, and under which condition it is searched at all."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from optuna.trial import Trial

Value = str | int | float | bool | None
#: dotted name -> value, of the parameters that are searched at these values
Point = dict[str, Value]

_LARGEST_GRID = 100_000  # points; each is a row of the database before the first is tried


def _same(one: Value, other: Value) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


@dataclass(frozen=True)
class Dimension:
    """What one parameter may be: one of ``choices``, or within bounds, ends included.

    ``when`` names earlier parameters of the space and the value that each must have for this one to be searched.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    choices: tuple[Value, ...] | None = None
    uniform: tuple[float, float] | None = None
    log_uniform: tuple[float, float] | None = None
    integer: tuple[int, int] | None = None
    log_integer: tuple[int, int] | None = None
    when: dict[str, Value] = field(default_factory=dict)

    def __post_init__(self):
        kinds = ("choices", "uniform", "log_uniform", "integer", "log_integer")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"Dimension: give one of {', '.join(kinds)}, not {' and '.join(given) or 'none'}")
        values = getattr(self, given[0])
        for value in values:
            if not isinstance(value, Value) or (isinstance(value, float) and not math.isfinite(value)):
                raise ValueError(
                    f"Dimension: {given[0]} holds {value!r}, neither text, finite number, true, false or null"
                )
        if self.choices is not None:
            if not values or len(set(values)) < len(values):  # Optuna, too, finds a choice by ==, for which 1 is True
                raise ValueError(f"Dimension: choices must be one or more, no two equal, is {list(values)}")
            return
        if len(values) != 2 or not values[0] < values[1]:
            raise ValueError(f"Dimension: {given[0]} must be a lower and a higher bound, is {list(values)}")
        if given[0].startswith("log") and values[0] <= 0:
            raise ValueError(f"Dimension: {given[0]} must be above 0, is {list(values)}")
        if "integer" in given[0] and not all(type(value) is int for value in values):
            raise ValueError(f"Dimension: {given[0]} must be of integers, is {list(values)}")

    @property
    def bounds(self) -> tuple[float, float]:
        """Lower and higher end of a range."""
        found = self.uniform or self.log_uniform or self.integer or self.log_integer
        if found is None:
            raise ValueError("Dimension: choices have no bounds")
        return found

    @property
    def values(self) -> Sequence[Value] | None:
        """All there are; none of a range of real numbers."""
        if self.choices is not None:
            return self.choices
        whole = self.integer or self.log_integer
        return whole and range(whole[0], whole[1] + 1)

    @property
    def ends(self) -> tuple[Value, ...]:
        """Every choice, or both ends of the range."""
        return self.bounds if self.choices is None else self.choices

    def __contains__(self, value: Value) -> bool:
        if self.choices is not None:
            return any(_same(value, choice) for choice in self.choices)
        number = int if self.values is not None else (int, float)
        return isinstance(value, number) and not isinstance(value, bool) and self.bounds[0] <= value <= self.bounds[1]

    def __str__(self) -> str:
        if self.choices is not None:
            return "one of " + ", ".join(map(repr, self.choices))
        return f"{'a number' if self.values is None else 'an integer'} from {self.bounds[0]} to {self.bounds[1]}"

    def suggest(self, name: str, trial: Trial) -> Value:
        """A trial's value."""
        if self.choices is not None:
            return trial.suggest_categorical(name, self.choices)
        if whole := self.integer or self.log_integer:
            return trial.suggest_int(name, *whole, log=self.log_integer is not None)
        return trial.suggest_float(name, *self.bounds, log=self.log_uniform is not None)


@dataclass(frozen=True)
class Space:
    """Parameters by dotted name, a condition's after the one that it names.

    Raises
    ------
    ValueError
        Where a condition names no earlier parameter with choices, or a value that is not among these.
    """

    dimensions: Mapping[str, Dimension]

    def __post_init__(self):
        earlier: dict[str, Dimension] = {}
        for name, dimension in self.dimensions.items():
            for other, value in dimension.when.items():
                if other not in earlier or earlier[other].choices is None:
                    raise ValueError(
                        f"{name}: its condition names {other}, no parameter with choices that comes before it"
                    )
                if value not in earlier[other]:
                    raise ValueError(
                        f"{name}: its condition wants {other} = {value!r}, which is never {earlier[other]}"
                    )
            earlier[name] = dimension

    def is_active(self, name: str, values: Mapping[str, Value]) -> bool:
        """Whether the parameter is searched, where the others are at these values."""
        return all(
            other in values and _same(values[other], value) and self.is_active(other, values)
            for other, value in self.dimensions[name].when.items()
        )

    def check(self, point: Mapping[str, Value]) -> Point:
        """The point in the order and spelling of the space.

        Raises
        ------
        ValueError
            With the name of a parameter that is unknown, missing, to be left out, or at a value it may not have.
        """
        for name in point:
            if name not in self.dimensions:
                near = difflib.get_close_matches(name, self.dimensions, 1, 0)
                raise ValueError(
                    f"there is no parameter {name} in the space; the nearest is {near[0] if near else None}"
                )
        checked: Point = {}
        for name, dimension in self.dimensions.items():
            if not self.is_active(name, checked):
                if name in point:
                    condition = " and ".join(f"{other} = {value!r}" for other, value in dimension.when.items())
                    raise ValueError(f"{name} must be left out: it is searched where {condition}")
                continue
            if name not in point:
                raise ValueError(f"{name} is missing: it must be {dimension}")
            value = point[name]
            if value not in dimension:
                raise ValueError(f"{name} is {value!r}: it must be {dimension}")
            if dimension.choices is not None:
                value = next(choice for choice in dimension.choices if _same(choice, value))
            elif dimension.values is None:
                value = float(value)  # type: ignore[arg-type]
            checked[name] = value
        return checked

    def fits(self, point: Mapping[str, Value]) -> bool:
        """Whether the space contains the point."""
        try:
            self.check(point)
        except ValueError:
            return False
        return True

    def completed(self, values: Mapping[str, Value]) -> Point:
        """A point: without what is not searched at these values, and with what is missing at its first value."""
        point: Point = {}
        for name, dimension in self.dimensions.items():
            if self.is_active(name, point):
                point[name] = values[name] if name in values else dimension.ends[0]
        return point

    def grid(self) -> list[Point]:
        """Every point once; the last parameter changes fastest.

        Raises
        ------
        ValueError
            With the name of a parameter that is a range of real numbers, or where the points are over 100,000.
        """
        points: list[Point] = [{}]
        for name, dimension in self.dimensions.items():
            values = dimension.values
            if values is None:
                raise ValueError(
                    f"a grid needs values to go through, and {name} may be any real number: give it choices"
                )
            active = [self.is_active(name, point) for point in points]
            if len(values) * sum(active) > _LARGEST_GRID:
                raise ValueError(f"a grid with {len(values):,} values of {name} has over {_LARGEST_GRID:,} points")
            points = [
                changed
                for point, searched in zip(points, active, strict=True)
                for changed in ([{**point, name: value} for value in values] if searched else [point])
            ]
        return points

    @property
    def grid_size(self) -> int:
        """Points of the grid."""
        return len(self.grid())

    def suggest(self, trial: Trial) -> Point:
        """The point of a trial: what was set beforehand, and for the rest what its study's sampler draws."""
        point: Point = {}
        for name, dimension in self.dimensions.items():
            if self.is_active(name, point):
                point[name] = dimension.suggest(name, trial)
        return point
