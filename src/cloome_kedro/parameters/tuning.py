"""Hyperparameter searches: the spaces, and which settings a point of one stands for."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, Literal, get_type_hints

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticUndefined

from cloome_kedro.parameters.base import Parameters
from cloome_kedro.parameters.model import RETRIEVAL_METRICS, TASK_METRICS, BilinearParameters, TrainingParameters
from cloome_kedro.parameters.screen import FingerprintParameters
from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.space import Dimension, Point, Space, Value

Tunes = Literal["training", "bilinear"]

#: parameter groups that a search may change
GROUPS: dict[str, dict[str, type[Parameters]]] = {
    "training": {"training": TrainingParameters, "fingerprints": FingerprintParameters},
    "bilinear": {"bilinear": BilinearParameters, "fingerprints": FingerprintParameters},
}
#: the metric of the space decides these
_BY_METRIC = ("keep", "selected_by")
#: settings that a study is not bound to: they do not change what is learnt, or the machine decides
_HOUSEKEEPING = ("checkpoint_minutes", "checkpoint_steps", "strategy", "accelerator", "compile")


def _leaves(kind: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Dotted name and type of every setting of a model or dataclass."""
    if issubclass(kind, BaseModel):
        hints = {name: field.rebuild_annotation() for name, field in kind.model_fields.items()}
    else:
        types = get_type_hints(kind, include_extras=True)
        hints = {field.name: types[field.name] for field in dataclasses.fields(kind)}
    for name, hint in hints.items():
        if isinstance(hint, type) and (issubclass(hint, BaseModel) or dataclasses.is_dataclass(hint)):
            yield from _leaves(hint, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}", hint


def settable(tunes: Tunes) -> dict[str, Any]:
    """Dotted name and type of all that a search may change."""
    found = dict(pair for name, kind in GROUPS[tunes].items() for pair in _leaves(kind, name))
    return {name: hint for name, hint in found.items() if name.rpartition(".")[2] not in _BY_METRIC}


class SearchSpace(Parameters):
    """One named search space."""

    tunes: Tunes = Field(default="training", description="the pipeline whose training is tuned")
    metric: str = Field(description="validation metric of that training to maximise")
    parameters: dict[str, Dimension] = Field(min_length=1, description="dotted name -> what it may be")
    published: list[dict[str, Value]] = Field(default=[], description="selections of the publication, as points")

    @model_validator(mode="after")
    def _names_and_values_fit(self):
        known = settable(self.tunes)
        for name, dimension in self.parameters.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, 1, 0)
                raise ValueError(f"there is no parameter {name} to tune; the nearest is {near[0]}")
            kind: TypeAdapter = TypeAdapter(known[name])
            if (dimension.uniform or dimension.log_uniform) and not _fits(kind, 0.5 * sum(dimension.bounds) + 0.1):
                raise ValueError(f"{name} cannot be any real number: give it choices, integer or log_integer")
            for value in dimension.ends:
                if not _fits(kind, value):
                    raise ValueError(f"{name} cannot be {value!r}")
        metrics = (*RETRIEVAL_METRICS, *(TASK_METRICS if self.tunes == "training" else ()))
        if self.metric not in metrics:
            raise ValueError(f"there is no metric {self.metric} of {self.tunes}, only {', '.join(metrics)}")
        self.space, self.published_points  # noqa: B018 -- refuse conditions and points that do not fit
        return self

    @property
    def space(self) -> Space:
        return Space(self.parameters)

    @property
    def published_points(self) -> list[Point]:
        """Selections of the publication; a parameter that has one choice only need not be named in them."""
        single = {
            name: dim.choices[0] for name, dim in self.parameters.items() if dim.choices and len(dim.choices) == 1
        }
        return [
            self.space.check({**{k: v for k, v in single.items() if self.space.is_active(k, point)}, **point})
            for point in self.published
        ]


def _fits(kind: TypeAdapter, value: Any) -> bool:
    try:
        kind.validate_python(value)
    except ValidationError:
        return False
    return True


class TuningParameters(Parameters):
    """A hyperparameter search (pipeline ``tuning``)."""

    space: str = Field(description="which of the spaces")
    study: str | None = Field(default=None, description="name of the study; none: that of the space")
    published: bool = Field(default=True, description="whether the published selections come right after the default")
    search: SearchConfig
    spaces: dict[str, SearchSpace]

    @model_validator(mode="after")
    def _space_is_there(self):
        if self.space not in self.spaces:
            raise ValueError(f"tuning.space: there is no space {self.space}, only {', '.join(self.spaces)}")
        if self.search.sampler == "grid":
            self.chosen.space.grid_size  # noqa: B018 -- refuses a range of real numbers
        return self

    @property
    def chosen(self) -> SearchSpace:
        return self.spaces[self.space]

    @property
    def name(self) -> str:
        return self.study or self.space


def default_point(space: SearchSpace, groups: Mapping[str, Parameters]) -> Point:
    """The configuration as it is, as a point of the space.

    Raises
    ------
    ValueError
        If the space does not contain it.
    """
    values = {name: _value(groups, name) for name in space.parameters}
    point = {name: value for name, value in values.items() if space.space.is_active(name, values)}
    try:
        space.space.check(point)
    except ValueError as error:
        raise ValueError(
            f"a search begins with the configuration as it is, which its space does not contain: {error}. Widen the "
            "space, or change the configuration"
        ) from error
    return point


def changes_of(point: Point, space: SearchSpace, groups: Mapping[str, Parameters]) -> dict[str, Any]:
    """What a point changes in the configuration, nested as it is written in ``conf/``.

    What the point leaves out for its condition has the default of its class, such as null for ``hopfield_beta``. The
    metric of the space chooses the epoch.
    """
    values: dict[str, Any] = {
        name: point[name] if name in point else _default(groups, name) for name in space.parameters
    }
    group = groups[space.tunes]
    keep = _value(groups, f"{space.tunes}.fit.keep")
    if space.metric != getattr(group, "selected_by", keep[0]):
        values[f"{space.tunes}.fit.keep"] = [space.metric, *(metric for metric in keep if metric != space.metric)]
        if hasattr(group, "selected_by"):
            values[f"{space.tunes}.selected_by"] = space.metric
    changes: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        inner = changes
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return changes


def changed(groups: Mapping[str, Parameters], changes: Mapping[str, Any]) -> dict[str, Parameters]:
    """Parameter groups with nested changes in them, validated."""
    return {
        name: type(group).model_validate(_merged(group.model_dump(exclude_defaults=True), changes.get(name, {})))
        for name, group in groups.items()
    }


def check_space(space: SearchSpace, groups: Mapping[str, Parameters]) -> None:
    """Refuse a value that does not go with the rest of the configuration, before it fails trials.

    Every choice and both ends of every range are tried alone, beside the values of the default configuration.

    Raises
    ------
    ValueError
        With the parameter's name.
    """
    start = default_point(space, groups)
    for name, dimension in space.parameters.items():
        for value in dimension.ends:
            point = space.space.completed({**start, name: value})
            try:
                changed(groups, changes_of(point, space, groups))
            except ValueError as error:
                raise ValueError(f"tuning: {name} = {value!r} does not fit the configuration: {error}") from error


def unsearched(space: SearchSpace, groups: Mapping[str, Parameters]) -> dict[str, Any]:
    """Settings that every trial has in common, by dotted name: what a study is bound to."""
    names = (name for group, kind in GROUPS[space.tunes].items() for name, _ in _leaves(kind, group))
    return {
        name: _value(groups, name)
        for name in names
        if name not in space.parameters and name.rpartition(".")[2] not in _HOUSEKEEPING
    }


def _value(groups: Mapping[str, Any], name: str) -> Any:
    """Setting of a dotted name."""
    group, *path = name.split(".")
    return reduce(getattr, path, groups[group])


def _default(groups: Mapping[str, Any], name: str) -> Any:
    """Value of a setting that nobody sets; what is configured where it must be set."""
    owner, _, last = name.rpartition(".")
    kind = type(_value(groups, owner) if "." in owner else groups[owner])
    fields = kind.model_fields if issubclass(kind, BaseModel) else kind.__dataclass_fields__
    default = fields[last].default
    return _value(groups, name) if default in (PydanticUndefined, dataclasses.MISSING) else default


def _merged(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return values | {
        name: _merged(values.get(name, {}), change) if isinstance(change, Mapping) else change
        for name, change in changes.items()
    }
