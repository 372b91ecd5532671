"""Registries of named entries, such as encoders or layouts. A user's modules can register more entries.

A built-in entry is given as ``module:attribute`` and is imported when it is first used. Names can therefore be listed
and checked without loading torch or rdkit.

>>> containers = Registry("container")
>>> containers.add("counter", "collections:Counter", sorted=False)
>>> containers["counter"]("aab"), containers.facts("counter")
(Counter({'a': 2, 'b': 1}), {'sorted': False})
"""

import dataclasses
import difflib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Entries of one kind, by name.

    Parameters
    ----------
    kind : str
        Word for an entry in error messages: ``encoder``, ``layout``, ...
    settings : callable
        Function from an entry to the dataclass of its settings in the configuration. The default takes the entry itself
        as this dataclass.
    """

    def __init__(self, kind: str, settings: Callable[[T], Any] = lambda entry: entry):
        self.kind = kind
        self.settings = settings
        self._targets: dict[str, T | str] = {}
        self._modules: dict[str, str] = {}
        self._facts: dict[str, Mapping[str, Any]] = {}

    def add(self, name: str, target: T | str, module: str = "", **facts: Any) -> None:
        """Add an entry.

        Parameters
        ----------
        name : str
            Name in the configuration.
        target
            The entry (a class or function), or the text ``module:attribute``, which is imported at the first use.
        module
            Module that defines the entry. It is only needed if ``target`` has no attribute ``__module__``.
        facts
            Properties that are needed before the entry is imported; see :meth:`facts`.

        Raises
        ------
        ValueError
            If another module has already added an entry with this name.
        """
        module = module or (target.partition(":")[0] if isinstance(target, str) else target.__module__)
        if (known := self._modules.get(name, module)) != module:
            raise ValueError(f"the {self.kind} {name} of {module} is already defined in {known}: give it another name")
        self._targets[name], self._modules[name], self._facts[name] = target, module, facts

    def register(self, name: str, **facts: Any) -> Callable[[T], T]:
        """Return a decorator that adds a class or function; see :meth:`add`."""

        def add(target: T) -> T:
            self.add(name, target, **facts)
            return target

        return add

    def __getitem__(self, name: str) -> T:
        self._check(name)
        target = self._targets[name]
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            target = self._targets[name] = getattr(importlib.import_module(module), attribute)
        return target  # type: ignore[return-value]

    def facts(self, name: str) -> Mapping[str, Any]:
        """Properties of an entry that were given when it was added. This imports nothing."""
        self._check(name)
        return self._facts[name]

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def _check(self, name: str) -> None:
        if name not in self._targets:
            near = difflib.get_close_matches(str(name), self._targets, 3, 0.5) or list(self._targets)
            raise ValueError(f"there is no {self.kind} {name!r}; the nearest are: {', '.join(near)}")

    def name_of(self, value: Any) -> str:
        """Name of the entry that a class or an instance belongs to.

        Parameters
        ----------
        value
            An entry that is a class, the class of its settings, or an instance of one of the two.

        Raises
        ------
        ValueError
            If there is no such entry.
        """
        cls = value if isinstance(value, type) else type(value)
        for name, module in self._modules.items():
            if module == cls.__module__ and cls in (self[name], self.settings(self[name])):
                return name
        raise ValueError(f"{cls.__qualname__} of {cls.__module__} is not registered as {self.kind}")

    def describe(self, instance: Any) -> dict[str, Any]:
        """Name and fields of a dataclass instance. For an instance of an entry, :meth:`make` is the inverse."""
        return {"name": self.name_of(instance), **dataclasses.asdict(instance)}

    def make(self, description: Mapping[str, Any]) -> Any:
        """Make the instance of an entry from its description by :meth:`describe`.

        Lists become tuples, because a description that was saved as JSON has lists in their place.

        Raises
        ------
        ValueError
            If the name is unknown, or if fields are missing or unknown.
        """
        fields = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in description.items()
            if key != "name"
        }
        entry: Any = self[description["name"]]
        try:
            return entry(**fields)
        except TypeError as error:
            raise ValueError(f"{self.kind} {description['name']}: {error}") from error


def load_modules(modules: Sequence[str]) -> None:
    """Import a user's modules, so that they can register their entries.

    Raises
    ------
    ValueError
        If a module cannot be imported. The message names it.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ValueError(
                f"globals.yml, modules: {module} cannot be imported ({error}). Put it below src/, or install it"
            ) from error
