"""Registries to which a test adds entries of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from cloome_kedro.registry import Registry


@contextmanager
def restored(registry: Registry) -> Iterator[Registry]:
    """The registry; what is added within the block is removed at its end."""
    entries = registry._targets, registry._modules, registry._facts
    before = [dict(each) for each in entries]
    try:
        yield registry
    finally:
        for each, kept in zip(entries, before, strict=True):
            each.clear()
            each.update(kept)
