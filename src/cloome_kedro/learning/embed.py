"""Embeddings of many fields or compounds by a model."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from tqdm import tqdm

from cloome_kedro.learning.batches import as_tensor, prefetch
from cloome_kedro.learning.config import Precision
from cloome_kedro.learning.features import FeatureModel
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.parts import Parts
from cloome_kedro.learning.staging import LateOutput, Prepared, staged
from cloome_kedro.learning.views.base import Read, View
from cloome_kedro.pooling import ATTENTION

SideName = Literal["field", "field and logit", "compound", "target"]

_ROWS = 4096  # rows that `read_inputs` reads at a time


def find_device(accelerator: str = "auto") -> torch.device:
    """Device that lightning-fabric chooses for the name of an accelerator: auto, cpu, cuda or mps."""
    return Fabric(accelerator=accelerator, devices=1).device


@dataclass(frozen=True)
class Embedder:
    """A model that embeds rows batch by batch.

    Attributes
    ----------
    model
        Calls move it to the device and set it to evaluation mode. It stays in this state.
    batch_size
        Rows per batch.
    device
        Device of the computation.
    progress
        Whether to show a progress bar.
    precision
        As in a fit. ``32-true`` changes nothing, also not the autocast of the caller.
    """

    model: PairModel | FeatureModel
    batch_size: int = 512
    device: torch.device | str = "cpu"
    progress: bool = True
    precision: Precision = "32-true"

    def __call__(
        self,
        side: SideName,
        read: Read,
        positions: int | np.ndarray,
        prepare: Callable[..., torch.Tensor],
        change: Callable[[torch.Tensor, np.ndarray], torch.Tensor] | None = None,
        context: np.ndarray | None = None,
        finished: Callable[[np.ndarray, int], None] | None = None,
    ) -> np.ndarray:
        """Embed rows.

        Parameters
        ----------
        side
            Encoder: of fields or of compounds. ``field and logit`` adds the logit of a field's weight as last column,
            if the pooling of the model is ``attention``. ``target`` predicts features of fields in place of embeddings.
        read
            Positions of rows (B,) -> arrays (B, ...).
        positions
            Positions of the rows, or the number of rows, counted from the first.
        prepare
            Turns the arrays, on the device, into the input of the encoder, such as a view.
        change
            ``change(batch, positions)`` changes a batch before ``prepare``, such as a corruption.
        context
            As :attr:`cloome_kedro.learning.views.base.Rows.context`. If given, ``prepare`` gets the context of a batch
            as its second argument.
        finished
            It is called after each batch with the array of all vectors and the number of those that are finished.

        Returns
        -------
        numpy.ndarray
            (rows, d) float32: embeddings, with a further column for logits, or predicted features.
        """
        rows = np.arange(positions) if isinstance(positions, int | np.integer) else positions
        model = self.model
        size = model.architecture.features if side == "target" else model.embedding_size + (side == "field and logit")
        self.model.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        vectors = np.empty((len(rows), size), np.float32)
        batches = [rows[start : start + self.batch_size] for start in range(0, len(rows), self.batch_size)]
        bar = tqdm(total=len(rows), desc="embedding", unit=f" {side.split()[0]}s", disable=not self.progress)
        device, output = torch.device(self.device), LateOutput(vectors)

        def load(batch: np.ndarray) -> tuple[np.ndarray, list[torch.Tensor]]:
            arrays = [read(batch)] if context is None else [read(batch), context[batch]]
            return batch, [as_tensor(array, pin=device.type == "cuda") for array in arrays]

        def prepared(loaded: tuple[np.ndarray, list[torch.Tensor]]) -> Prepared:
            batch, (tensor, *extra) = loaded[0], [part.to(device, non_blocking=True) for part in loaded[1]]
            inputs = prepare(tensor if change is None else change(tensor, batch), *extra)
            return Prepared(inputs, [tensor, *extra, inputs])

        with torch.inference_mode(), self._autocast(device), bar:
            for _, (batch, _), inputs in staged(prefetch(load, batches), prepared, device):
                output.add(_encode(model, side, cast(torch.Tensor, inputs)))
                bar.update(len(batch))
                if finished is not None:
                    finished(vectors, output.done)
            output.finish()
        return vectors

    def _autocast(self, device: torch.device) -> AbstractContextManager:
        if self.precision == "32-true":
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16 if self.precision == "bf16-mixed" else torch.float16)

    def fields_with_logits(
        self,
        read: Read,
        positions: int | np.ndarray,
        prepare: Callable[..., torch.Tensor],
        change: Callable[[torch.Tensor, np.ndarray], torch.Tensor] | None = None,
        context: np.ndarray | None = None,
        parts: Parts | None = None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Embed fields and give the logits of their weights. The other parameters are those of a call.

        Parameters
        ----------
        parts
            Where finished plates are written, so that an interrupted embedding continues. None: nowhere.

        Returns
        -------
        vectors : numpy.ndarray
            (rows, d) float32.
        logits : numpy.ndarray or None
            (rows,) float32. None: the pooling of the model is not ``attention``.
        """
        attends = isinstance(self.model, PairModel) and self.model.architecture.pooling == ATTENTION
        side: SideName = "field and logit" if attends else "field"
        rows = np.arange(positions) if isinstance(positions, int | np.integer) else positions

        def compute(some: np.ndarray, finished: Callable[[np.ndarray, int], None] | None) -> np.ndarray:
            return self(side, read, rows[some], prepare, change, context, finished)

        found = compute(np.arange(len(rows)), None) if parts is None else parts.compute(compute)
        return (np.ascontiguousarray(found[:, :-1]), found[:, -1].copy()) if attends else (found, None)


def read_inputs(view: View, read: Read, positions: np.ndarray, context: np.ndarray | None = None) -> np.ndarray:
    """Read the input of an encoder, without a model: (rows, inputs, ...) float32.

    Parameters
    ----------
    view
        Turns arrays into the input, on the CPU.
    read, positions, context
        As for :class:`Embedder`.
    """
    blocks = [np.empty((0, view.inputs), np.float32)]
    with torch.inference_mode():
        for start in range(0, len(positions), _ROWS):
            batch = positions[start : start + _ROWS]
            extra = () if context is None else (as_tensor(context[batch]),)
            blocks.append(view(as_tensor(read(batch)), *extra).numpy())
    return np.concatenate(blocks[1:] or blocks)


def _encode(model: PairModel | FeatureModel, side: SideName, inputs: torch.Tensor) -> torch.Tensor:
    if side == "target":
        return model.predict(inputs)
    assert isinstance(model, PairModel)
    if side == "field and logit":
        vectors, logits = model.encode_with_logits(inputs)
        return torch.cat([vectors, logits[:, None]], dim=1)
    return model.encode_fields(inputs) if side == "field" else model.encode_compounds(inputs)
