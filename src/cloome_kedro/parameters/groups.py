"""The groups of parameters of the project, by name."""

from cloome_kedro.parameters import (
    cards,
    comparison,
    data_report,
    evaluation,
    index,
    model,
    screen,
    tuning,
    uncertainty,
    workers,
)
from cloome_kedro.parameters.base import Parameters

#: groups of parameters, besides `models` and `seed`
GROUPS: dict[str, type[Parameters]] = {
    "study": evaluation.StudyParameters,
    "parallel": workers.ParallelParameters,
    "simulation": screen.SimulationParameters,
    "ingestion": screen.IngestionParameters,
    "profile_tables": screen.ProfileTableParameters,
    "inspect": screen.InspectParameters,
    "structures": screen.StructureParameters,
    "fingerprints": screen.FingerprintParameters,
    "structure_features": screen.StructureFeatureParameters,
    "profiles": screen.ProfileParameters,
    "labels": screen.LabelParameters,
    "splits": screen.SplitParameters,
    "import_checkpoint": model.ImportParameters,
    "embedding": model.EmbeddingParameters,
    "retrieval": evaluation.RetrievalParameters,
    "probing": evaluation.ProbingParameters,
    "structure_probing": evaluation.StructureProbingParameters,
    "zero_shot": evaluation.ZeroShotParameters,
    "corruption": evaluation.CorruptionParameters,
    "corrections": evaluation.CorrectionParameters,
    "uncertainty": uncertainty.UncertaintyParameters,
    "compare": comparison.CompareParameters,
    "profile_moa": evaluation.ProfileMoaParameters,
    "index": index.IndexParameters,
    "reporting": evaluation.ReportingParameters,
    "cards": cards.CardParameters,
    "data_report": data_report.DataReportParameters,
    "tuning": tuning.TuningParameters,
}
