"""The indexes that a page serves, and what is computed once for each of them."""

import re
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cloome_kedro.asking import Asker
from cloome_kedro.index import Index
from cloome_kedro.words import FOLDS

if TYPE_CHECKING:
    from cloome_kedro.page.models import SpaceMap

_SAMPLE = 64  # fields from which the contrast is computed


class Shelf:
    """One index with the model that made it.

    Attributes
    ----------
    lock
        Only one thread at a time asks the model.
    """

    def __init__(self, index: Index, device: str = "auto"):
        self.index, self.asker, self.lock = index, Asker(index, device), threading.Lock()

    @cached_property
    def compounds(self) -> pd.DataFrame:
        """Metadata of all compounds."""
        return self.index.rows("compounds")

    @cached_property
    def wells(self) -> pd.DataFrame:
        """Metadata of all wells."""
        return self.index.rows("wells")

    @cached_property
    def plates(self) -> list[str]:
        """Names of the plates."""
        return sorted(self.wells["plate"].unique())

    @cached_property
    def mechanisms(self) -> list[str]:
        """Names of the mechanisms, in alphabetical order. An entry of a table can list several, separated by ``|``."""
        entries = self.compounds["moa"].dropna().unique()
        return sorted({part for entry in entries for part in parts(entry)}, key=str.casefold)

    @cached_property
    def folds(self) -> list[str]:
        """Names of the folds, and ``control`` if there are controls."""
        present = {part for entry in self.compounds["fold"].dropna().unique() for part in parts(entry)}
        controls = ["control"] if self.wells["control"].any() else []
        return [fold for fold in FOLDS if fold in present] + controls

    @cached_property
    def limits(self) -> list[list[float]] | None:
        """Black and white level of each channel, from fields that are evenly spread; None without images."""
        if not self.index.info["thumbnail"]:
            return None
        from cloome_kedro.reporting.montage import display_limits

        keys = self.index.rows("fields", columns=["field_id"])["field_id"]
        drawn = keys.iloc[:: max(1, len(keys) // _SAMPLE)][:_SAMPLE]
        return display_limits(self.index.thumbnails(drawn)).tolist() if len(drawn) else None

    def warm(self) -> None:
        """Load what the first question needs, so that it is answered soon."""
        with self.lock:
            _ = self.limits, self.compounds, self.wells
            if any(self.index.info["accepts"].values()):
                _ = self.asker.model

    @cached_property
    def map(self) -> "SpaceMap":
        """Map of the embedding space."""
        from cloome_kedro.page.spacemap import space_map

        return space_map(self.index)


class Library:
    """Indexes by short names.

    Parameters
    ----------
    folders
        Folders of indexes.
    device
        Device that embeds.

    Raises
    ------
    ValueError
        If there is no folder, or the same twice.
    """

    def __init__(self, folders: Sequence[Path], device: str = "auto"):
        if not folders:
            raise ValueError("there is no index to serve")
        self.shelves: dict[str, Shelf] = {}
        seen: set[Path] = set()
        for folder in folders:
            if (place := Path(folder).expanduser().resolve()) in seen:
                raise ValueError(f"the index {folder} is given twice")
            seen.add(place)
            index = Index.open(folder)
            self.shelves[self._name(index)] = Shelf(index, device)

    def _name(self, index: Index) -> str:
        words = [str(index.info[key]) for key in ("screen", "split", "model")]
        stem = re.sub(r"[^a-z0-9_]+", "-", "-".join(words).lower()).strip("-")
        names = [stem, *(f"{stem}-{number}" for number in range(2, len(self.shelves) + 3))]
        return next(name for name in names if name not in self.shelves)

    def __getitem__(self, name: str) -> Shelf:
        if name not in self.shelves:
            raise KeyError(f"there is no index {name!r}; this page serves: {', '.join(self.shelves)}")
        return self.shelves[name]


def parts(entry: str) -> list[str]:
    """Parts of an entry that lists several names.

    >>> parts("train|test")
    ['train', 'test']
    """
    return [part.strip() for part in str(entry).split("|") if part.strip()]
