"""What every view is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

#: columns by name, such as a pandas.DataFrame or a dict of arrays
Table = Mapping[str, Any]

#: positions of rows (B,) int -> their input as it is read, (B, ...)
Read = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Rows:
    """The rows of a table, as a view reads them.

    Attributes
    ----------
    read : callable
        Positions of rows (B,) int -> arrays (B, ...). It is called from threads, and pickled where several devices
        train.
    known : numpy.ndarray
        (n,) bool, which rows there is an input of; no others may be read.
    identity : str
        Tells the content of all known rows apart: without it, content that changed under the same settings would not
        be noticed.
    """

    read: Read
    known: np.ndarray
    identity: str


class View(ABC):
    """What a model sees of each row of a table; a frozen dataclass with JSON values, which a checkpoint keeps.

    Attributes
    ----------
    settings : class attribute
        Dataclass of what the configuration says of the view. Its method
        ``fit(table, sources, train, seed, progress)`` makes a view: ``train`` are positions of the training rows, the
        only ones that it may learn from.
    inputs : int
        Length of the first axis of one row's input: channels of an image, or numbers of a vector.
    """

    settings: ClassVar[type]

    @property
    @abstractmethod
    def inputs(self) -> int: ...

    @abstractmethod
    def rows(self, table: Table, sources: Mapping[str, Any]) -> Rows:
        """The rows of a table.

        Parameters
        ----------
        table
            One row per field or compound; its columns say where the inputs are.
        sources
            Datasets that the view reads, by name.

        Raises
        ------
        ValueError
            If the sources are not of the kind that the view was fitted on.
        """

    @abstractmethod
    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """The encoder's input in evaluation: (B, ...) as read, on the device -> (B, inputs, ...) float32."""

    def differences(self, table: Table, sources: Mapping[str, Any]) -> list[str]:
        """In which ways the inputs of a table differ from those that the model was trained on; none if not told."""
        return []

    def augment(self, batch: torch.Tensor, seeds: np.ndarray) -> torch.Tensor:
        """The encoder's input in training; ``seeds`` has one seed per row. Without an override: as in evaluation."""
        return self(batch)
