"""What a trial does: the training of the training node, at the settings of a point."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cloome_kedro.parameters import SearchSpace
from cloome_kedro.parameters.base import Parameters
from cloome_kedro.parameters.tuning import changed, changes_of
from cloome_kedro.pipelines.featurization.nodes import fingerprint_compounds


@dataclass(frozen=True)
class Trial:
    """The objective of a search: train at a point, and give the value of the space's metric at its best epoch.

    Attributes
    ----------
    train
        ``fit_training`` or ``fit_bilinear`` with its data; settings, fingerprints and state are the trial's. Pickled.
    compounds : pandas.DataFrame
        Table of this name, for fingerprints.
    space
        What is searched.
    groups
        Parameter groups of the default configuration.
    """

    train: Callable[..., tuple]
    compounds: Any
    space: SearchSpace
    groups: Mapping[str, Parameters]

    def __call__(self, point, folder: Path, report: Callable[[int, float], bool]):
        """As :data:`cloome_kedro.tuning.search.Objective`."""
        import torch

        from cloome_kedro.learning.state import FitState
        from cloome_kedro.tuning.search import Outcome

        groups: dict[str, Any] = changed(self.groups, changes_of(point, self.space, self.groups))
        column = f"validation_{self.space.metric}"
        try:
            result, *_ = self.train(
                FitState(folder),
                fingerprints=fingerprint_compounds(self.compounds, groups["fingerprints"]),
                fingerprint_settings=groups["fingerprints"],
                report=partial(_report, report, column),
                progress=False,
                **{self.space.tunes: groups[self.space.tunes]},
            )
        finally:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()  # also after running out of memory: the next trial may need less
        epoch = result.best[self.space.metric].epoch
        counts = {"epoch": epoch, "epochs": len(result.history)}
        return Outcome(result.history[epoch][column], result.stopped, counts)


def _report(report: Callable[[int, float], bool], column: str, row: dict[str, Any]) -> bool:
    return report(row["epoch"], row[column])
