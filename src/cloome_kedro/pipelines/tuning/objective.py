"""The training of a trial: that of the pipeline ``training``, with the settings of a point."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cloome_kedro.parameters import SearchSpace
from cloome_kedro.parameters.tuning import FINGERPRINTS, Settings, changes_of
from cloome_kedro.pipelines.featurization.nodes import fingerprint_compounds
from cloome_kedro.pipelines.training.fitting import TrainingData, fit_model


@dataclass(frozen=True)
class TrialTraining:
    """Train with the settings of a point; the value is the metric of the space at the best epoch. It can be pickled.

    Attributes
    ----------
    data
        Data of all trainings. Each trial makes its own fingerprints.
    compounds : pandas.DataFrame
        Table of this name, for the fingerprints.
    space
        Search space.
    settings
        The default configuration.
    seed
        Seed of all trainings.
    """

    data: TrainingData
    compounds: Any
    space: SearchSpace
    settings: Settings
    seed: int

    def __call__(self, point, folder: Path, report: Callable[[int, float], bool]):
        """Run a trial, see :data:`cloome_kedro.tuning.search.Objective`."""
        import torch

        from cloome_kedro.learning.state import FitState
        from cloome_kedro.tuning.search import Outcome

        settings = self.settings.changed(changes_of(point, self.space, self.settings))
        fingerprints = fingerprint_compounds(self.compounds, settings.fingerprints)
        data = dataclasses.replace(self.data, sources={**self.data.sources, FINGERPRINTS: fingerprints})
        column = f"validation_{self.space.metric}"
        try:
            result, _ = fit_model(
                FitState(folder), data, settings.model, self.seed, partial(_report, report, column), progress=False
            )
        finally:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()  # also if memory ran out, since the next trial may need less
        epoch = result.best[self.space.metric].epoch
        counts = {"epoch": epoch, "epochs": len(result.history)}
        return Outcome(result.history[epoch][column], result.stopped, counts)


def _report(report: Callable[[int, float], bool], column: str, row: dict[str, Any]) -> bool:
    return report(row["epoch"], row[column])
