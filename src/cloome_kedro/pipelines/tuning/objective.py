"""What a trial does: the training of the training node, at the settings of a point."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cloome_kedro.parameters import BilinearParameters, FingerprintParameters, ProbingParameters, TrainingParameters
from cloome_kedro.parameters.tuning import SearchSpace, changed, changes_of
from cloome_kedro.pipelines.featurization.nodes import fingerprint_compounds

Report = Callable[[dict[str, Any]], bool]


@dataclass(frozen=True)
class Contrastive:
    """Trainings of CLOOME on one split; tables are those of ``cloome_kedro.schemas``."""

    plate_store: Any
    pairs: Any
    compounds: Any
    folds: Any
    assay_labels: Any
    compound_keys: Any
    training: TrainingParameters
    fingerprints: FingerprintParameters
    probing: ProbingParameters
    seed: int

    @property
    def groups(self) -> dict[str, Any]:
        """The default configuration."""
        return {"training": self.training, "fingerprints": self.fingerprints}

    def fit(self, groups: dict[str, Any], folder: Path, report: Report):
        """Train with other parameter groups."""
        from cloome_kedro.learning.state import FitState
        from cloome_kedro.pipelines.training.fitting import fit_training

        result, _ = fit_training(
            FitState(folder),
            self.plate_store,
            self.pairs,
            self.compounds,
            fingerprint_compounds(self.compounds, groups["fingerprints"]),
            self.folds,
            self.assay_labels,
            self.compound_keys,
            groups["training"],
            groups["fingerprints"],
            self.probing,
            self.seed,
            report=report,
            progress=False,
        )
        return result


@dataclass(frozen=True)
class Bilinear:
    """Trainings of the bilinear baseline on one split."""

    field_profiles: Any
    pairs: Any
    compounds: Any
    folds: Any
    bilinear: BilinearParameters
    fingerprints: FingerprintParameters
    seed: int
    split: str

    @property
    def groups(self) -> dict[str, Any]:
        """The default configuration."""
        return {"bilinear": self.bilinear, "fingerprints": self.fingerprints}

    def fit(self, groups: dict[str, Any], folder: Path, report: Report):
        """Train with other parameter groups."""
        from cloome_kedro.learning.state import FitState
        from cloome_kedro.pipelines.bilinear.fitting import fit_bilinear

        result, *_ = fit_bilinear(
            FitState(folder),
            self.field_profiles,
            self.pairs,
            self.compounds,
            fingerprint_compounds(self.compounds, groups["fingerprints"]),
            self.folds,
            groups["bilinear"],
            groups["fingerprints"],
            self.seed,
            self.split,
            report=report,
            progress=False,
        )
        return result


@dataclass(frozen=True)
class Trial:
    """The objective of a search: train at a point, and give the value of the space's metric at its best epoch."""

    of: Contrastive | Bilinear
    space: SearchSpace

    def __call__(self, point, folder: Path, report: Callable[[int, float], bool]):
        """As :data:`cloome_kedro.tuning.search.Objective`."""
        import torch

        from cloome_kedro.tuning.search import Outcome

        groups = changed(self.of.groups, changes_of(point, self.space, self.of.groups))
        column = f"validation_{self.space.metric}"
        try:
            result = self.of.fit(groups, folder, partial(_report, report, column))
        finally:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()  # also after running out of memory: the next trial may need less
        epoch = result.best[self.space.metric].epoch
        counts = {"epoch": epoch, "epochs": len(result.history)}
        return Outcome(result.history[epoch][column], result.stopped, counts)


def _report(report: Callable[[int, float], bool], column: str, row: dict[str, Any]) -> bool:
    return report(row["epoch"], row[column])
