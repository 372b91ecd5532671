"""Every parameter group of the project, as a pydantic model.

Kedro validates ``params:`` inputs against a node's annotations before a run starts, so a misspelt key or a value out of
range stops the run at once, with its name. Unknown keys are forbidden everywhere. Groups that belong to one library
(``imaging``, ``learning``, ``simulation``, ``tuning``) are plain dataclasses there, since these libraries run without
pydantic; they are checked here all the same.
"""

from cloome_kedro.parameters.evaluation import (
    CorruptionParameters,
    ProbingParameters,
    ProfileMoaParameters,
    ReportingParameters,
    RetrievalParameters,
    StudyParameters,
    ZeroShotParameters,
)
from cloome_kedro.parameters.model import EmbeddingParameters, ImportParameters, ModelParameters
from cloome_kedro.parameters.screen import (
    FingerprintParameters,
    IngestionParameters,
    ProfileParameters,
    SimulationParameters,
    SplitParameters,
)
from cloome_kedro.parameters.tuning import SearchSpace, TuningParameters

__all__ = [
    "CorruptionParameters",
    "EmbeddingParameters",
    "FingerprintParameters",
    "ImportParameters",
    "IngestionParameters",
    "ModelParameters",
    "ProbingParameters",
    "ProfileMoaParameters",
    "ProfileParameters",
    "ReportingParameters",
    "RetrievalParameters",
    "SearchSpace",
    "SimulationParameters",
    "SplitParameters",
    "StudyParameters",
    "TuningParameters",
    "ZeroShotParameters",
]
