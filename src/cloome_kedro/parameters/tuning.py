"""Hyperparameter searches: the spaces, and which settings a point of one stands for.

Parameters have dotted names, relative to the model that is tuned (``fit.learning_rate``, ``compound.encoder.width``),
or beginning with ``fingerprints``.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticUndefined

from cloome_kedro.parameters.base import Named, Parameters
from cloome_kedro.parameters.model import ModelParameters, validation_metrics
from cloome_kedro.parameters.screen import FingerprintParameters
from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.space import Dimension, Point, Space, Value

FINGERPRINTS = "fingerprints"
#: the metric of the space decides these
_BY_METRIC = ("fit.keep", "selected_by")
#: settings that a study is not bound to: they do not change what is learnt, or the machine decides
_HOUSEKEEPING = ("checkpoint_minutes", "checkpoint_steps", "strategy", "accelerator", "compile")


def _leaves(kind: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Dotted name and type of every setting of a model or dataclass; of a named entry those of all it may be."""
    if issubclass(kind, BaseModel):
        hints = {name: field.rebuild_annotation() for name, field in kind.model_fields.items()}
    else:
        types = get_type_hints(kind, include_extras=True)
        hints = {field.name: types[field.name] for field in dataclasses.fields(kind)}
    for name, hint in hints.items():
        marks = [mark for mark in get_args(hint) if isinstance(mark, Named)]
        if isinstance(hint, type) and (issubclass(hint, BaseModel) or dataclasses.is_dataclass(hint)):
            yield from _leaves(hint, f"{prefix}{name}.")
        elif marks:
            registry = marks[0].registry()
            yield f"{prefix}{name}.name", str
            for entry in registry:
                yield from _leaves(registry.settings(registry[entry]), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", hint


def settable() -> dict[str, Any]:
    """Dotted name and type of all that a search may change."""
    found = dict([*_leaves(ModelParameters, ""), *_leaves(FingerprintParameters, f"{FINGERPRINTS}.")])
    return {name: hint for name, hint in found.items() if name not in _BY_METRIC}


class SearchSpace(Parameters):
    """One named search space."""

    tunes: str = Field(description="name of the model that is tuned")
    metric: str = Field(description="validation metric to maximise")
    parameters: dict[str, Dimension] = Field(min_length=1, description="dotted name -> what it may be")
    published: list[dict[str, Value]] = Field(default=[], description="selections of the publication, as points")

    @model_validator(mode="after")
    def _names_and_values_fit(self) -> SearchSpace:
        known = settable()
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
        if self.metric not in (metrics := validation_metrics()):
            raise ValueError(f"there is no validation metric {self.metric}, only {', '.join(metrics)}")
        self.space, self.published_points  # noqa: B018 -- refuse conditions and points that do not fit
        return self

    @property
    def space(self) -> Space:
        """The space as the search takes it."""
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
    def _space_is_there(self) -> TuningParameters:
        if self.space not in self.spaces:
            raise ValueError(f"tuning.space: there is no space {self.space}, only {', '.join(self.spaces)}")
        if self.search.sampler == "grid":
            self.chosen.space.grid_size  # noqa: B018 -- refuses a range of real numbers
        return self

    @property
    def chosen(self) -> SearchSpace:
        """The space that is searched."""
        return self.spaces[self.space]

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.study or self.space


@dataclasses.dataclass(frozen=True)
class Settings:
    """The configuration that a search may change: the model that it tunes, and the fingerprints."""

    model: ModelParameters
    fingerprints: FingerprintParameters

    def value(self, name: str) -> Any:
        """Setting of a dotted name; None where the configured entry has no such setting."""
        owner: Any = self.fingerprints if name.startswith(f"{FINGERPRINTS}.") else self.model
        *path, last = name.removeprefix(f"{FINGERPRINTS}.").split(".")
        mark: Any = None
        for part in path:
            mark = _mark(owner, part)
            owner = getattr(owner, part)
        if mark and last == "name":
            return mark.registry().name_of(owner)
        return getattr(owner, last, None) if mark else getattr(owner, last)

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """With nested changes, as :func:`changes_of` gives them, validated."""
        given = [self.model.model_dump(exclude_defaults=True), self.fingerprints.model_dump(exclude_defaults=True)]
        return Settings(
            ModelParameters.model_validate(_merged(given[0], changes.get("model", {}))),
            FingerprintParameters.model_validate(_merged(given[1], changes.get(FINGERPRINTS, {}))),
        )


def _mark(owner: Any, name: str) -> Named | None:
    """Mark of a field that holds a named entry."""
    if not isinstance(owner, BaseModel):
        return None
    return next((mark for mark in type(owner).model_fields[name].metadata if isinstance(mark, Named)), None)


def default_point(space: SearchSpace, settings: Settings) -> Point:
    """The configuration as it is, as a point of the space.

    Raises
    ------
    ValueError
        If the space does not contain it.
    """
    values = {name: settings.value(name) for name in space.parameters}
    point = {name: value for name, value in values.items() if space.space.is_active(name, values)}
    try:
        space.space.check(point)
    except ValueError as error:
        raise ValueError(
            f"a search begins with the configuration as it is, which its space does not contain: {error}. Widen the "
            "space, or change the configuration"
        ) from error
    return point


def changes_of(point: Point, space: SearchSpace, settings: Settings) -> dict[str, Any]:
    """What a point changes in the configuration: nested, under ``model`` and ``fingerprints``.

    What the point leaves out for its condition has the default of its class, such as null for ``hopfield_beta``. The
    metric of the space chooses the epoch.
    """
    values: dict[str, Any] = {
        name: point[name] if name in point else _default(settings, name) for name in space.parameters
    }
    keep = settings.model.fit.keep
    if space.metric != settings.model.selected_by:
        values["fit.keep"] = [space.metric, *(metric for metric in keep if metric != space.metric)]
        values["selected_by"] = space.metric
    changes: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".") if name.startswith(f"{FINGERPRINTS}.") else ("model", *name.split("."))
        inner = changes
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return changes


def as_written(changes: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """Nested changes as they are written in ``conf/``."""
    written = {"models": {space.tunes: changes["model"]}} if "model" in changes else {}
    return {**written, **{key: value for key, value in changes.items() if key != "model"}}


def from_written(best_parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`as_written`."""
    models = best_parameters.get("models", {})
    changes = {"model": next(iter(models.values()))} if models else {}
    return {**changes, **{key: value for key, value in best_parameters.items() if key != "models"}}


def check_space(space: SearchSpace, settings: Settings) -> None:
    """Refuse a value that does not go with the rest of the configuration, before it fails trials.

    Every choice and both ends of every range are tried alone, beside the values of the default configuration.

    Raises
    ------
    ValueError
        With the parameter's name.
    """
    start = default_point(space, settings)
    for name, dimension in space.parameters.items():
        for value in dimension.ends:
            point = space.space.completed({**start, name: value})
            try:
                settings.changed(changes_of(point, space, settings))
            except ValueError as error:
                raise ValueError(f"tuning: {name} = {value!r} does not fit the configuration: {error}") from error


def unsearched(space: SearchSpace, settings: Settings) -> dict[str, Any]:
    """Settings that every trial has in common, by dotted name: what a study is bound to."""
    dumped = {"model": settings.model.model_dump(), FINGERPRINTS: settings.fingerprints.model_dump()}
    names = {name.removeprefix("model."): value for name, value in _flat(dumped, "")}
    return {
        name: value
        for name, value in names.items()
        if name not in space.parameters and name.rpartition(".")[2] not in _HOUSEKEEPING and name not in _BY_METRIC
    }


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _default(settings: Settings, name: str) -> Any:
    """Value of a setting that nobody sets; what is configured where it must be set."""
    owner: Any = settings.fingerprints if name.startswith(f"{FINGERPRINTS}.") else settings.model
    *path, last = name.removeprefix(f"{FINGERPRINTS}.").split(".")
    mark = _mark(reduce(getattr, path[:-1], owner), path[-1]) if path else None
    if mark:  # of an entry that the point may have replaced: null counts as not given
        return settings.value(name) if last == "name" else None
    kind = type(reduce(getattr, path, owner))
    fields = kind.model_fields if issubclass(kind, BaseModel) else kind.__dataclass_fields__
    default = fields[last].default
    return settings.value(name) if default in (PydanticUndefined, dataclasses.MISSING) else default


def _merged(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested changes in nested values. Settings of a named entry go where another name takes its place."""
    if "name" in changes and changes["name"] != values.get("name"):
        values = {}
    return values | {
        name: _merged(values.get(name, {}), change) if isinstance(change, Mapping) else change
        for name, change in changes.items()
    }
