"""Base class of views."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

#: columns by name, such as a pandas.DataFrame or a dict of arrays
Table = Mapping[str, Any]

#: positions of rows (B,) int -> arrays of these rows (B, ...), the argument of a view
Read = Callable[[np.ndarray], np.ndarray]


#: first rows and first columns of windows (B,) int, and their height and width
Corners = tuple[np.ndarray, np.ndarray, tuple[int, int]]


class Windows(NamedTuple):
    """How parts of images are read.

    Attributes
    ----------
    shape
        Shape of each whole image, (C, H, W).
    read
        Positions of rows (B,), and what :data:`Corners` are -> arrays (B, C, h, w).
    """

    shape: tuple[int, ...]
    read: Callable[[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]], np.ndarray]


@dataclass(frozen=True)
class Rows:
    """The rows of a table, as a view reads them.

    Attributes
    ----------
    read : callable
        Positions of rows (B,) int -> arrays (B, ...). It is called from threads. It is pickled if several devices
        train.
    known : numpy.ndarray
        (n,) bool: which rows have an input. Other rows must not be read.
    identity : str
        Text that differs if the content of the known rows differs. A finished training on other content is then not
        used again.
    context : numpy.ndarray or None
        (n, ...) float32: numbers of each row that the view needs beside the arrays, such as the statistics of its
        plate. None: the view needs none.
    place : numpy.ndarray or None
        (n,) int: rows with neighbouring numbers are next to one another on the disk. None: rows are in memory.
    windows : Windows or None
        How parts of the rows are read. None: only whole rows can be read.
    """

    read: Read
    known: np.ndarray
    identity: str
    context: np.ndarray | None = None
    place: np.ndarray | None = None
    windows: Windows | None = None


class View(ABC):
    """What a model sees of each row of a table.

    A subclass is a frozen dataclass with JSON values, which are saved in the checkpoint.

    Attributes
    ----------
    settings : class attribute
        Dataclass of the settings that the configuration gives. Its method
        ``fit(table, sources, train, seed, progress)`` returns a view. ``train`` are the positions of the training rows;
        ``fit`` must learn from these rows only.
    inputs : int
        Length of the first axis of one row's input: channels of an image, or numbers of a vector.
    """

    settings: ClassVar[type]

    @property
    @abstractmethod
    def inputs(self) -> int: ...

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of features of each set that lies side by side in the input; by default there is one set."""
        return (self.inputs,)

    @property
    def version(self) -> int:
        """A number that differs if the same settings gave other inputs in earlier versions of the program."""
        return 0

    def check_side(self, side: str) -> None:
        """Check that the view can be that of a side: ``field``, ``compound`` or ``target``; by default it can.

        Raises
        ------
        ValueError
            If it cannot. The message says what to change.
        """
        return None

    @abstractmethod
    def rows(self, table: Table, sources: Mapping[str, Any]) -> Rows:
        """Prepare the rows of a table for reading.

        Parameters
        ----------
        table
            One row per field or compound. Its columns say where the input of a row is.
        sources
            Datasets that the view reads, by name.

        Raises
        ------
        ValueError
            If the sources do not fit the view, such as fingerprints with another number of bits.
        """

    @abstractmethod
    def __call__(self, batch: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """Make the input of the encoder for evaluation: arrays (B, ...) on the device -> (B, inputs, ...) float32.

        ``context`` has the rows of :attr:`Rows.context`, on the same device.
        """

    def differences(self, table: Table, sources: Mapping[str, Any]) -> list[str]:
        """Say how the inputs of a table differ from those in training, one text per difference; by default none."""
        return []

    def window(self, shape: tuple[int, ...], seeds: np.ndarray) -> Corners | None:
        """Say which window of each row :meth:`augment` uses, so that only this is read; by default all of the row.

        If :meth:`augment` gets these windows in place of whole rows, with the same seeds, it must give the same inputs.

        Parameters
        ----------
        shape
            Shape of each row, (C, H, W).
        seeds
            (B,) seeds of the rows.
        """
        return None

    def augment(self, batch: torch.Tensor, seeds: np.ndarray, context: torch.Tensor | None = None) -> torch.Tensor:
        """Make the input of the encoder for training, with one seed per row. By default, it is that of evaluation."""
        return self(batch) if context is None else self(batch, context)
