"""Parameters of everything from raw images to folds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cloome_kedro.chemistry.label_config import LabelColumns
from cloome_kedro.chemistry.structure_config import StructureSet
from cloome_kedro.imaging.config import Measurement, Normalisation, Selection, Storage
from cloome_kedro.imaging.profile_table import ProfileFiles, WellColumns
from cloome_kedro.imaging.remote.settings import RemoteSettings
from cloome_kedro.imaging.sources import Source
from cloome_kedro.parameters.base import Fraction, Jobs, Name, Parameters, Positive, Seed, Share
from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.words import MISSING


def _texts(words: Any) -> Any:
    """YAML reads -666 as a number and null as None."""
    return ["" if word is None else str(word) for word in words] if isinstance(words, list) else words


class SimulationParameters(Parameters):
    """The virtual screen (pipeline ``simulation``)."""

    screen: ScreenConfig
    n_jobs: Jobs = Field(default=-1, description="number of processes; -1 is one per core")


class IngestionParameters(Parameters):
    """Conversion of raw images to plate files (pipeline ``ingestion``)."""

    screen: Name = Field(description="name of the screen, as in globals.yml")
    sources: list[Source] = Field(
        min_length=1, description="places of images with their tables, read one after the other"
    )
    storage: Storage
    missing: Annotated[tuple[str, ...], BeforeValidator(_texts)] = Field(
        default=MISSING, description="words for a missing value in the screen's tables"
    )
    max_rejected_fraction: Fraction = Field(
        default=0.05, description="the run stops if a larger share of the fields is rejected"
    )
    minimum_control_wells: Positive = Field(
        default=4,
        description="control wells that a plate needs for statistics of its controls, which the normalisation "
        "`controls` of the view `images` uses; a plate with fewer gets the statistics of all its wells",
    )
    remote: RemoteSettings = Field(
        default=RemoteSettings(), description="how files on a server, such as s3://bucket/screen, are read"
    )
    n_jobs: Jobs = Field(default=-1, description="number of processes; -1 is one per core")

    @model_validator(mode="after")
    def _source_names_are_unique(self) -> IngestionParameters:
        names = [source.name for source in self.sources]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"ingestion.sources: the name {', '.join(repeated)} occurs twice. Give each source a different name"
            )
        return self


class ProfileTableParameters(Parameters):
    """Tables of profiles of a screen without images (pipeline ``ingestion`` with ``images: false``)."""

    source: ProfileFiles
    columns: WellColumns
    normalise: Normalisation
    select: Selection
    repeats: Literal["mean", "first", "reject"] = Field(
        default="mean",
        description="what is used of a well, or of a field, that has several rows: their mean, the first row or none. "
        "If the rows name different compounds, none is used",
    )
    max_rejected_fraction: Fraction = Field(
        default=0.05, description="the run stops if a larger share of the fields is rejected"
    )


class StructureParameters(Parameters):
    """Standardisation of the structures of compounds (pipeline ``featurization``)."""

    max_atoms: int = Field(default=1000, ge=1, le=1023, description="heavy atoms; InChI has a limit of 1,023")
    counter_ions: dict[str, str] = Field(
        default={}, description="name -> SMILES of counter-ions and solvents that are stripped, beside the known ones"
    )

    @model_validator(mode="after")
    def _counter_ions_are_structures(self) -> StructureParameters:
        if not self.counter_ions:
            return self
        from cloome_kedro.chemistry.fragments import pattern_of

        for name, smiles in self.counter_ions.items():
            try:
                pattern_of(smiles)
            except ValueError as error:
                raise ValueError(f"structures.counter_ions, {name}: {error}") from error
        return self


class LabelParameters(Parameters):
    """Labels of assays (pipeline ``featurization``): how their table is read, and how it is joined to the screen."""

    table: LabelColumns
    repeats: Literal["drop", "majority"] = Field(
        default="drop",
        description="what counts if a compound has several labels of an assay that contradict each other: none of "
        "them, or the more frequent one",
    )


class InspectParameters(Parameters):
    """Check of a screen before it is ingested (pipeline ``inspect``, ``cloome check-screen``)."""

    fields: Positive = Field(default=2, description="fields of each plate that are read")
    files: Positive = Field(default=2000, description="files that are compared in the search for doubled ones")
    structures: Positive = Field(
        default=1000, description="compounds whose structures are read; of more, so many are drawn at random"
    )
    seconds: float = Field(
        default=20, gt=0, description="time after which no further field is read, and no further file compared"
    )
    training_seconds: float = Field(
        default=2, gt=0, description="how long the speed of training is measured, if the model was not trained yet"
    )


class FingerprintParameters(Parameters):
    """Morgan fingerprints (pipeline ``featurization``)."""

    radius: Positive = Field(default=3, description="radius of the atom environments, in bonds")
    bits: Annotated[int, Field(ge=8, multiple_of=8)] = Field(default=1024, description="length of a fingerprint")
    chirality: bool = Field(default=True, description="whether stereoisomers differ")


class StructureFeatureParameters(Parameters):
    """Sets of structural features (pipeline ``featurization``), for models with the view ``structures``."""

    sets: dict[Name, StructureSet] = Field(
        default={}, description="name -> kind and settings; null removes a set of conf/base"
    )
    n_jobs: Jobs = Field(default=-1, description="number of processes; -1 is one per core")

    @field_validator("sets", mode="before")
    @classmethod
    def _without_null(cls, sets: Any) -> Any:
        return {name: entry for name, entry in sets.items() if entry is not None} if isinstance(sets, dict) else sets


class ProfileParameters(Parameters):
    """Classical features of every field (pipeline ``profiles``)."""

    measure: Measurement
    normalise: Normalisation
    select: Selection
    n_jobs: Jobs = Field(default=-1, description="number of processes; -1 is one per core")


class SplitParameters(Parameters):
    """Folds by compound. Runs with other seeds keep the folds, because ``seed`` here is not the seed of the run."""

    train: Share = Field(default=0.6, description="share of the compounds in the training fold")
    validation: Share = Field(default=0.2, description="share of the compounds in the validation fold")
    test: Share = Field(default=0.2, description="share of the compounds in the test fold")
    folds: Annotated[int, Field(ge=3)] = Field(
        default=5,
        description="number of parts of the splits random_fold_1, scaffold_fold_1, ..., for which the shares have no "
        "effect",
    )
    seed: Seed = Field(default=0, description="seed of the folds")
    near_duplicate: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="smallest Tanimoto coefficient of the near-duplicates that the leak check reports",
    )

    @property
    def fractions(self) -> dict[str, float]:
        """Fraction of the compounds in each fold."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @model_validator(mode="after")
    def _fractions_sum_to_one(self) -> SplitParameters:
        if abs(sum(self.fractions.values()) - 1) > 1e-6:
            raise ValueError("splits: the sum of train, validation and test must be 1")
        return self
