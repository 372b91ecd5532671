"""Embeddings of many fields or compounds by a trained model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from tqdm import tqdm

from cloome_kedro.learning.batches import as_tensor, prefetch
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.views.base import Read

SideName = Literal["field", "compound"]


def find_device(accelerator: str = "auto") -> torch.device:
    """The device that lightning-fabric picks for an accelerator's name (auto, cpu, cuda, mps)."""
    return Fabric(accelerator=accelerator, devices=1).device


@dataclass(frozen=True)
class Embedder:
    """Embeds by one model.

    Attributes
    ----------
    model
        It is taken to the device and to evaluation mode, and stays so.
    batch_size
        Rows at a time.
    device
        Where it computes.
    progress
        Whether there is a progress bar.
    """

    model: PairModel
    batch_size: int = 512
    device: torch.device | str = "cpu"
    progress: bool = True

    def __call__(
        self,
        side: SideName,
        read: Read,
        positions: int | np.ndarray,
        prepare: Callable[[torch.Tensor], torch.Tensor],
        change: Callable[[torch.Tensor, np.ndarray], torch.Tensor] | None = None,
    ) -> np.ndarray:
        """Embed rows: (rows, d) float32.

        Parameters
        ----------
        side
            Which encoder.
        read
            Positions -> what is read of these rows.
        positions
            Which rows, or how many from the first on.
        prepare
            From what is read, on the device, to the encoder's input: a view.
        change
            ``change(batch, positions)``: what happens to a batch before ``prepare``.
        """
        rows = np.arange(positions) if isinstance(positions, int | np.integer) else positions
        encode = self.model.encode_fields if side == "field" else self.model.encode_compounds
        self.model.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        vectors = np.empty((len(rows), self.model.embedding_size), np.float32)
        batches = [rows[start : start + self.batch_size] for start in range(0, len(rows), self.batch_size)]
        bar = tqdm(total=len(rows), desc="embedding", unit=f" {side}s", disable=not self.progress)
        done = 0
        with torch.inference_mode(), bar:
            loaded = prefetch(lambda batch: as_tensor(read(batch)), batches)
            for batch, tensor in zip(batches, loaded, strict=True):
                tensor = tensor.to(self.device)
                found = encode(prepare(tensor if change is None else change(tensor, batch))).cpu().numpy()
                vectors[done : done + len(found)] = found
                done += len(found)
                bar.update(len(found))
        return vectors
