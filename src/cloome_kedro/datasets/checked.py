"""Tables that this process has checked: what has not changed since is not checked again."""

from typing import Any

from kedro.io import DataCatalog

from cloome_kedro.file_states import MISSING, places, state


class CheckedTables:
    """Remembers of checked tables the states of their files and the types of their columns.

    Examples
    --------
    >>> import pandas as pd
    >>> checked, table = CheckedTables(), pd.DataFrame({"rank": [1, 2]})
    >>> checked.add("ranks", "a0b1", table)
    >>> checked.includes("ranks", "a0b1", table), checked.includes("ranks", "c2d3", table)
    (True, False)
    >>> checked.includes("ranks", "a0b1", table.astype(float))
    False
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple] = {}

    def includes(self, name: str, file_state: str, table: Any) -> bool:
        """Whether a table is one that was checked: its file has not changed, and it has the same columns and types."""
        return name in self._known and self._known[name] == (file_state, *_types(table))

    def add(self, name: str, file_state: str, table: Any) -> None:
        """Remember a checked table. A table whose file has no known state is not remembered."""
        if file_state in ("", MISSING) or not hasattr(table, "dtypes"):
            self._known.pop(name, None)
        else:
            self._known[name] = (file_state, *_types(table))


def _types(table: Any) -> tuple:
    return (tuple(table.columns), tuple(table.dtypes), table.index.dtype) if hasattr(table, "dtypes") else ()


def state_of(dataset: Any) -> str:
    """State of the files of a dataset; empty if it cannot be known, such as on a server."""
    return state(found) if (found := places(dataset)) else ""


class Catalog(DataCatalog):
    """Kedro's catalog. It does not check a table again if its file is still the one that this process has checked.

    So the tables that a node saves are checked once, and not by each node that loads them. A file that another process
    has written is checked when it is loaded.
    """

    def __init__(self, *arguments: Any, **options: Any):
        self._checked = CheckedTables()
        self._states: dict[str, str] = {}  # dataset -> state of its file before it was loaded
        self._saving: dict[str, Any] = {}  # dataset -> checked table
        super().__init__(*arguments, **options)

    def save(self, ds_name: str, data: Any) -> None:
        """Check and save data; see :meth:`kedro.io.DataCatalog.save`."""
        super().save(ds_name, data)
        if (table := self._saving.pop(ds_name, None)) is not None:
            self._checked.add(ds_name, state_of(self[ds_name]), table)

    def load(self, ds_name: str, version: str | None = None) -> Any:
        """Load and check data; see :meth:`kedro.io.DataCatalog.load`."""
        if (dataset := self.get(ds_name)) is not None and ds_name in self.validator_specs:
            self._states[ds_name] = "" if version else state_of(dataset)
        return super().load(ds_name, version)

    def _validate(self, ds_name: str, data: Any, mode: str) -> Any:
        if mode == "load" and self._checked.includes(ds_name, self._states.get(ds_name, ""), data):
            return data
        checked = super()._validate(ds_name, data, mode)
        if mode == "save" and ds_name in self.validator_specs:
            self._saving[ds_name] = checked
        return checked
