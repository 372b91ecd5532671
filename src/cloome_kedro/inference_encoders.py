"""What embeds prepared inputs, for each kind of model that has views of its own."""

from typing import Literal, Protocol

import numpy as np
import torch

from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.ridge_model import RidgeModel
from cloome_kedro.learning.checkpoint import Checkpoint
from cloome_kedro.learning.embed import Embedder, read_inputs
from cloome_kedro.learning.views.base import Read, View
from cloome_kedro.words import RIDGE

Side = Literal["field", "compound"]


class Encoder(Protocol):
    """Embeds rows that a view reads: (rows, embedding_size) float32."""

    embedding_size: int

    def __call__(
        self,
        side: Side,
        read: Read,
        rows: int,
        view: View,
        batch_size: int,
        *,
        progress: bool = False,
        context: np.ndarray | None = None,
    ) -> np.ndarray: ...


def encoder_of(checkpoint: Checkpoint, device: torch.device) -> Encoder:
    """Make the encoder of a checkpoint; ValueError if its tensors do not fit."""
    return RidgeEncoder(checkpoint) if checkpoint.kind == RIDGE else PairEncoder(checkpoint, device)


class PairEncoder:
    """The two encoders of a contrastive model."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device):
        self._model, self._device = checkpoint.build(), device
        self.embedding_size = self._model.embedding_size

    def __call__(
        self,
        side: Side,
        read: Read,
        rows: int,
        view: View,
        batch_size: int,
        *,
        progress: bool = False,
        context: np.ndarray | None = None,
    ) -> np.ndarray:
        """Embed rows."""
        embed = Embedder(self._model, batch_size, self._device, progress and rows > batch_size)
        return embed(side, read, rows, view, context=context)


class RidgeEncoder:
    """A ridge: vectors of fields are their profiles, those of compounds are predicted profiles; all have length 1."""

    def __init__(self, checkpoint: Checkpoint):
        try:
            landmarks, coefficients = (checkpoint.tensors[name].numpy() for name in ("landmarks", "coefficients"))
            scale = checkpoint.tensors["scale"].item()
            kernel, widths = checkpoint.config["kernel"], tuple(checkpoint.config["widths"])
            if len(landmarks) != len(coefficients) or landmarks.shape[1] != sum(widths):
                raise ValueError(f"{landmarks.shape}, {coefficients.shape} and {widths} do not fit")
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(f"the tensors of the ridge do not fit its config ({error}): fit it again") from error
        self._model = RidgeModel(landmarks.astype(np.float32), coefficients, scale, kernel, widths)
        self.embedding_size = coefficients.shape[1]

    def __call__(
        self,
        side: Side,
        read: Read,
        rows: int,
        view: View,
        batch_size: int,
        *,
        progress: bool = False,
        context: np.ndarray | None = None,
    ) -> np.ndarray:
        """Embed rows, on the CPU."""
        vectors = np.empty((rows, self.embedding_size), np.float32)
        for start in range(0, rows, batch_size):
            inputs = read_inputs(view, read, np.arange(start, min(start + batch_size, rows)), context)
            vectors[start : start + batch_size] = unit_rows(inputs if side == "field" else self._model.predict(inputs))
        return vectors
