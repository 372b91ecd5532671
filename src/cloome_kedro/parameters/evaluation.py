"""What trained models are asked, and the report."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from cloome_kedro.imaging.config import Normalisation, ProfileColumns
from cloome_kedro.parameters.base import Parameters, Positive, TopK

Excluded = Literal["well", "plate", "compound"]
Confidence = Annotated[float, Field(gt=0, lt=1)]


class StudyParameters(Parameters):
    """What the study is of."""

    screen: str
    simulated: bool
    models: dict[str, str] = Field(
        min_length=1, description="the models and the names that tables show; the report is about the first"
    )

    @property
    def labels(self) -> list[str]:
        """Names of the models as tables show them, in order."""
        return list(self.models.values())

    @property
    def note(self) -> str:
        """What every figure says of its data."""
        return "simulated data" if self.simulated else ""


class RetrievalParameters(Parameters):
    """Cross-modal retrieval: compounds shown by one seeded field and by all, full pool and sampled candidates."""

    fold: Literal["validation", "test"] = "test"
    candidates: Positive | None = Field(default=100, description="size of the sampled pool, the match included")
    sampling_rate: float | None = Field(default=None, gt=0, le=1, description="instead: matches among candidates")
    draws: Positive = Field(default=10, description="of fields and candidates; the first alone is reported too")
    top_k: TopK = Field(default=[1, 5, 10])
    confidence: Confidence = 0.95

    @model_validator(mode="after")
    def _candidates_are_said_once(self) -> RetrievalParameters:
        if (self.candidates is None) == (self.sampling_rate is None):
            raise ValueError(
                "retrieval: give candidates or sampling_rate, and make the other null (a rate of 0.01 is one match "
                "among 100 candidates)"
            )
        return self

    @property
    def pool_size(self) -> int:
        """Candidates of a sampled pool, the match included."""
        return self.candidates or round(1 / (self.sampling_rate or 1))


class ProbingParameters(Parameters):
    """Linear probes of assays (pipeline ``probing``)."""

    level: Literal["compound", "field"] = Field(
        default="compound", description="a sample is a compound, by the mean over its fields, or (published) a field"
    )
    c_grid: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        min_length=1, description="inverse strengths of regularisation, of which validation AUC chooses"
    )
    unscorable: Literal["leave_out", "half"] = Field(
        default="leave_out", description="an assay without both classes in a fold: left out, or (published) AUC 0.5"
    )
    confidence: Confidence = 0.95
    resamples: Annotated[int, Field(ge=100)] = Field(default=1000, description="of the bootstrap over test compounds")


def _different(protocols: list[list[Excluded]]) -> list[list[Excluded]]:
    """Each protocol once, whatever the order of its keys."""
    unique = (tuple(key for key in get_args(Excluded) if key in keys) for keys in protocols)
    return [list(keys) for keys in dict.fromkeys(unique)]


class ZeroShotParameters(Parameters):
    """Zero-shot classification, image to image (pipeline ``zero_shot``)."""

    fold: Literal["validation", "test"] = "test"
    shown_by: list[Literal["field", "mean"]] = Field(
        default=["field"], min_length=1, description="a class: one of its fields, or the mean over all; or both in turn"
    )
    exclude: Annotated[list[list[Excluded]], AfterValidator(_different)] = Field(
        default=[[], ["well"], ["plate"], ["compound"], ["plate", "compound"]],
        min_length=1,
        description="what references may not share with a query, protocol by protocol; compound: of mechanisms only",
    )
    same_plate: bool = Field(default=True, description="also with references of other wells of the query's plate alone")
    draws: Positive = Field(default=10, description="of references; the first alone is reported too")
    top_k: TopK = Field(default=[1, 5, 10])
    confidence: Confidence = 0.95


class CorruptionParameters(Parameters):
    """Test images as training never showed them (pipeline ``corruption``)."""

    names: list[str] = Field(min_length=1, description="registered corruptions; retrieval is of all")
    stage: Literal["field", "crop"] = Field(
        default="field", description="the whole stored field is corrupted, then cropped; or its crop"
    )
    corrupt: Literal["all", "queries"] = Field(default="all", description="references too, or queries alone")
    chosen: str = Field(
        default="random_flip_small_rotation", description="one of names: of zero-shot classification and probing"
    )

    @model_validator(mode="after")
    def _is_named(self) -> CorruptionParameters:
        if self.chosen not in self.names:
            raise ValueError(f"corruption.chosen: {self.chosen} is not in corruption.names, {', '.join(self.names)}")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"corruption.names: one is there twice in {', '.join(self.names)}")
        from cloome_kedro.imaging.corruptions import find_corruptions

        find_corruptions(self.names)  # before the run, not after the training
        return self


class ProfileMoaParameters(Parameters):
    """Zero-shot mechanisms from tables of profiles, without images (pipeline ``profile_moa``)."""

    columns: ProfileColumns
    normalise: Normalisation
    shown_by: list[Literal["field", "mean"]] = Field(
        default=["field", "mean"], min_length=1, description="what shows a mechanism: a well, or the mean of wells"
    )
    draws: Positive = 10
    top_k: TopK = Field(default=[1, 5, 10])
    confidence: Confidence = 0.95


class ReportingParameters(Parameters):
    """The report."""

    title: str
    published_screen: bool = Field(default=False, description="whether the screen is the publication's own, cpg0012")
    gallery_queries: Positive = 6
    gallery_hits: Positive = 5
