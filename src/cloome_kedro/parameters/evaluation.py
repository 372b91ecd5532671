"""Parameters of the evaluations and of the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from cloome_kedro.imaging.config import Normalisation
from cloome_kedro.imaging.profile_table import ProfileColumns
from cloome_kedro.parameters.base import EntryName, Name, Parameters, Positive, TopK, named
from cloome_kedro.registry import Registry
from cloome_kedro.words import PROFILES

Excluded = Literal["well", "plate", "compound"]
Confidence = Annotated[float, Field(gt=0, lt=1)]


def _corrections() -> Registry:
    from cloome_kedro.evaluation.corrections import CORRECTIONS

    return CORRECTIONS


Correction: TypeAlias = Annotated[Any, *named(_corrections)]


class StudyParameters(Parameters):
    """The screen and the models of the study."""

    screen: Name = Field(description="name of the screen, as in globals.yml")
    simulated: bool = Field(description="whether the screen is simulated")
    models: dict[EntryName, str] = Field(
        min_length=1,
        description="keys: entries of `models`; values: their names in tables. The report is about the first model",
    )
    reference: EntryName | None = Field(
        default=None, description="model with which the others are compared, besides the first; null: none"
    )

    @property
    def labels(self) -> list[str]:
        """Names of the models in tables, in the order of `models`."""
        return list(self.models.values())

    @property
    def reference_label(self) -> str:
        """Name of the reference in tables; empty if there is none."""
        return self.models[self.reference] if self.reference else ""

    @property
    def note(self) -> str:
        """Note on the data that every figure shows; empty for real data."""
        return "simulated data" if self.simulated else ""


class RetrievalParameters(Parameters):
    """Cross-modal retrieval (pipeline ``retrieval``).

    A compound is shown by one drawn field, and by the mean over its fields. The candidates are the full pool or a
    sample.
    """

    fold: Literal["validation", "test"] = Field(default="test", description="fold that is evaluated")
    candidates: Annotated[int, Field(ge=2)] | None = Field(
        default=100, description="size of a sampled pool, including the match"
    )
    sampling_rate: float | None = Field(
        default=None,
        gt=0,
        le=0.5,
        description="share of matches among the candidates of a sampled pool; replaces `candidates`",
    )
    draws: Positive = Field(
        default=10, description="number of draws of fields and candidates; the first draw is also reported alone"
    )
    top_k: TopK = Field(default=[1, 5, 10], description="values of k of top-k accuracy")
    confidence: Confidence = Field(default=0.95, description="confidence level of the intervals")

    @model_validator(mode="after")
    def _pool_size_is_given_once(self) -> RetrievalParameters:
        if (self.candidates is None) == (self.sampling_rate is None):
            raise ValueError(
                "retrieval: give either candidates or sampling_rate, and set the other to null (a sampling_rate of "
                "0.01 means one match among 100 candidates)"
            )
        return self

    @property
    def pool_size(self) -> int:
        """Number of candidates of a sampled pool, including the match."""
        return self.candidates or round(1 / (self.sampling_rate or 1))


class ProbingParameters(Parameters):
    """Linear probes of assays (pipeline ``probing``)."""

    level: Literal["compound", "field"] = Field(
        default="compound", description="a sample is a compound (mean over its fields) or, as published, a field"
    )
    c_grid: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        min_length=1,
        description="inverse strengths of regularisation; the one with the best validation AUC is used for each assay",
    )
    unscorable: Literal["leave_out", "half"] = Field(
        default="leave_out",
        description="an assay without both classes in a fold is left out or, as published, counts as AUC 0.5",
    )
    confidence: Confidence = Field(default=0.95, description="confidence level of the intervals")
    resamples: Annotated[int, Field(ge=100)] = Field(
        default=1000, description="number of resamples of the bootstrap over test compounds"
    )


class StructureProbingParameters(Parameters):
    """Linear probes of assays on structures alone (pipeline ``structure_probing``); ``probing`` has the protocol."""

    methods: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        min_length=1,
        description="name in tables -> names of sets of structural features (structure_features.sets). Counts enter "
        "as their logarithm. The first method is compared with the others",
    )
    published: dict[str, str] = Field(
        default={}, description="name in tables -> descriptor in the table published_aucs, to compare with"
    )


def _without_repetitions(protocols: list[list[Excluded]]) -> list[list[Excluded]]:
    """Remove repeated protocols. The order of the keys of a protocol does not matter."""
    in_order = (tuple(key for key in get_args(Excluded) if key in keys) for keys in protocols)
    return [list(keys) for keys in dict.fromkeys(in_order)]


class ZeroShotParameters(Parameters):
    """Zero-shot classification, image to image (pipeline ``zero_shot``)."""

    fold: Literal["validation", "test"] = Field(default="test", description="fold that is evaluated")
    shown_by: list[Literal["field", "mean"]] = Field(
        default=["field"],
        min_length=1,
        description="the reference of a class: one of its fields, or the mean over its fields",
    )
    exclude: Annotated[list[list[Excluded]], AfterValidator(_without_repetitions)] = Field(
        default=[[], ["well"], ["plate"], ["compound"], ["plate", "compound"]],
        min_length=1,
        description="one protocol per list: what a reference may not share with its query; `compound` is only for "
        "mechanisms",
    )
    same_plate: bool = Field(
        default=True, description="one more protocol: references only from other wells of the query's plate"
    )
    draws: Positive = Field(
        default=10, description="number of draws of references; the first draw is also reported alone"
    )
    top_k: TopK = Field(default=[1, 5, 10], description="values of k of top-k accuracy")
    confidence: Confidence = Field(default=0.95, description="confidence level of the intervals")


class CorruptionParameters(Parameters):
    """Corrupted test images (pipeline ``corruption``)."""

    names: list[str] = Field(min_length=1, description="registered corruptions; retrieval is done for each of them")
    stage: Literal["field", "crop"] = Field(
        default="field",
        description="field: the whole stored field is corrupted, then cropped; crop: the crop is corrupted",
    )
    corrupt: Literal["all", "queries"] = Field(
        default="all", description="what is corrupted: queries and references, or only queries"
    )
    chosen: str = Field(
        default="random_flip_small_rotation",
        description="corruption that is used in zero-shot classification and probing, one of `names`",
    )

    @model_validator(mode="after")
    def _chosen_is_named(self) -> CorruptionParameters:
        if self.chosen not in self.names:
            raise ValueError(f"corruption.chosen: {self.chosen} is not in corruption.names, {', '.join(self.names)}")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"corruption.names: a name occurs twice in {', '.join(self.names)}")
        from cloome_kedro.imaging.corruptions import find_corruptions

        find_corruptions(self.names)  # an unknown name stops the run before it begins
        return self


class CorrectionParameters(Parameters):
    """Corrections of batch effects, fitted on the control wells. A corrected method stands beside the method itself."""

    use: list[Correction] = Field(
        default=[], description="corrections by name, or with their settings: `{name: sphering, method: PCA}`"
    )
    methods: list[str] | None = Field(
        default=None,
        description="names in tables of the methods that are corrected; null: the models and the profiles",
    )
    minimum_controls: Positive = Field(
        default=8,
        description="control fields (or wells) of a plate; one with fewer is corrected by the controls of all plates",
    )

    @field_validator("use")
    @classmethod
    def _labels_differ(cls, corrections: list[Any]) -> list[Any]:
        labels = [correction.label for correction in corrections]
        if repeated := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"two corrections have the name {repeated[0]} in tables: list each correction once")
        return corrections

    @property
    def labels(self) -> list[str]:
        """Names of the corrections in tables."""
        return [correction.label for correction in self.use]


#: no method is corrected
NO_CORRECTIONS = CorrectionParameters()


def uncorrectable(values: Mapping[str, Any], models: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the key of corrections, and what is wrong, for each chosen method that is no model and not the profiles."""
    known, key = [*models, PROFILES], "corrections.methods"
    for name in (values.get("corrections") or {}).get("methods") or ():
        if name not in known:
            yield key, f"{key}: {name} is not among the methods that can be corrected: {', '.join(known)}"


class ProfileMoaParameters(Parameters):
    """Zero-shot mechanisms from tables of profiles, without images (pipeline ``profile_moa``)."""

    columns: ProfileColumns
    normalise: Normalisation
    shown_by: list[Literal["field", "mean"]] = Field(
        default=["field", "mean"],
        min_length=1,
        description="the reference of a mechanism: a well, or the mean of wells",
    )
    draws: Positive = Field(default=10, description="number of draws of references")
    top_k: TopK = Field(default=[1, 5, 10], description="values of k of top-k accuracy")
    confidence: Confidence = Field(default=0.95, description="confidence level of the intervals")


class ReportingParameters(Parameters):
    """The report (pipeline ``reporting``)."""

    title: str = Field(description="title of the report")
    published_screen: bool = Field(default=False, description="whether the screen is that of the publication, cpg0012")
    gallery_queries: Positive = Field(default=6, description="number of queries in the retrieval gallery")
    gallery_hits: Positive = Field(default=5, description="number of hits that the gallery shows of each query")
    documentation: str = Field(
        default="../../../../../docs/{page}.md",
        pattern=r"^$|\{page\}",
        description="address of a page of the documentation, relative to the report or whole; {page} stands for the "
        "page, such as how-to/seeds; empty: the report has no links to it",
    )
