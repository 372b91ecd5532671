"""Every parameter group of the project, as a pydantic model.

Kedro validates ``params:`` inputs against a node's annotations before a run starts, so a misspelt key or a value out of
range stops the run at once, with its name. Unknown keys are forbidden everywhere. Groups that belong to one library
(``learning``, ``simulation``) are plain dataclasses there, since those libraries run without pydantic; they are checked
here all the same.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, computed_field, model_validator

from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.simulation.config import ScreenConfig

Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[int, Field(ge=1)]


class Parameters(BaseModel):
    """Base of all groups: unknown keys are errors, values cannot be changed after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SimulationParameters(Parameters):
    """The virtual screen (pipeline ``simulation``)."""

    screen: ScreenConfig
    n_jobs: int = Field(default=-1, description="processes; -1 uses every core")


class PlatemapSource(Parameters):
    """How the wells of a source are joined to compounds: file and column names, relative to the screen's folder."""

    platemaps: str = Field(description="one table, or a pattern with {platemap}, e.g. platemaps/{platemap}.tsv")
    barcodes: str | None = Field(default=None, description="table plate -> platemap, where {platemap} is used")
    compounds: str | None = Field(default=None, description="compound id -> SMILES, name, MoA; none: in the platemap")
    well_column: str = "well_position"
    compound_column: str = "broad_sample"
    concentration_column: str | None = None
    concentration_unit: Literal["nM", "uM", "mM"] | None = Field(
        default=None, description="none: what the column's name says, e.g. mmoles_per_liter"
    )
    smiles_column: str = "smiles"
    name_column: str | None = "pert_iname"
    moa_column: str | None = None
    controls: list[str] = Field(
        default=["DMSO", ""], description="compound ids (or names) that mark a control well; '' = an empty cell"
    )


class SourceParameters(Parameters):
    """One folder of images with one layout; a screen is a list of these."""

    name: str
    layout: str = Field(description="name of a layout reader, e.g. load_data_csv or opera_phenix")
    folder: str = Field(default=".", description="relative to the screen's folder")
    files: str | None = Field(default=None, description="pattern of the files that the reader looks at; none: its own")
    channels: dict[str, str] = Field(
        default={}, description="channel as the files name it -> canonical name; none: the alias table"
    )
    bit_depth: Literal[8, 12, 16] = 16
    plate: str | None = Field(default=None, description="plate name where the files do not say it")
    platemap: PlatemapSource


class IntensityParameters(Parameters):
    """From 12 or 16 bits to 8 (`cloome_kedro.imaging.intensity`)."""

    outlier_percent: float = Field(ge=0, lt=100, description="share of brightest pixels clipped, in %")
    scale: Literal[255, 256] = Field(description="what the threshold becomes, before the cut at 255")


def _named_intensity(value: object) -> object:
    from cloome_kedro.imaging.intensity import PRESETS

    if not isinstance(value, str):
        return value
    if value not in PRESETS:
        raise ValueError(f"no preset {value!r}: there are {', '.join(PRESETS)}, or give outlier_percent and scale")
    return PRESETS[value]


class IngestionParameters(Parameters):
    """Raw images to plate files (pipeline ``ingestion``)."""

    screen: str
    sources: list[SourceParameters] = Field(min_length=1)
    intensity: Annotated[IntensityParameters, BeforeValidator(_named_intensity)] = Field(
        default="published_training",
        validate_default=True,
        description="a preset's name (published_training, published_inference), or outlier_percent and scale",
    )
    scope: Literal["field", "plate"] = "field"
    crop: Positive | None = Field(default=None, description="side of a central square, in pixels, before resizing")
    size: tuple[Positive, Positive] | None = Field(
        default=None, description="stored (height, width), by area averaging"
    )
    max_rejected_fraction: Fraction = 0.05
    n_jobs: int = -1

    # What a checkpoint keeps of this group are the numbers, whatever names them here.
    @computed_field  # type: ignore[prop-decorator]
    @property
    def outlier_percent(self) -> float:
        return self.intensity.outlier_percent

    @computed_field  # type: ignore[prop-decorator]
    @property
    def scale(self) -> int:
        return self.intensity.scale

    @model_validator(mode="after")
    def _sources_have_names_of_their_own(self):
        names = [source.name for source in self.sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"ingestion.sources: the name {', '.join(twice)} is there twice; give each its own")
        return self


class FingerprintParameters(Parameters):
    radius: Positive = 3
    bits: Annotated[int, Field(ge=8, multiple_of=8)] = 1024
    chirality: bool = True


class ProfileParameters(Parameters):
    """Classical features of every field (pipeline ``profiles``)."""

    families: list[
        Literal[
            "intensity",
            "sizeshape",
            "pearson",
            "texture",
            "granularity",
            "radial_distribution",
            "radial_zernikes",
            "zernike",
            "feret",
            "costes",
            "manders_fold",
            "rwc",
        ]
    ] = Field(min_length=1, description="cp-measure's functions")
    compartments: list[Literal["nuclei", "field"]] = Field(min_length=1, description="field: the image as one object")
    nucleus_diameter: float = Field(ge=3, description="of a usual nucleus, in pixels of the stored fields")
    minimum_contrast: float = Field(
        default=10, ge=0, description="grey levels between nuclei and background; with less, a field has no nuclei"
    )
    normalisation: Literal["mad_robustize", "standardize"] = Field(
        default="mad_robustize", description="pycytominer's method, against the plate's control fields"
    )
    minimum_controls: Positive = Field(
        default=8, description="a plate with fewer control fields is normalised against all of its fields"
    )
    clip: float = Field(default=20, gt=0, description="largest absolute value of a normalised feature")
    selection: list[
        Literal["drop_na_columns", "variance_threshold", "frequency_threshold", "correlation_threshold"]
    ] = Field(
        default=["drop_na_columns", "variance_threshold", "correlation_threshold"],
        description="pycytominer's operations of feature_select, in turn",
    )
    na_cutoff: Fraction = Field(default=0.05, description="share of missing values above which a feature is dropped")
    correlation_threshold: Fraction = 0.9
    selection_fields: Positive = Field(default=20_000, description="fields that features are selected on, at most")
    seed: int = Field(default=0, description="of the fields drawn for selection; not the run's seed")
    n_jobs: int = -1

    @model_validator(mode="after")
    def _something_is_measured(self):
        if "nuclei" not in self.compartments and not set(self.families) - {"sizeshape", "zernike", "feret"}:
            raise ValueError(
                f"profiles: {', '.join(self.families)} are of nuclei's outlines; add nuclei to profiles.compartments"
            )
        return self


class SplitParameters(Parameters):
    """Folds by compound. ``seed`` is not the run's seed: the folds are part of the data."""

    train: Share = 0.6
    validation: Share = 0.2
    test: Share = 0.2
    seed: int = 0
    near_duplicate: float = Field(
        default=0.95, gt=0, le=1, description="least Tanimoto coefficient of compounds that the leak check reports"
    )

    @model_validator(mode="after")
    def _fractions_sum_to_one(self):
        if abs(self.train + self.validation + self.test - 1) > 1e-6:
            raise ValueError("splits: train + validation + test must be 1")
        return self


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

    @model_validator(mode="after")
    def _is_kept(self):
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


class ImportParameters(Parameters):
    """A published checkpoint, made one of a split (pipeline ``import_checkpoint``)."""

    variant: str = Field(description="name below which it is saved; `default` is kept for models trained here")


class EmbeddingParameters(Parameters):
    batch_size: Positive = 512
    accelerator: str = Field(default="auto", description="auto, cpu, cuda or mps")


class RetrievalParameters(Parameters):
    """Cross-modal retrieval: compounds shown by one seeded field and by all, full pool and sampled candidates."""

    fold: Literal["validation", "test"] = "test"
    candidates: Positive | None = Field(default=100, description="size of the sampled pool, the match included")
    sampling_rate: float | None = Field(default=None, gt=0, le=1, description="instead: matches among candidates")
    draws: Positive = Field(default=10, description="of fields and candidates; the first alone is reported too")
    top_k: list[Positive] = [1, 5, 10]
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


class ZeroShotParameters(Parameters):
    """Zero-shot classification, image to image (pipeline ``zero_shot``)."""

    fold: Literal["validation", "test"] = "test"
    shown_by: list[Literal["field", "mean"]] = Field(
        default=["field"], min_length=1, description="a class: one of its fields, or the mean over all; or both in turn"
    )
    exclude: list[list[Literal["well", "plate", "compound"]]] = Field(
        default=[[], ["well"], ["plate"], ["compound"], ["plate", "compound"]],
        min_length=1,
        description="what references may not share with a query, protocol by protocol; compound: of mechanisms only",
    )
    same_plate: bool = Field(default=True, description="also with references of other wells of the query's plate alone")
    draws: Positive = Field(default=10, description="of references; the first alone is reported too")
    top_k: list[Positive] = [1, 5, 10]
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
    top_k: list[Positive] = [1, 5, 10]
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
