"""Registries: named things of one kind, to which a user's own modules can add.

A built-in entry is given as ``module:attribute`` and imported when it is first asked for, so that names can be listed
and checked without loading torch or rdkit.

>>> kinds = Registry("container")
>>> kinds.add("counter", "collections:Counter", sorted=False)
>>> kinds["counter"]("aab"), kinds.facts("counter")
(Counter({'a': 2, 'b': 1}), {'sorted': False})
"""

import dataclasses
import difflib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Things of one kind by their names.

    Parameters
    ----------
    kind : str
        What the things are, for messages: ``encoder``, ``layout``, ...
    settings : callable
        Class of an entry's settings, as the configuration gives them; the entry itself if not given.
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
            The thing itself, or ``module:attribute``, which is imported when it is first asked for.
        module
            Where the thing is defined, if it does not say so itself.
        facts
            What is to be known of it without an import, see :meth:`facts`.

        Raises
        ------
        ValueError
            If another module has added an entry of this name.
        """
        module = module or (target.partition(":")[0] if isinstance(target, str) else target.__module__)
        if (known := self._modules.get(name, module)) != module:
            raise ValueError(f"the {self.kind} {name} of {module} is already defined in {known}: give it another name")
        self._targets[name], self._modules[name], self._facts[name] = target, module, facts

    def register(self, name: str, **facts: Any) -> Callable[[T], T]:
        """Decorator that adds the decorated class or function; see :meth:`add`."""

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
        """What the entry's line says of it; nothing is imported."""
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

    def name_of(self, thing: Any) -> str:
        """Name of an entry that is a class, or of its class of settings, or of an instance of either."""
        cls = thing if isinstance(thing, type) else type(thing)
        for name, module in self._modules.items():
            if module == cls.__module__ and cls in (self[name], self.settings(self[name])):
                return name
        raise ValueError(f"{cls.__qualname__} of {cls.__module__} is not registered as {self.kind}")

    def describe(self, thing: Any) -> dict[str, Any]:
        """Name and fields of a dataclass, as JSON values; of an entry's instance :meth:`make` is the inverse."""
        return {"name": self.name_of(thing), **dataclasses.asdict(thing)}

    def make(self, description: Mapping[str, Any]) -> Any:
        """The entry's instance that :meth:`describe` has described, where lists stand for tuples.

        Raises
        ------
        ValueError
            If the name is unknown, or the entry has no such field.
        """
        fields = {key: tuple(v) if isinstance(v, list) else v for key, v in description.items() if key != "name"}
        entry: Any = self[description["name"]]
        try:
            return entry(**fields)
        except TypeError as error:
            raise ValueError(f"{self.kind} {description['name']}: {error}") from error


def load_modules(modules: Sequence[str]) -> None:
    """Import a user's modules, so that they can register what they define.

    Raises
    ------
    ValueError
        If a module cannot be imported; names it.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ValueError(
                f"globals.yml, modules: {module} cannot be imported ({error}); it must be below src/ or installed"
            ) from error
