"""Base classes and types of all parameter groups."""

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
    """Base of all groups. Unknown keys are errors, and values cannot be changed after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Named:
    """Annotation of a field that holds an entry of a registry, such as an encoder, with its settings.

    In the configuration, the field is a dictionary of the entry's name and its settings, or only the name. A setting
    that is null counts as missing. An environment can therefore cancel a setting of ``conf/base`` with null.

    Parameters
    ----------
    registry
        Function that returns the registry. It is called when a value is read, so that the registry is imported then.
    """

    def __init__(self, registry: Callable[[], Registry]):
        self.registry = registry

    def read(self, value: Any) -> Any:
        """Validate a value of the configuration and return an instance of the entry's dataclass."""
        if dataclasses.is_dataclass(value):
            return value
        if isinstance(value, str):
            value = {"name": value}
        registry = self.registry()
        if not isinstance(value, dict) or "name" not in value:
            raise ValueError(f"the {registry.kind} needs a name, one of {', '.join(registry)}")
        settings_class = registry.settings(registry[value["name"]])
        settings = {key: setting for key, setting in value.items() if key != "name" and setting is not None}
        known = [field.name for field in dataclasses.fields(settings_class)]
        if unknown := [key for key in settings if key not in known]:
            kind, name, known_names = registry.kind, value["name"], ", ".join(known) or "none"
            raise ValueError(
                f"{kind} {name}: there is no setting {unknown[0]}; its settings are: {known_names}. If conf/base sets "
                f"{unknown[0]} for another {kind}, set it to null"
            )
        return TypeAdapter(settings_class).validate_python(settings)

    def write(self, value: Any) -> dict[str, Any]:
        """Return a value as it is written in the configuration."""
        return self.registry().describe(value)


def named(registry: Callable[[], Registry]) -> tuple[Any, ...]:
    """Return the annotations of a field that holds an entry of a registry; see `Named`."""
    annotation = Named(registry)
    return BeforeValidator(annotation.read), PlainSerializer(annotation.write), annotation
