"""Base classes and types of all parameter groups."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args, get_type_hints

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, TypeAdapter

from cloome_kedro.registry import Registry

#: settings that may differ between runs of one study: they depend on the machine, or do not affect the results
HOUSEKEEPING = (
    *("checkpoint_minutes", "checkpoint_steps", "strategy", "accelerator", "compile"),
    *("n_jobs", "parallel", "workers", "heartbeat_seconds"),
)

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


def checked_text(value: Any) -> str:
    """Check that a value is text.

    YAML and ``--params`` read 007 as the number 7, 1_0 as 10, and ``on`` as true. Two names would then be one folder,
    so a value that is not text is refused.
    """
    if not isinstance(value, str):
        raise ValueError(
            f"a name must be text, but it was read as {value!r} ({type(value).__name__}). Write it in quotes, such as "
            "'007' in a file and --params \"variant='007'\" in a shell"
        )
    return value


def checked_name(value: Any) -> str:
    """Check that a value is text which can be the name of a folder."""
    checked_text(value)
    if not _NAME.fullmatch(value) or not value.strip("."):
        raise ValueError(
            f"{value!r} is no name: a name has 1 to 100 letters (A to Z), digits, and the characters . _ -, and not "
            "only dots"
        )
    return value


def _checked_entry_name(value: str) -> str:
    if "." in value:
        raise ValueError(f"{value!r} contains a dot, which separates the parts of names of datasets")
    return value


def _checked_number(value: Any) -> Any:
    if type(value) is not int:
        raise ValueError(f"a seed must be a whole number, is {value!r}")
    return value


def _checked_jobs(value: int) -> int:
    if value == 0:
        raise ValueError("a number of processes cannot be 0; 1 uses the current process, -1 one process per core")
    return value


#: name of a screen, a variant or a preset, which becomes a folder
Name = Annotated[str, BeforeValidator(checked_name)]
#: name of a split or a model, which becomes part of the names of datasets
EntryName = Annotated[Name, AfterValidator(_checked_entry_name)]
#: NumPy and scikit-learn accept these seeds
Seed = Annotated[int, BeforeValidator(_checked_number), Field(ge=0, lt=2**32)]
#: number of processes; a negative number counts from the number of cores, -1 is one per core
Jobs = Annotated[int, AfterValidator(_checked_jobs)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[int, Field(ge=1)]
TopK = Annotated[list[Positive], Field(min_length=1), AfterValidator(lambda ks: sorted(set(ks)))]


class Parameters(BaseModel):
    """Base of all groups. Unknown keys are errors, and values cannot be changed after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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


def settings_of(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the type of every setting of a pydantic model or dataclass.

    For a field that holds an entry of a registry, the settings of all entries are included. For a list or a dictionary
    of groups, the settings of a group follow the name of the field.
    """
    if issubclass(group, BaseModel):
        hints = {name: field.rebuild_annotation() for name, field in group.model_fields.items()}
    else:
        types = get_type_hints(group, include_extras=True)
        hints = {field.name: types[field.name] for field in dataclasses.fields(group)}
    for name, hint in hints.items():
        annotations = [annotation for annotation in get_args(hint) if isinstance(annotation, Named)]
        if _is_group(hint):
            yield from settings_of(hint, f"{prefix}{name}.")
        elif annotations:
            registry = annotations[0].registry()
            yield f"{prefix}{name}.name", str
            for entry in registry:
                yield from settings_of(registry.settings(registry[entry]), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", hint
            for inner in filter(_is_group, get_args(hint)):
                yield from settings_of(inner, f"{prefix}{name}.")


def _is_group(hint: Any) -> bool:
    return isinstance(hint, type) and (issubclass(hint, BaseModel) or dataclasses.is_dataclass(hint))
