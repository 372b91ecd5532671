"""Prediction of features of fields: the pre-training of an encoder, and a term of the loss in the contrastive training.

A linear head predicts features, such as profiles, from the embedding of a field before it is scaled to length 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from cloome_kedro.learning.encoders import ENCODERS
from cloome_kedro.learning.encoders.base import Encoder
from cloome_kedro.learning.objectives.base import Objective


@dataclass(frozen=True)
class FeatureArchitecture:
    """Settings from which a :class:`FeatureModel` is built.

    Attributes
    ----------
    field
        Encoder of fields.
    field_inputs
        Length of the first axis of one row's input, see :class:`cloome_kedro.learning.views.base.View`.
    embedding_size
        Length of the embeddings.
    features
        Number of predicted features.
    """

    field: Encoder
    field_inputs: int
    embedding_size: int
    features: int

    def describe(self) -> dict[str, Any]:
        """Describe the architecture in JSON values."""
        return {**vars(self), "field": ENCODERS.describe(self.field)}


class FeatureModel(nn.Module):
    """An encoder of fields and a linear head, with the tensor names of :class:`cloome_kedro.learning.model.PairModel`.

    With equal seeds, the encoder begins with the weights that it has in the pair model.
    """

    def __init__(self, architecture: FeatureArchitecture):
        super().__init__()
        self.architecture = architecture
        self.embedding_size = architecture.embedding_size
        self.visual = architecture.field.build(architecture.field_inputs, architecture.embedding_size)
        self.head = nn.Linear(architecture.embedding_size, architecture.features)

    def predict(self, inputs: torch.Tensor) -> torch.Tensor:
        """Predict features of fields: inputs (N, ...) -> (N, features)."""
        return self.head(self.visual(inputs))

    def forward(self, field: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
        """Give predicted and measured features, (N, 1, features) each, by name."""
        return {"prediction": self.predict(field)[:, None], "target": target[:, None]}


@dataclass(frozen=True)
class FeatureLoss:
    """Loss of a batch: that of the objective, plus the weighted mean squared error of the predicted features.

    Attributes
    ----------
    weight
        Weight of the mean squared error.
    objective
        Contrastive objective; None: there is only the mean squared error.
    measured
        If given, the mean squared error of each batch is stored here, under ``target_mse``.

    Examples
    --------
    >>> FeatureLoss(2.0)({"prediction": torch.ones(3, 1, 4), "target": torch.zeros(3, 1, 4)})
    tensor(2.)
    """

    weight: float = 1.0
    objective: Objective | None = None
    measured: dict[str, torch.Tensor] | None = field(default=None, repr=False, compare=False)

    @property
    def needs(self) -> tuple[str, ...]:
        """Further sets that the contrastive objective needs."""
        return getattr(self.objective, "needs", ())

    def __call__(self, outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        outputs
            Output of the model, by name: predictions and targets (N, k, features) of k fields per pair, and what the
            contrastive objective needs.

        Returns
        -------
        torch.Tensor
            Loss, without dimension, computed in float32 or float64.
        """
        error = mean_squared_error(outputs["prediction"], outputs["target"])
        if self.measured is not None:
            self.measured["target_mse"] = error.detach()
        if self.objective is None:
            return self.weight * error
        others = {name: tensor for name, tensor in outputs.items() if name not in ("prediction", "target")}
        return self.objective(others) + self.weight * error


def mean_squared_error(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean of the squared differences, in float32 or float64. No gradient reaches the target."""
    dtype = torch.promote_types(prediction.dtype, torch.float32)
    with torch.autocast(prediction.device.type, enabled=False):
        return (prediction.to(dtype) - target.detach().to(dtype)).square().mean()


def without_head(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Leave out the tensors of the head, which embedding does not need."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("head.")}
