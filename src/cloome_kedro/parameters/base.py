"""What all parameter groups are made of."""

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, TypeAdapter

from cloome_kedro.registry import Registry

Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[int, Field(ge=1)]
TopK = Annotated[list[Positive], Field(min_length=1), AfterValidator(lambda ks: sorted(set(ks)))]


class Parameters(BaseModel):
    """Base of all groups: unknown keys are errors, values cannot be changed after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Named:
    """Marks a field whose value is one of a registry's entries: its name, and its settings beside the name.

    In the configuration a name alone stands for an entry without settings. A setting that is null counts as not given,
    so that an environment can take back what another one sets.
    """

    def __init__(self, registry: Callable[[], Registry]):
        self.registry = registry

    def read(self, value: Any) -> Any:
        """The settings of the entry, as an instance of its dataclass."""
        if dataclasses.is_dataclass(value):
            return value
        if isinstance(value, str):
            value = {"name": value}
        registry = self.registry()
        if not isinstance(value, dict) or "name" not in value:
            raise ValueError(f"the {registry.kind} needs a name, one of {', '.join(registry)}")
        kind = registry.settings(registry[value["name"]])
        given = {key: setting for key, setting in value.items() if key != "name" and setting is not None}
        known = [field.name for field in dataclasses.fields(kind)]
        if unknown := [key for key in given if key not in known]:
            has = f"has {', '.join(known)}" if known else "has none"
            raise ValueError(
                f"{registry.kind} {value['name']}: there is no setting {unknown[0]}; it {has}. Where conf/base sets it "
                "for another one, take it back by null"
            )
        return TypeAdapter(kind).validate_python(given)

    def write(self, value: Any) -> dict[str, Any]:
        """As the configuration has it."""
        return self.registry().describe(value)


def named(registry: Callable[[], Registry]) -> tuple[Any, ...]:
    """Annotations of a field that holds one of a registry's entries; the registry is imported when a value is read."""
    mark = Named(registry)
    return BeforeValidator(mark.read), PlainSerializer(mark.write), mark
