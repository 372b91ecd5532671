"""Search spaces: the allowed values of each parameter, and the condition under which it is searched."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from optuna.trial import Trial

Value = str | int | float | bool | None
#: values of the parameters that are searched: dotted name -> value
Point = dict[str, Value]

_LARGEST_GRID = 100_000  # points; all are written to the database before the first is tried


def _equal(value: Value, other: Value) -> bool:
    """Whether two values are equal; true and 1 are not."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


@dataclass(frozen=True)
class Dimension:
    """Allowed values of a parameter: one of ``choices``, or a range with both ends included.

    Attributes
    ----------
    choices
        All allowed values.
    uniform, log_uniform
        Lower and upper bound of a real number, drawn uniformly, or uniformly in its logarithm.
    integer, log_integer
        Lower and upper bound of an integer, drawn in the same two ways.
    when
        Condition: earlier parameter -> value. The parameter is searched only if all these parameters have these values.

    Examples
    --------
    >>> width = Dimension(log_integer=(64, 1024))
    >>> 512 in width, 32 in width, 64.5 in width
    (True, False, False)
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

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
            raise ValueError(f"Dimension: give exactly one of {', '.join(kinds)}, not {' and '.join(given) or 'none'}")
        values = getattr(self, given[0])
        for value in values:
            if not isinstance(value, Value) or (isinstance(value, float) and not math.isfinite(value)):
                raise ValueError(
                    f"Dimension: {given[0]} holds {value!r}; a value must be text, a finite number, true, false or null"
                )
        if self.choices is not None:
            if not values or len(set(values)) < len(values):  # Optuna also compares choices by ==, where 1 equals True
                raise ValueError(f"Dimension: choices must be one or more different values, is {list(values)}")
            return
        if len(values) != 2 or not values[0] < values[1]:
            raise ValueError(f"Dimension: {given[0]} must be a lower and an upper bound, is {list(values)}")
        if given[0].startswith("log") and values[0] <= 0:
            raise ValueError(f"Dimension: both bounds of {given[0]} must be above 0, are {list(values)}")
        if "integer" in given[0] and not all(type(value) is int for value in values):
            raise ValueError(f"Dimension: both bounds of {given[0]} must be integers, are {list(values)}")

    @property
    def bounds(self) -> tuple[float, float]:
        """Lower and upper bound of a range."""
        bounds = self.uniform or self.log_uniform or self.integer or self.log_integer
        if bounds is None:
            raise ValueError("Dimension: choices have no bounds")
        return bounds

    @property
    def values(self) -> Sequence[Value] | None:
        """All allowed values; None for a range of real numbers."""
        if self.choices is not None:
            return self.choices
        bounds = self.integer or self.log_integer
        return bounds and range(bounds[0], bounds[1] + 1)

    @property
    def ends(self) -> tuple[Value, ...]:
        """All choices, or both bounds of the range."""
        return self.bounds if self.choices is None else self.choices

    def __contains__(self, value: Value) -> bool:
        if self.choices is not None:
            return any(_equal(value, choice) for choice in self.choices)
        number = int if self.values is not None else (int, float)
        return isinstance(value, number) and not isinstance(value, bool) and self.bounds[0] <= value <= self.bounds[1]

    def __str__(self) -> str:
        if self.choices is not None:
            return "one of " + ", ".join(map(repr, self.choices))
        return f"{'a number' if self.values is None else 'an integer'} from {self.bounds[0]} to {self.bounds[1]}"

    def suggest(self, name: str, trial: Trial) -> Value:
        """Get the value of a trial from Optuna."""
        if self.choices is not None:
            return trial.suggest_categorical(name, self.choices)
        if bounds := self.integer or self.log_integer:
            return trial.suggest_int(name, *bounds, log=self.log_integer is not None)
        return trial.suggest_float(name, *self.bounds, log=self.log_uniform is not None)


@dataclass(frozen=True)
class Space:
    """Parameters and their allowed values.

    Attributes
    ----------
    dimensions
        Dotted name -> allowed values. A parameter with a condition comes after the parameters that its condition names.

    Raises
    ------
    ValueError
        If a condition does not name an earlier parameter with choices, or its value is not one of these choices.

    Examples
    --------
    >>> loss = Dimension(choices=("info_nce", "info_loob"))
    >>> beta = Dimension(choices=(8, 22), when={"objective.name": "info_loob"})
    >>> for point in Space({"objective.name": loss, "objective.hopfield_beta": beta}).grid():
    ...     print(point)
    {'objective.name': 'info_nce'}
    {'objective.name': 'info_loob', 'objective.hopfield_beta': 8}
    {'objective.name': 'info_loob', 'objective.hopfield_beta': 22}
    """

    dimensions: Mapping[str, Dimension]

    def __post_init__(self):
        earlier: dict[str, Dimension] = {}
        for name, dimension in self.dimensions.items():
            for other, value in dimension.when.items():
                if other not in earlier or earlier[other].choices is None:
                    raise ValueError(
                        f"{name}: its condition names {other}, which is not an earlier parameter with choices"
                    )
                if value not in earlier[other]:
                    raise ValueError(
                        f"{name}: its condition needs {other} = {value!r}, but {other} must be {earlier[other]}"
                    )
            earlier[name] = dimension

    def is_active(self, name: str, values: Mapping[str, Value]) -> bool:
        """Whether the parameter is searched if the others have these values."""
        return all(
            other in values and _equal(values[other], value) and self.is_active(other, values)
            for other, value in self.dimensions[name].when.items()
        )

    def check(self, point: Mapping[str, Value]) -> Point:
        """Check a point; return it with the order and the types of the space.

        Raises
        ------
        ValueError
            If a parameter is unknown, missing, not searched at these values, or has a value that is not allowed. The
            message names the parameter.
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
                    raise ValueError(f"{name} must be left out: it is searched only if {condition}")
                continue
            if name not in point:
                raise ValueError(f"{name} is missing: it must be {dimension}")
            value = point[name]
            if value not in dimension:
                raise ValueError(f"{name} is {value!r}: it must be {dimension}")
            if dimension.choices is not None:
                value = next(choice for choice in dimension.choices if _equal(choice, value))
            elif dimension.values is None:
                value = float(value)  # type: ignore[arg-type]
            checked[name] = value
        return checked

    def completed(self, values: Mapping[str, Value]) -> Point:
        """Make a point: drop values that are not searched, and give missing parameters their first value."""
        point: Point = {}
        for name, dimension in self.dimensions.items():
            if self.is_active(name, point):
                point[name] = values[name] if name in values else dimension.ends[0]
        return point

    def grid(self) -> list[Point]:
        """List all points; the last parameter changes fastest.

        Raises
        ------
        ValueError
            If a parameter is a range of real numbers, or there are more than 100,000 points.
        """
        points: list[Point] = [{}]
        for name, dimension in self.dimensions.items():
            values = dimension.values
            if values is None:
                raise ValueError(
                    f"a grid needs a list of values, but {name} may be any real number: give {name} choices"
                )
            active = [self.is_active(name, point) for point in points]
            if len(values) * sum(active) > _LARGEST_GRID:
                raise ValueError(
                    f"a grid with {len(values):,} values of {name} has more than {_LARGEST_GRID:,} points: give fewer "
                    "values"
                )
            points = [
                changed
                for point, searched in zip(points, active, strict=True)
                for changed in ([{**point, name: value} for value in values] if searched else [point])
            ]
        return points

    @property
    def grid_size(self) -> int:
        """Number of points of the grid."""
        return len(self.grid())

    def suggest(self, trial: Trial) -> Point:
        """Get the point of a trial from Optuna: the enqueued values, and draws of the sampler for the others."""
        point: Point = {}
        for name, dimension in self.dimensions.items():
            if self.is_active(name, point):
                point[name] = dimension.suggest(name, trial)
        return point
