"""Parameters of hyperparameter searches, and the conversion between points of a search space and settings.

Parameters have dotted names. They are relative to the tuned model (``fit.learning_rate``, ``compound.encoder.width``)
or begin with ``fingerprints``.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticUndefined

from cloome_kedro.parameters.base import HOUSEKEEPING, Name, Named, Parameters, settings_of
from cloome_kedro.parameters.model import ModelParameters, validation_metrics
from cloome_kedro.parameters.screen import FingerprintParameters
from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.space import Dimension, Point, Space, Value

FINGERPRINTS = "fingerprints"
#: settings that follow from the metric of the space
_BY_METRIC = ("fit.keep", "selected_by")
#: settings that a search cannot change
_FIXED = (*_BY_METRIC, "kind")


def settable() -> dict[str, Any]:
    """Dotted name and type of every setting that a search can change."""
    hints = dict([*settings_of(ModelParameters, ""), *settings_of(FingerprintParameters, f"{FINGERPRINTS}.")])
    return {name: hint for name, hint in hints.items() if name not in _FIXED}


class SearchSpace(Parameters):
    """A search space: an entry of ``tuning.spaces``."""

    tunes: str = Field(description="name of the tuned model")
    metric: str = Field(description="validation metric that is maximised")
    parameters: dict[str, Dimension] = Field(min_length=1, description="dotted name -> possible values")
    published: list[dict[str, Value]] = Field(default=[], description="points that the publication selected")

    @model_validator(mode="after")
    def _names_and_values_fit(self) -> SearchSpace:
        hints = settable()
        for name, dimension in self.parameters.items():
            if name not in hints:
                near = difflib.get_close_matches(name, hints, 1, 0)
                raise ValueError(f"there is no parameter {name} to tune; the nearest is {near[0]}")
            adapter: TypeAdapter = TypeAdapter(hints[name])
            if dimension.uniform or dimension.log_uniform:
                real_number = 0.5 * sum(dimension.bounds) + 0.1
                if not _fits(adapter, real_number):
                    raise ValueError(f"{name} cannot be any real number: use choices, integer or log_integer")
            for value in dimension.ends:
                if not _fits(adapter, value):
                    raise ValueError(f"{name} cannot be {value!r}")
        if self.metric not in (metrics := validation_metrics()):
            raise ValueError(f"there is no validation metric {self.metric}, only {', '.join(metrics)}")
        self.space, self.published_points  # noqa: B018 -- these raise if conditions or published points do not fit
        return self

    @property
    def space(self) -> Space:
        """The space, for the search."""
        return Space(self.parameters)

    @property
    def published_points(self) -> list[Point]:
        """Points that the publication selected. Parameters with a single choice are added where they are missing."""
        single_choices = {
            name: dimension.choices[0]
            for name, dimension in self.parameters.items()
            if dimension.choices and len(dimension.choices) == 1
        }
        points = []
        for point in self.published:
            implied = {name: value for name, value in single_choices.items() if self.space.is_active(name, point)}
            points.append(self.space.check({**implied, **point}))
        return points


def _fits(adapter: TypeAdapter, value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


class TuningParameters(Parameters):
    """A hyperparameter search (pipeline ``tuning``)."""

    space: str = Field(description="name of the space that is searched")
    study: Name | None = Field(default=None, description="name of the study; null: the name of the space")
    published: bool = Field(default=True, description="whether the published points are tried right after the default")
    search: SearchConfig
    spaces: dict[str, SearchSpace] = Field(description="named search spaces")

    @model_validator(mode="after")
    def _space_exists(self) -> TuningParameters:
        if self.space not in self.spaces:
            raise ValueError(f"tuning.space: there is no space {self.space}, only {', '.join(self.spaces)}")
        if self.search.sampler == "grid":
            self.chosen.space.grid_size  # noqa: B018 -- raises if the space has a range of real numbers
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
    """The configuration that a search can change: the tuned model and the fingerprints."""

    model: ModelParameters
    fingerprints: FingerprintParameters

    def value(self, name: str) -> Any:
        """Value of a setting by its dotted name. None if the configured entry of a registry has no such setting.

        Raises
        ------
        ValueError
            If the setting belongs to a group that the configuration leaves out, such as the pre-training, or that is
            a number in the configuration, such as a number of principal components in place of a whitening.
        """
        owner, path, last = self._locate(name)
        annotation: Named | None = None
        for part in path:
            if annotation and not hasattr(owner, part):
                return None
            annotation = _annotation(owner, part)
            owner = getattr(owner, part)
            if owner is None:
                raise ValueError(f"{name} cannot be searched: the configuration has no {part}, add it to the model")
            if isinstance(owner, int):
                raise ValueError(f"{name} cannot be searched: {part} is {owner} in the configuration, not a group")
        if annotation and last == "name":
            return annotation.registry().name_of(owner)
        return getattr(owner, last, None) if annotation else getattr(owner, last)

    def default(self, name: str) -> Any:
        """Default of a setting by its dotted name; the configured value if the setting has no default.

        Settings of an entry of a registry have the default None, which counts as missing. A point can replace the
        entry by another one, so no other value would be right.
        """
        owner, path, last = self._locate(name)
        annotation = _annotation(reduce(getattr, path[:-1], owner), path[-1]) if path else None
        if annotation:
            return self.value(name) if last == "name" else None
        group = type(reduce(getattr, path, owner))
        fields = group.model_fields if issubclass(group, BaseModel) else group.__dataclass_fields__
        default = fields[last].default
        return self.value(name) if default in (PydanticUndefined, dataclasses.MISSING) else default

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """Apply nested changes, as :func:`changes_of` returns them, and validate the result."""
        model = self.model.model_dump(exclude_defaults=True)
        fingerprints = self.fingerprints.model_dump(exclude_defaults=True)
        return Settings(
            ModelParameters.model_validate(_merged(model, changes.get("model", {}))),
            FingerprintParameters.model_validate(_merged(fingerprints, changes.get(FINGERPRINTS, {}))),
        )

    def _locate(self, name: str) -> tuple[Any, list[str], str]:
        """Group that a dotted name belongs to, the path to the setting in this group, and the name of the setting."""
        group = self.fingerprints if name.startswith(f"{FINGERPRINTS}.") else self.model
        *path, last = name.removeprefix(f"{FINGERPRINTS}.").split(".")
        return group, path, last


def _annotation(owner: Any, name: str) -> Named | None:
    """Annotation of a field that holds an entry of a registry; None for other fields."""
    if not isinstance(owner, BaseModel):
        return None
    return next((item for item in type(owner).model_fields[name].metadata if isinstance(item, Named)), None)


def default_point(space: SearchSpace, settings: Settings) -> Point:
    """Point of the space that corresponds to the present configuration.

    Raises
    ------
    ValueError
        If the space does not contain the configuration.
    """
    values = {name: settings.value(name) for name in space.parameters}
    point = {name: value for name, value in values.items() if space.space.is_active(name, values)}
    try:
        space.space.check(point)
    except ValueError as error:
        raise ValueError(
            f"a search begins with the present configuration, but its space does not contain it: {error}. Widen the "
            "space, or change the configuration"
        ) from error
    return point


def changes_of(point: Point, space: SearchSpace, settings: Settings) -> dict[str, Any]:
    """Changes that a point makes to the configuration, nested under ``model`` and ``fingerprints``.

    If the condition of a parameter is not fulfilled, the parameter gets its default, such as null for
    ``hopfield_beta``. The metric of the space also becomes the metric that chooses the epoch.
    """
    values: dict[str, Any] = {
        name: point[name] if name in point else settings.default(name) for name in space.parameters
    }
    keep = settings.model.fit.keep
    if space.metric != settings.model.selected_by:
        values["fit.keep"] = [space.metric, *(metric for metric in keep if metric != space.metric)]
        values["selected_by"] = space.metric
    changes: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".") if name.startswith(f"{FINGERPRINTS}.") else ("model", *name.split("."))
        group = changes
        for part in path:
            group = group.setdefault(part, {})
        group[last] = value
    return changes


def as_written(changes: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """Convert nested changes to the form of the files in ``conf/``."""
    written = {"models": {space.tunes: changes["model"]}} if "model" in changes else {}
    return {**written, **{key: value for key, value in changes.items() if key != "model"}}


def from_written(best_parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the form of the files in ``conf/`` to nested changes; the inverse of :func:`as_written`."""
    models = best_parameters.get("models", {})
    changes = {"model": next(iter(models.values()))} if models else {}
    return {**changes, **{key: value for key, value in best_parameters.items() if key != "models"}}


def check_space(space: SearchSpace, settings: Settings) -> None:
    """Check that the values of a space fit the configuration, before they make trials fail.

    Every choice and both ends of every range are checked one at a time. The other parameters keep their default values.

    Raises
    ------
    ValueError
        If a value does not fit. The message names the parameter.
    """
    default = default_point(space, settings)
    for name, dimension in space.parameters.items():
        for value in dimension.ends:
            point = space.space.completed({**default, name: value})
            try:
                settings.changed(changes_of(point, space, settings))
            except ValueError as error:
                raise ValueError(f"tuning: {name} = {value!r} does not fit the configuration: {error}") from error


def unsearched(space: SearchSpace, settings: Settings) -> dict[str, Any]:
    """Settings that all trials of a study have in common, by dotted name."""
    groups = {"model": settings.model.model_dump(), FINGERPRINTS: settings.fingerprints.model_dump()}
    values = {name.removeprefix("model."): value for name, value in _flattened(groups, "")}
    return {
        name: value
        for name, value in values.items()
        if name not in space.parameters and name.rpartition(".")[2] not in HOUSEKEEPING and name not in _BY_METRIC
    }


def _flattened(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of every entry of nested dictionaries."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Apply nested changes to nested values. If the name of an entry changes, its old settings are dropped."""
    if "name" in changes and changes["name"] != values.get("name"):
        values = {}
    merged = dict(values)
    for name, change in changes.items():
        if isinstance(change, Mapping):
            inner = values.get(name)
            change = _merged(inner if isinstance(inner, Mapping) else {}, change)
        merged[name] = change
    return merged
