"""Parameter groups of the project, as pydantic models.

Kedro validates ``params:`` inputs against the annotations of a node before a run starts. A misspelt key or a value out
of range therefore stops the run at once, and the message names it. Unknown keys are errors in all groups. The libraries
``imaging``, ``learning``, ``simulation`` and ``tuning`` run without pydantic, so their settings are plain dataclasses.
The parameter groups contain these dataclasses, and pydantic validates them, too.
"""

from cloome_kedro.parameters.cards import CardParameters
from cloome_kedro.parameters.comparison import CompareParameters
from cloome_kedro.parameters.data_report import DataReportParameters
from cloome_kedro.parameters.evaluation import (
    CorrectionParameters,
    CorruptionParameters,
    ProbingParameters,
    ProfileMoaParameters,
    ReportingParameters,
    RetrievalParameters,
    StructureProbingParameters,
    StudyParameters,
    ZeroShotParameters,
)
from cloome_kedro.parameters.index import IndexParameters
from cloome_kedro.parameters.model import (
    EmbeddingParameters,
    FusionParameters,
    ImportParameters,
    ModelParameters,
    RidgeParameters,
)
from cloome_kedro.parameters.screen import (
    FingerprintParameters,
    IngestionParameters,
    InspectParameters,
    LabelParameters,
    ProfileParameters,
    ProfileTableParameters,
    SimulationParameters,
    SplitParameters,
    StructureFeatureParameters,
    StructureParameters,
)
from cloome_kedro.parameters.tuning import SearchSpace, TuningParameters
from cloome_kedro.parameters.uncertainty import UncertaintyParameters
from cloome_kedro.parameters.workers import ParallelParameters

__all__ = [
    "CardParameters",
    "CompareParameters",
    "CorrectionParameters",
    "CorruptionParameters",
    "DataReportParameters",
    "EmbeddingParameters",
    "FingerprintParameters",
    "FusionParameters",
    "ImportParameters",
    "IndexParameters",
    "IngestionParameters",
    "InspectParameters",
    "LabelParameters",
    "ModelParameters",
    "ParallelParameters",
    "ProbingParameters",
    "ProfileMoaParameters",
    "ProfileParameters",
    "ProfileTableParameters",
    "ReportingParameters",
    "RetrievalParameters",
    "RidgeParameters",
    "SearchSpace",
    "SimulationParameters",
    "SplitParameters",
    "StructureFeatureParameters",
    "StructureParameters",
    "StructureProbingParameters",
    "StudyParameters",
    "TuningParameters",
    "UncertaintyParameters",
    "ZeroShotParameters",
]
