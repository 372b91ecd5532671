"""Parameters of models and of embedding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from cloome_kedro.learning.config import Accelerator, FitConfig, Precision
from cloome_kedro.parameters.base import EntryName, Name, Parameters, Positive, named
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


class PretrainParameters(Parameters):
    """Pre-training of the encoder of fields: a linear head learns to predict measured features of fields."""

    target: View = Field(description="view of the features that are predicted, such as profiles")
    weight: float = Field(
        default=1.0,
        ge=0,
        description="weight of the mean squared error of the features in the loss of the contrastive training; 0 "
        "leaves this term out",
    )
    controls: bool = Field(default=True, description="whether fields of control wells are learned from, too")
    fit: FitConfig = Field(
        description="settings of the pre-training. The epoch with the lowest validation loss is kept"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_fit(cls, values: Any) -> Any:
        """Give ``fit`` the only values that a pre-training can have, where they differ from the defaults."""
        if isinstance(values, Mapping) and isinstance(values.get("fit"), Mapping):
            fixed = {"keep": ("loss",), "unique_compounds": False}
            return {**values, "fit": {**fixed, **values["fit"]}}
        return values

    @model_validator(mode="after")
    def _fit_has_no_compounds(self) -> PretrainParameters:
        if self.fit.keep != ("loss",):
            raise ValueError("pretrain.fit.keep: a pre-training has no metric except loss: remove keep")
        if self.fit.unique_compounds or self.fit.fields_per_compound > 1:
            raise ValueError(
                "pretrain.fit: a pre-training sees each field once per epoch: remove unique_compounds and "
                "fields_per_compound"
            )
        return self


class ModelParameters(Parameters):
    """A model that is trained by contrastive learning: an entry of ``models:`` without a kind."""

    kind: Literal["contrastive"] = Field(default="contrastive", exclude=True)  # not a setting that a search can change
    field: SideParameters
    compound: SideParameters
    embedding_size: Positive = Field(
        default=512,
        description="length of the embeddings; an encoder with a fixed size, such as identity, overrides it",
    )
    normalise: bool = Field(default=True, description="whether embeddings have length 1, so that scores are cosines")
    inverse_temperature: float = Field(default=14.3, ge=1, le=100, description="initial value")
    learnable_temperature: bool = Field(default=True, description="whether the inverse temperature is learned")
    objective: Objective
    fit: FitConfig
    pair_key: Literal["compound", "treatment"] = Field(
        default="compound",
        description="what an epoch shows equally often, and a batch only once if fit.unique_compounds is true. With "
        "treatment, a batch can contain a compound at several concentrations",
    )
    pooling: Literal["mean", "attention"] = Field(
        default="mean",
        description="how the embeddings of several fields of a compound are pooled. attention: learned weights "
        "(fit.fields_per_compound must be 2 or more)",
    )
    start: str | None = Field(
        default=None,
        description="safetensors file or folder of a checkpoint. Tensors that have the name and shape of a tensor of "
        "the model are its initial weights",
    )
    pretrain: PretrainParameters | None = Field(
        default=None, description="pre-training of the encoder of fields on features; null: none"
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

    @model_validator(mode="after")
    def _attention_sees_several_fields(self) -> ModelParameters:
        if self.pooling == "attention" and self.fit.fields_per_compound == 1:
            raise ValueError(
                "pooling: attention compares fields of a compound: set fit.fields_per_compound to 2 or more, or set "
                "pooling to mean"
            )
        return self

    @model_validator(mode="after")
    def _fit_suits_the_objective(self) -> ModelParameters:
        self.objective.check_fit(self.fit)
        return self


def validation_metrics() -> tuple[str, ...]:
    """Names of all validation metrics except the loss."""
    from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS

    return (*RETRIEVAL_METRICS, *VALIDATION_METRICS)


class ViewParameters(Parameters):
    """The view of one side of a ridge, which has no encoders."""

    view: View


class RidgeParameters(Parameters):
    """Kernel ridge regression from structures to profiles: an entry of ``models:`` with ``kind: ridge``."""

    kind: Literal["ridge"]
    field: ViewParameters = Field(description="view of features of fields; their mean over fields is predicted")
    compound: ViewParameters = Field(description="view of compounds from which the kernel is computed")
    kernel: Literal["min_max", "linear"] = Field(
        default="min_max",
        description="min_max: sum of minima by sum of maxima, the Tanimoto coefficient if features are bits; linear: "
        "dot product. If a view has several sets of features, the mean over the kernels of the sets is used",
    )
    alphas: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default=[0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
        min_length=1,
        description="strengths of regularisation, of which the best on the validation fold is used",
    )
    unit_targets: bool = Field(
        default=False,
        description="whether mean profiles are divided by their length before the regression, so that compounds with "
        "strong effects do not count more",
    )
    refit: bool = Field(
        default=False,
        description="whether views and regression are fitted again on the training and the validation fold, after "
        "alpha was chosen. Vectors of the validation fold stay those of the first fit",
    )
    draws: Positive = Field(default=10, description="draws of one field per validation compound")
    landmarks: Positive = Field(
        default=6000,
        description="if more compounds train, this number of them approximates the kernel (Nystroem's method)",
    )

    @model_validator(mode="after")
    def _views_give_vectors(self) -> RidgeParameters:
        for side in ("field", "compound"):
            if _views().name_of(getattr(self, side).view) == "images":
                raise ValueError(f"{side}.view: a ridge needs a view of features, such as profiles, not images")
        return self


class FusionParameters(Parameters):
    """Several models whose standardised scores are added: an entry of ``models:`` with ``kind: fusion``."""

    kind: Literal["fusion"]
    parts: list[EntryName] = Field(min_length=2, max_length=4, description="names of earlier models of the study")
    weights: Literal["validation"] | dict[EntryName, Annotated[float, Field(ge=0)]] = Field(
        default="validation", description="validation: weights are chosen on the validation fold; or part -> weight"
    )
    steps: Annotated[int, Field(ge=1, le=100)] = Field(
        default=10, description="tried weights are multiples of 1 / steps, and their sum is 1"
    )
    draws: Positive = Field(default=10, description="draws of one field per validation compound")

    @model_validator(mode="after")
    def _weights_fit_parts(self) -> FusionParameters:
        if repeated := sorted({name for name in self.parts if self.parts.count(name) > 1}):
            raise ValueError(f"parts: {', '.join(repeated)} occurs twice")
        if isinstance(self.weights, dict):
            if set(self.weights) != set(self.parts):
                raise ValueError(f"weights: each of the parts needs a weight: {', '.join(self.parts)}")
            if not any(self.weights.values()):
                raise ValueError("weights: one weight must be above 0")
        return self


#: kind of an entry of `models:` -> its parameters
MODEL_KINDS: dict[str, type[Parameters]] = {
    "contrastive": ModelParameters,
    "ridge": RidgeParameters,
    "fusion": FusionParameters,
}


def kind_of(entry: Any) -> str:
    """Kind of an entry of ``models:``. The default is contrastive."""
    return str(entry.get("kind", "contrastive")) if isinstance(entry, Mapping) else "contrastive"


class ImportParameters(Parameters):
    """Import of a published checkpoint (pipeline ``import_checkpoint``)."""

    variant: Name = Field(
        description="variant as which the checkpoint is saved; `default` is refused, because it is for trained models"
    )


class EmbeddingParameters(Parameters):
    """Embedding with trained models (pipeline ``embedding``)."""

    batch_size: Positive = 512
    accelerator: Accelerator = "auto"
    precision: Precision = Field(
        default="32-true", description="as in a fit; bf16-mixed or 16-mixed are about twice as fast on a GPU"
    )
