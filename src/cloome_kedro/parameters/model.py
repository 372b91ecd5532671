"""Models, and what they embed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.parameters.base import Parameters, Positive

#: validation metrics of a training: top-k accuracies of the mean of both directions of retrieval, or of one ...
RETRIEVAL_METRICS = tuple(
    f"top{k}{direction}" for k in (1, 5, 10) for direction in ("", "_structure_retrieval", "_image_retrieval")
)
#: ... and those of downstream tasks, which need images
TASK_METRICS = ("zero_shot_compound_top1", "zero_shot_moa_top1", "probing_auc")


def _check_metrics(name: str, keep: Sequence[str], known: Sequence[str]) -> None:
    for metric in keep:
        if metric not in ("loss", *known):
            raise ValueError(f"{name}: there is no validation metric {metric}, only loss, {', '.join(known)}")


class AugmentationParameters(Parameters):
    """What a training batch goes through on the device; evaluation takes the centre crop."""

    crop: Positive | None = Field(default=None, description="side in pixels; none: the whole field")
    resized_crop_scale: tuple[float, float] | None = Field(
        default=None, description="RandomResizedCrop's scale range; none: a plain random crop"
    )
    normalisation: Literal["published", "dataset", "per_image"] = "dataset"


class TrainingParameters(Parameters):
    """One contrastive training (pipeline ``training``)."""

    image_encoder: ImageEncoderConfig
    structure_encoder: StructureEncoderConfig
    augmentation: AugmentationParameters
    fit: FitConfig
    pair_key: Literal["compound", "treatment"] = Field(
        default="compound",
        description="what an epoch shows equally often, and a batch once where fit.unique_compounds; with treatment "
        "(compound at a concentration) a batch can hold a compound at several concentrations",
    )
    selected_by: str = Field(default="top1", description="one of fit.keep: the study's checkpoint is the best by it")

    validation_fields: Positive = Field(
        default=4,
        description="seeded fields of a compound that validation metrics of downstream tasks look at: of validation "
        "compounds, and of labelled training compounds for probing_auc",
    )

    @model_validator(mode="after")
    def _is_kept(self):
        _check_metrics("training.fit.keep", self.fit.keep, (*RETRIEVAL_METRICS, *TASK_METRICS))
        if self.selected_by not in self.fit.keep:
            raise ValueError(
                f"training.selected_by: {self.selected_by} is not in training.fit.keep, {', '.join(self.fit.keep)}"
            )
        return self


class BilinearParameters(Parameters):
    """The bilinear baseline x^T W z (pipeline ``bilinear``)."""

    fit: FitConfig

    @model_validator(mode="before")
    @classmethod
    def _settings_of_other_models_are_refused(cls, values):
        fit = values.get("fit") if isinstance(values, dict) else None
        others = ("embedding_size", "inverse_temperature", "learnable_temperature", "hopfield_beta")
        if isinstance(fit, dict) and (found := [name for name in others if fit.get(name) is not None]):
            raise ValueError(
                f"bilinear.fit.{found[0]} has no meaning for x^T W z, whose scores are neither of unit vectors nor "
                "scaled: leave it out"
            )
        return values

    @model_validator(mode="after")
    def _is_measured(self):
        _check_metrics("bilinear.fit.keep", self.fit.keep, RETRIEVAL_METRICS)
        return self


class ImportParameters(Parameters):
    """A published checkpoint, made one of a split (pipeline ``import_checkpoint``)."""

    variant: str = Field(description="name below which it is saved; `default` is kept for models trained here")


class EmbeddingParameters(Parameters):
    batch_size: Positive = 512
    accelerator: str = Field(default="auto", description="auto, cpu, cuda or mps")
