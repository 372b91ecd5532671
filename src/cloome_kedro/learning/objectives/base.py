"""Base class of objectives."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch


class Objective(ABC):
    """Loss of a batch. A subclass is a frozen dataclass whose fields are its settings, with JSON values.

    Attributes
    ----------
    scalars : class attribute
        Numbers that are learned beside the weights: name -> initial value. The model holds them under these names and
        passes them to ``loss``. ``loss`` also gets the inverse temperature of the model, under the name ``scale``.
    """

    scalars: ClassVar[Mapping[str, float]] = {}

    def __call__(self, outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute the loss of a batch.

        The loss is computed in float32, also under autocast. For inputs in float64 it is computed in float64.

        Parameters
        ----------
        outputs
            Output of the model, by name. Sets of embeddings, such as ``field`` and ``compound``, are (N, d) each, with
            N >= 2. Row i of each set belongs to pair i. ``scale``, the inverse temperature, and ``scalars`` have no
            dimension.

        Returns
        -------
        torch.Tensor
            Loss, without dimension.

        Raises
        ------
        ValueError
            If the sets differ in shape or hold fewer than two pairs.
        """
        sets = {name: tensor for name, tensor in outputs.items() if tensor.ndim}
        first = next(iter(sets.values()))
        if any(tensor.shape != first.shape or tensor.ndim != 2 for tensor in sets.values()):
            shapes = ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in sets.items())
            raise ValueError(f"all sets of embeddings must have the same shape (N, d), got {shapes}")
        if len(first) < 2:
            raise ValueError(
                "a contrastive objective needs a batch of at least two pairs: a single pair has no negatives"
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
        """Compute the loss of checked outputs, which have the same dtype and device."""
