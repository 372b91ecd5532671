"""What every objective is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch


class Objective(ABC):
    """Loss of a batch; a frozen dataclass of its settings, with JSON values.

    Attributes
    ----------
    scalars : class attribute
        Numbers that are learned beside the weights, with their initial values; the model holds them under these names,
        and the objective is given them. (The inverse temperature is the model's own, under the name ``scale``.)
    """

    scalars: ClassVar[Mapping[str, float]] = {}

    def __call__(self, outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Scalar loss of a batch.

        It is computed in float32, or in float64 where that is what comes in, also under autocast.

        Parameters
        ----------
        outputs
            What the model gives, by name. Sets of embeddings, ``field`` and ``compound`` and whatever else it has, are
            (N, d) each; row i of all is of one pair, N >= 2. Numbers, ``scale`` (the inverse temperature) and
            ``scalars``, have no dimension.

        Raises
        ------
        ValueError
            If the sets differ in shape or hold fewer than two pairs.
        """
        sets = {name: tensor for name, tensor in outputs.items() if tensor.ndim}
        first = next(iter(sets.values()))
        if any(tensor.shape != first.shape or tensor.ndim != 2 for tensor in sets.values()):
            shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in sets.items())
            raise ValueError(f"embeddings must be (N, d) alike, got {shapes}")
        if len(first) < 2:
            raise ValueError(
                "a contrastive objective needs a batch of two pairs or more: with one there is no negative"
            )
        dtype = torch.float32
        for tensor in sets.values():
            dtype = torch.promote_types(dtype, tensor.dtype)
        with torch.autocast(first.device.type, enabled=False):
            return self.loss(**{name: tensor.to(first.device, dtype) for name, tensor in outputs.items()})

    @abstractmethod
    def loss(
        self, field: torch.Tensor, compound: torch.Tensor, scale: torch.Tensor, **others: torch.Tensor
    ) -> torch.Tensor:
        """Loss of checked outputs of one dtype."""
