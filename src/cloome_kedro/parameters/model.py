"""Parameters of models and of embedding."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from cloome_kedro.learning.config import Accelerator, FitConfig
from cloome_kedro.parameters.base import Name, Parameters, Positive, named
from cloome_kedro.registry import Registry
from cloome_kedro.words import RETRIEVAL_METRICS


def _views() -> Registry:
    from cloome_kedro.learning.views import VIEWS

    return VIEWS


def _encoders() -> Registry:
    from cloome_kedro.learning.encoders import ENCODERS

    return ENCODERS


def _objectives() -> Registry:
    from cloome_kedro.learning.objectives import OBJECTIVES

    return OBJECTIVES


View: TypeAlias = Annotated[Any, *named(_views)]
Encoder: TypeAlias = Annotated[Any, *named(_encoders)]
Objective: TypeAlias = Annotated[Any, *named(_objectives)]


class SideParameters(Parameters):
    """The view and the encoder of one side of a model."""

    view: View
    encoder: Encoder


class ModelParameters(Parameters):
    """A model: an entry of ``models:``."""

    field: SideParameters
    compound: SideParameters
    embedding_size: Positive = Field(
        default=512,
        description="length of the embeddings; an encoder with a fixed size, such as identity, overrides it",
    )
    normalise: bool = Field(default=True, description="whether embeddings have length 1, so that scores are cosines")
    inverse_temperature: float = Field(default=14.3, ge=1, le=100, description="initial value")
    learnable_temperature: bool = True
    objective: Objective
    fit: FitConfig
    pair_key: Literal["compound", "treatment"] = Field(
        default="compound",
        description="what an epoch shows equally often, and a batch only once if fit.unique_compounds is true. With "
        "treatment, a batch can contain a compound at several concentrations",
    )
    selected_by: str = Field(default="top1", description="metric of fit.keep that chooses the checkpoint of the study")
    validation_fields: Positive = Field(
        default=4,
        description="number of fields per compound that are drawn for the validation metrics of downstream tasks: of "
        "validation compounds, and for probing_auc also of labelled training compounds",
    )

    @model_validator(mode="after")
    def _metrics_are_known(self) -> ModelParameters:
        known = validation_metrics()
        for metric in self.fit.keep:
            if metric not in ("loss", *known):
                raise ValueError(f"fit.keep: there is no validation metric {metric}, only loss, {', '.join(known)}")
        if self.selected_by not in self.fit.keep:
            raise ValueError(f"selected_by: {self.selected_by} is not in fit.keep, {', '.join(self.fit.keep)}")
        return self


def validation_metrics() -> tuple[str, ...]:
    """Names of all validation metrics except the loss."""
    from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS

    return (*RETRIEVAL_METRICS, *VALIDATION_METRICS)


class ImportParameters(Parameters):
    """Import of a published checkpoint (pipeline ``import_checkpoint``)."""

    variant: Name = Field(
        description="variant as which the checkpoint is saved; `default` is refused, because it is for trained models"
    )


class EmbeddingParameters(Parameters):
    """Embedding with trained models (pipeline ``embedding``)."""

    batch_size: Positive = 512
    accelerator: Accelerator = "auto"
