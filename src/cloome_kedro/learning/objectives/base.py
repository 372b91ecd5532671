"""Base class of objectives."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData

#: sets that only objectives get which name them in ``needs``; see :class:`Objective`
FURTHER_SETS = ("field_input", "compound_input", "unit", "plate", "fields")


class Objective(ABC):
    """Loss of a batch. A subclass is a frozen dataclass whose fields are its settings, with JSON values.

    Attributes
    ----------
    scalars : class attribute or property
        Numbers that are learned beside the weights: name -> initial value. The model holds them under these names and
        passes them to ``loss``. ``loss`` also gets the inverse temperature of the model, under the name ``scale``.
    needs : class attribute or property
        Names of further sets that ``loss`` gets, with one row per pair, as ``field`` and ``compound`` have:

        - ``field_input``, ``compound_input``: (N, p) inputs of the encoders. They must be vectors. If a pair has
          several fields, their inputs are averaged.
        - ``unit``: (N,) int64 code of the compound.
        - ``plate``: (N, k) int64 code of the plate of each of the k fields of a pair.
        - ``fields``: (N, k, d) embeddings of the k fields of each pair, before they are pooled. They are only given if
          ``FitConfig.fields_per_compound`` is above 1, and not on the validation fold.
    """

    scalars: ClassVar[Mapping[str, float]] = {}
    needs: ClassVar[tuple[str, ...]] = ()

    def check_fit(self, config: FitConfig) -> None:  # noqa: B027 - few objectives have something to check
        """Check whether a fit with these settings can compute the objective; by default it can.

        Raises
        ------
        ValueError
            If it cannot. The message says what to change.
        """

    def check_data(self, data: PairData) -> None:  # noqa: B027 - few objectives have something to check
        """Check whether the training pairs can give the objective what it compares; by default they can.

        Raises
        ------
        ValueError
            If they cannot. The message says what to change.
        """

    def __call__(self, outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute the loss of a batch.

        The loss is computed in float32, also under autocast. For inputs in float64 it is computed in float64. Sets of
        integers stay as they are.

        Parameters
        ----------
        outputs
            Output of the model, by name. Sets of embeddings, such as ``field`` and ``compound``, are (N, d) each, with
            N >= 2. Row i of each set belongs to pair i. The sets that are named in ``needs`` have N rows too.
            ``scale``, the inverse temperature, and ``scalars`` have no dimension.

        Returns
        -------
        torch.Tensor
            Loss, without dimension.

        Raises
        ------
        ValueError
            If the embeddings differ in shape, a set has another number of rows or is missing, or there are fewer than
            two pairs.
        """
        sets = {name: tensor for name, tensor in outputs.items() if tensor.ndim}
        embeddings = {name: tensor for name, tensor in sets.items() if name not in FURTHER_SETS}
        first = next(iter(embeddings.values()))
        if any(tensor.shape != first.shape or tensor.ndim != 2 for tensor in embeddings.values()):
            raise ValueError(f"all sets of embeddings must have the same shape (N, d), got {_shapes(embeddings)}")
        if any(len(tensor) != len(first) for tensor in sets.values()):
            raise ValueError(f"all sets must have the same number of rows, got {_shapes(sets)}")
        if missing := [name for name in self.needs if name not in sets and name != "fields"]:
            raise ValueError(f"{type(self).__name__} needs the set {missing[0]}, but there are only {', '.join(sets)}")
        if len(first) < 2:
            raise ValueError(
                "a contrastive objective needs a batch of at least two pairs: a single pair has no negatives"
            )
        dtype = torch.float32
        for tensor in sets.values():
            if tensor.is_floating_point():
                dtype = torch.promote_types(dtype, tensor.dtype)

        def converted(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.to(first.device, tensor.dtype if tensor.ndim and not tensor.is_floating_point() else dtype)

        with torch.autocast(first.device.type, enabled=False):
            return self.loss(**{name: converted(tensor) for name, tensor in outputs.items()})

    @abstractmethod
    def loss(
        self, field: torch.Tensor, compound: torch.Tensor, scale: torch.Tensor, **others: torch.Tensor
    ) -> torch.Tensor:
        """Compute the loss of checked outputs, which have the same dtype and device."""


def _shapes(sets: Mapping[str, torch.Tensor]) -> str:
    return ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in sets.items())
