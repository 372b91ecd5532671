"""What a trained model is asked, and the report."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from cloome_kedro.parameters.base import Fraction, Parameters, Positive, TopK

Excluded = Literal["well", "plate", "compound"]


class RetrievalParameters(Parameters):
    """Cross-modal retrieval: compounds shown by one seeded field and by all, full pool and sampled candidates."""

    fold: Literal["validation", "test"] = "test"
    candidates: Positive | None = Field(default=100, description="size of the sampled pool, the match included")
    sampling_rate: float | None = Field(default=None, gt=0, le=1, description="instead: matches among candidates")
    draws: Positive = Field(default=10, description="of fields and candidates; the first alone is reported too")
    top_k: TopK = Field(default=[1, 5, 10])
    confidence: float = Field(default=0.95, gt=0, lt=1)

    @model_validator(mode="after")
    def _candidates_are_said_once(self):
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
    confidence: float = Field(default=0.95, gt=0, lt=1)
    resamples: Annotated[int, Field(ge=100)] = Field(default=1000, description="of the bootstrap over test compounds")


def _different(protocols: list[list[Excluded]]) -> list[list[Excluded]]:
    """Each protocol once, whatever the order of its keys."""
    named = (tuple(key for key in get_args(Excluded) if key in keys) for keys in protocols)
    return [list(keys) for keys in dict.fromkeys(named)]


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
    confidence: float = Field(default=0.95, gt=0, lt=1)


class CorruptionParameters(Parameters):
    """Test images as training never showed them (pipeline ``corruption``)."""

    names: list[str] = Field(min_length=1, description="registered corruptions; retrieval is of all")
    modules: list[str] = Field(default=[], description="imported first, so that they can register corruptions")
    stage: Literal["field", "crop"] = Field(
        default="field", description="the whole stored field is corrupted, then cropped; or its crop"
    )
    corrupt: Literal["all", "queries"] = Field(default="all", description="references too, or queries alone")
    chosen: str = Field(
        default="random_flip_small_rotation", description="one of names: of zero-shot classification and probing"
    )

    @model_validator(mode="after")
    def _is_named(self):
        if self.chosen not in self.names:
            raise ValueError(f"corruption.chosen: {self.chosen} is not in corruption.names, {', '.join(self.names)}")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"corruption.names: one is there twice in {', '.join(self.names)}")
        from cloome_kedro.imaging.corruptions import find_corruptions

        find_corruptions(self.names, self.modules)  # before the run, not after the training
        return self


class ProfileMoaParameters(Parameters):
    """Zero-shot mechanisms from tables of profiles, without images (pipeline ``profile_moa``)."""

    plate_column: str = "Metadata_Plate"
    well_column: str = "Metadata_Well"
    inchikey_column: str = "Metadata_InChIKey"
    moa_column: str = "Metadata_moa"
    control_column: str = Field(default="Metadata_control_type", description="not empty in control wells")
    cells_column: str | None = Field(default="Metadata_Count_Cells", description="none: cells were not counted")
    physical_plate: str | None = Field(
        default=None, description="expression whose group is a plate's own name, where its name tells how it was imaged"
    )
    normalisation: Literal["mad_robustize", "standardize"] | None = Field(
        default="mad_robustize", description="against each plate's controls; none: the tables are normalised"
    )
    minimum_controls: Positive = 8
    clip: float = Field(default=20, gt=0, description="largest absolute value of a normalised feature")
    na_cutoff: Fraction = 0.05
    shown_by: list[Literal["field", "mean"]] = Field(
        default=["field", "mean"], min_length=1, description="what shows a mechanism: a well, or the mean of wells"
    )
    draws: Positive = 10
    top_k: TopK = Field(default=[1, 5, 10])
    confidence: float = Field(default=0.95, gt=0, lt=1)

    @model_validator(mode="after")
    def _expression_has_a_group(self):
        if self.physical_plate is not None and re.compile(self.physical_plate).groups != 1:
            raise ValueError("profile_moa.physical_plate needs one group in brackets, e.g. ^(.+?)_")
        return self


class ReportingParameters(Parameters):
    title: str
    simulated: bool
    screen: str = Field(default="of one's own", description="its name, in the supplement's tables")
    published_screen: bool = Field(default=False, description="whether that is the publication's own, cpg0012")
    gallery_queries: Positive = 6
    gallery_hits: Positive = 5

    @property
    def note(self) -> str:
        """What every figure says of its data."""
        return "simulated data" if self.simulated else ""
