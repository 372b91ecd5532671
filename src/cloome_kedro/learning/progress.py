"""Progress of a training: its saved state beside weights and optimiser."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass
class Progress:
    """Finished steps and epochs, history and best models. The state on disk holds all attributes."""

    step: int = 0  # finished steps
    epoch: int = 0  # finished epochs
    losses: list[float] = field(default_factory=list)  # one per step of the current epoch
    measured: dict[str, list[float]] = field(default_factory=dict)  # terms of the loss, one per step of the epoch
    norms: list[float] = field(default_factory=list)  # norm of the gradient, one per step of the current epoch
    skipped: int = 0  # last steps in a row that were skipped
    steps: int = 0  # finished steps of the current epoch; losses and norms are read some steps late
    waiting: float = 0.0  # seconds of the current epoch spent waiting for data
    elapsed: float = 0.0  # seconds of the current epoch
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, dict[str, Any]] = field(default_factory=dict)  # metric -> score, epoch, tensors
    stopped: bool = False  # whether the report ended the training

    def fields_per_second(self, batch_size: int) -> float:
        """Mean speed in the current epoch, for batches of this number of fields."""
        return self.steps * batch_size / self.elapsed

    def take(self, values: Mapping[str, float]) -> None:
        """Keep the numbers of a step: ``loss``, ``norm`` and terms of the loss."""
        self.losses.append(values["loss"])
        self.norms.append(values["norm"])
        for name in values.keys() - {"loss", "norm"}:
            self.measured.setdefault(name, []).append(values[name])
        self.skipped = 0 if math.isfinite(values["norm"]) else self.skipped + 1

    def keep_best(self, row: dict[str, Any], metrics: Sequence[str], model: nn.Module, validated: bool) -> None:
        """Keep the weights of the model for each metric that is better than in all earlier epochs.

        Parameters
        ----------
        row
            Row of the history of this epoch.
        metrics
            Validation metrics, or ``loss``. If values of a metric are equal, the lower validation loss is better.
        model
            The model after this epoch.
        validated
            Whether the metrics were measured. Otherwise the last epoch is kept.

        Raises
        ------
        ValueError
            If a metric is not a number.
        """
        tensors: dict[str, torch.Tensor] = {}  # one copy of the weights, shared by all metrics
        for metric in metrics:
            if not validated:
                score = [float(row["epoch"])]
            elif metric == "loss":
                score = [-row["validation_loss"]]
            else:
                score = [row[f"validation_{metric}"], -row["validation_loss"]]
            if math.isnan(score[0]):
                raise ValueError(f"fit.keep: {metric} cannot be measured on the validation fold of this screen")
            best = self.best.get(metric)
            if best is None or score > best["score"]:
                tensors = tensors or {name: tensor.to("cpu", copy=True) for name, tensor in model.state_dict().items()}
                self.best[metric] = {"score": score, "epoch": row["epoch"], "tensors": tensors}

    def start_next_epoch(self) -> None:
        """Count the epoch, and reset what belongs to it."""
        self.epoch += 1
        self.losses, self.norms, self.measured, self.steps, self.waiting, self.elapsed = [], [], {}, 0, 0.0, 0.0
