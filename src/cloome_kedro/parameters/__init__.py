"""Every parameter group of the project, as a pydantic model.

Kedro validates ``params:`` inputs against a node's annotations before a run starts, so a misspelt key or a value out of
range stops the run at once, with its name. Unknown keys are forbidden everywhere. Groups that belong to one library
(``learning``, ``simulation``) are plain dataclasses there, since those libraries run without pydantic; they are checked
here all the same.
"""

from cloome_kedro.parameters.evaluation import (
    CorruptionParameters,
    ProbingParameters,
    ProfileMoaParameters,
    ReportingParameters,
    RetrievalParameters,
    ZeroShotParameters,
)
from cloome_kedro.parameters.model import (
    RETRIEVAL_METRICS,
    TASK_METRICS,
    AugmentationParameters,
    BilinearParameters,
    EmbeddingParameters,
    ImportParameters,
    TrainingParameters,
)
from cloome_kedro.parameters.screen import (
    FingerprintParameters,
    IngestionParameters,
    IntensityParameters,
    PlatemapSource,
    ProfileParameters,
    SimulationParameters,
    SourceParameters,
    SplitParameters,
)
from cloome_kedro.parameters.tuning import SearchSpace, TuningParameters

__all__ = [
    "RETRIEVAL_METRICS",
    "TASK_METRICS",
    "AugmentationParameters",
    "BilinearParameters",
    "CorruptionParameters",
    "EmbeddingParameters",
    "FingerprintParameters",
    "ImportParameters",
    "IngestionParameters",
    "IntensityParameters",
    "PlatemapSource",
    "ProbingParameters",
    "ProfileMoaParameters",
    "ProfileParameters",
    "ReportingParameters",
    "RetrievalParameters",
    "SearchSpace",
    "SimulationParameters",
    "SourceParameters",
    "SplitParameters",
    "TrainingParameters",
    "TuningParameters",
    "ZeroShotParameters",
]
