"""Models, and what they embed."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.parameters.base import Parameters, Positive, named
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
    """One side of a model: what it sees, and how it is encoded."""

    view: View
    encoder: Encoder


class ModelParameters(Parameters):
    """One model of the study (``models:``), trained contrastively."""

    field: SideParameters
    compound: SideParameters
    embedding_size: Positive = Field(
        default=512, description="of the common space; an encoder with its own size, such as identity, decides instead"
    )
    normalise: bool = Field(default=True, description="whether embeddings have length 1, so that scores are cosines")
    inverse_temperature: float = Field(default=14.3, ge=1, le=100, description="its initial value")
    learnable_temperature: bool = True
    objective: Objective
    fit: FitConfig
    pair_key: Literal["compound", "treatment"] = Field(
        default="compound",
        description="what an epoch shows equally often, and a batch once where fit.unique_compounds; with treatment "
        "(compound at a concentration) a batch can hold a compound at several concentrations",
    )
    selected_by: str = Field(default="top1", description="one of fit.keep: the study's checkpoint is the best by it")
    validation_fields: Positive = Field(
        default=4,
        description="seeded fields of each compound that validation metrics of downstream tasks look at: of validation "
        "compounds, and of labelled training compounds for probing_auc",
    )

    @model_validator(mode="after")
    def _is_kept(self) -> ModelParameters:
        known = validation_metrics()
        for metric in self.fit.keep:
            if metric not in ("loss", *known):
                raise ValueError(f"fit.keep: there is no validation metric {metric}, only loss, {', '.join(known)}")
        if self.selected_by not in self.fit.keep:
            raise ValueError(f"selected_by: {self.selected_by} is not in fit.keep, {', '.join(self.fit.keep)}")
        return self


def validation_metrics() -> tuple[str, ...]:
    """Names of all validation metrics but the loss."""
    from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS

    return (*RETRIEVAL_METRICS, *VALIDATION_METRICS)


class ImportParameters(Parameters):
    """A published checkpoint, made one of a split (pipeline ``import_checkpoint``)."""

    variant: str = Field(description="name below which it is saved; `default` is kept for models trained here")


class EmbeddingParameters(Parameters):
    """Embedding by trained models (pipeline ``embedding``)."""

    batch_size: Positive = 512
    accelerator: str = Field(default="auto", description="auto, cpu, cuda or mps")
