"""From raw images to pairs and folds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, computed_field, model_validator

from cloome_kedro.parameters.base import Fraction, Parameters, Positive, Share
from cloome_kedro.simulation.config import ScreenConfig


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
