"""The training loop, as every device's process runs it.

Every random draw is made from the seed and the step, so no generator has a state that would have to be kept.
"""

import logging
import math
import signal
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from tqdm import tqdm

from cloome_kedro.learning.batches import as_tensor, epoch_batches, prefetch, timed
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData
from cloome_kedro.learning.model import PairModel, make_optimizer
from cloome_kedro.learning.objectives.base import Objective
from cloome_kedro.learning.schedules import warmup_cosine_restarts
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.step import backward
from cloome_kedro.learning.validation import Validation, validation_row
from cloome_kedro.signals import held_back

logger = logging.getLogger(__name__)

_SKIPPED_STEPS = 20  # in a row; the scale of 16-bit gradients is then a millionth of what it was


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes
    ----------
    objective, config
        Loss, and settings of the fit.
    seed
        All randomness comes from it.
    identity
        Tells what tasks of the validation score by: without it, labels that changed under equal arguments would not be
        noticed.
    """

    objective: Objective
    config: FitConfig
    seed: int
    identity: str = ""


@dataclass
class Progress:
    """How far a training is: what its state holds beside weights and optimiser."""

    step: int = 0  # batches trained on
    epoch: int = 0  # epochs ended
    losses: list[float] = field(default_factory=list)  # of the running epoch, as are norms and seconds
    norms: list[float] = field(default_factory=list)
    skipped: int = 0  # steps in a row
    waiting: float = 0.0
    elapsed: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, dict[str, Any]] = field(default_factory=dict)  # metric -> score, epoch, tensors
    stopped: bool = False  # by the report


class Training:
    """One training in one process; see :func:`cloome_kedro.learning.fit.fit` for the arguments."""

    def __init__(
        self,
        fabric: Fabric,
        model: PairModel,
        *,
        data: PairData,
        recipe: Recipe,
        validation: Validation,
        state: FitState,
        digest: str,
        progress: bool = True,
    ):
        self.fabric, self.data, self.objective, self.config = fabric, data, recipe.objective, recipe.config
        self.seed, self.validation, self.state, self.digest = recipe.seed, validation, state, digest
        self.leads = fabric.global_rank == 0
        self.shows = progress and self.leads
        self.pin = fabric.device.type == "cuda"

        config = self.config
        if config.sync_batchnorm and fabric.device.type == "cuda":
            model = cast(PairModel, nn.SyncBatchNorm.convert_sync_batchnorm(model))
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        compiled = cast(nn.Module, torch.compile(model)) if config.compile else model
        self.network, self.optimizer = fabric.setup(compiled, make_optimizer(model, config))

        units = data.trained_units
        available = len(np.unique(units)) if config.unique_compounds else len(units)
        self.share = min(config.batch_size, available) // fabric.world_size  # of a batch, on this device
        self.steps = len(self._batches(0))
        self.total = config.epochs * self.steps
        if config.warmup_steps >= self.total and self.leads:
            logger.warning(
                "the warm-up of %d steps is not over when training ends at %d", config.warmup_steps, self.total
            )
        self.progress = Progress()
        self._resume()

    def run(self) -> None:
        """Train to the end and leave the results in the state."""
        progress = self.progress
        bar = tqdm(total=self.total, initial=progress.step, desc="training", unit="step", disable=not self.shows)
        with bar, held_back() as caught:
            over = self._reported_again()
            while progress.epoch < self.config.epochs and not over:
                self._train_epoch(bar, caught)
                over = self._end_epoch()
        if self.leads:
            results = {"history": progress.history, "best": progress.best, "stopped": progress.stopped}
            self.state.finish(self.digest, results)
        self.fabric.barrier()
        if self._any(bool(caught)):
            self._stop(caught)

    def _batches(self, epoch: int) -> list[np.ndarray]:
        """Fields of the epoch's batches, over all devices."""
        rng = np.random.default_rng([self.seed, 2, epoch])
        size = self.share * self.fabric.world_size
        batches = epoch_batches(self.data.trained_units, size, self.config.unique_compounds, rng)
        return [self.data.train[batch] for batch in batches]

    def _own(self, batch: np.ndarray) -> np.ndarray:
        """This device's part of what has a row for each pair of the batch."""
        return batch[self.fabric.global_rank * self.share :][: self.share]

    def _load(self, pairs: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Both sides of some pairs as they are read, on the CPU."""
        field, compound = (side.read(pairs) for side in (self.data.field, self.data.compound))
        return as_tensor(field, self.pin), as_tensor(compound, self.pin)

    def _train_epoch(self, bar: tqdm, caught: list[int]) -> None:
        progress = self.progress
        self.network.train()
        batches = self._batches(progress.epoch)[progress.step - progress.epoch * self.steps :]
        read = timed(prefetch(self._load, map(self._own, batches)))
        for batch, (waited, sides) in zip(batches, read, strict=True):
            begin = time.perf_counter()
            self._step(batch, *sides)
            progress.step += 1
            progress.waiting += waited
            progress.elapsed += waited + time.perf_counter() - begin
            bar.set_postfix(self._shown(), refresh=False)
            bar.update()
            if self._any(bool(caught)):
                self._save()
                self._stop(caught)
            if self._due():
                self._save()

    def _step(self, batch: np.ndarray, field: torch.Tensor, compound: torch.Tensor) -> None:
        progress, config, device = self.progress, self.config, self.fabric.device
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(progress.step)
        # Each pair has a seed, so that its crop does not depend on its device or micro-batch.
        seeds = self._own(np.random.SeedSequence([self.seed, 3, progress.step]).generate_state(len(batch)))
        # No piece holds a single pair, which has no batch statistics.
        pieces = min(-(-self.share // (config.micro_batch_size or self.share)), self.share // 2)
        field, compound = field.to(device, non_blocking=True), compound.to(device, non_blocking=True)
        parts = zip(
            field.tensor_split(pieces), compound.tensor_split(pieces), np.array_split(seeds, pieces), strict=True
        )

        self.optimizer.zero_grad()
        loss = backward(self.fabric, self.network, self.objective, [partial(self._inputs, *part) for part in parts])
        norm = self.fabric.clip_gradients(
            self.network, self.optimizer, max_norm=config.clip_norm or math.inf, error_if_nonfinite=False
        )
        progress.losses.append(loss.item())
        progress.norms.append(cast(torch.Tensor, norm).item())
        self._check_finite(batch)
        self.optimizer.step()
        self.model.clamp_temperature()

    def _inputs(
        self, field: torch.Tensor, compound: torch.Tensor, seeds: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self.data.field.view.augment(field, seeds), self.data.compound.view.augment(compound, seeds)

    def _learning_rate(self, step: int) -> float:
        config = self.config
        if config.schedule == "constant" and step >= config.warmup_steps:
            return config.learning_rate
        return config.learning_rate * warmup_cosine_restarts(step, config.warmup_steps, self.total, config.cycles)

    def _check_finite(self, batch: np.ndarray) -> None:
        progress = self.progress
        progress.skipped = 0 if math.isfinite(progress.norms[-1]) else progress.skipped + 1
        # Until it has found its scale, the scaling of 16-bit gradients skips steps whose gradient overflows.
        scaled = getattr(self.fabric.strategy.precision, "scaler", None) is not None
        if math.isfinite(progress.losses[-1]) and progress.skipped <= (_SKIPPED_STEPS if scaled else 0):
            return
        record = {
            "step": progress.step,
            "epoch": progress.epoch,
            "learning_rate": self._learning_rate(progress.step),
            "loss": progress.losses[-1],
            "gradient_norm": progress.norms[-1],
        }
        message = (
            f"the loss is {record['loss']} and its gradient's norm {record['gradient_norm']} at step {progress.step} "
            f"(epoch {progress.epoch}), learning rate {record['learning_rate']:.3g}: lower the learning rate, lengthen "
            "the warm-up or set clip_norm"
        )
        if self.leads:
            path = self.state.fail(record | {"batch": self.data.names(batch)})
            message += f"\nThe batch's fields are in {path}"
        raise FloatingPointError(message)

    def _end_epoch(self) -> bool:
        """Validate, keep what is best; whether training is over before its last epoch. One device does it for all."""
        progress, over = self.progress, False
        if self.leads:
            measured = self.data, self.objective, self.config, self.validation
            row = {
                "epoch": progress.epoch,
                "step": progress.step,
                "train_loss": float(np.mean(progress.losses)),
                **validation_row(self.fabric, self.model, *measured),
                "inverse_temperature": self.model.logit_inv_tau.exp().item(),
                "learning_rate": self._learning_rate(progress.step - 1),
                "gradient_norm": float(np.mean([norm for norm in progress.norms if math.isfinite(norm)] or [math.nan])),
                "fields_per_second": len(progress.losses) * self.share * self.fabric.world_size / progress.elapsed,
                "waiting_fraction": progress.waiting / progress.elapsed,
            }
            progress.history.append(row)
            self._keep_best(row)
            patience, since = self.config.patience, progress.best[self.config.keep[0]]["epoch"]
            over = patience is not None and progress.epoch - since >= patience
            report = self.validation.report
            unwanted = report is not None and bool(report(row))  # the state cannot keep numpy's booleans
            progress.stopped = unwanted and not over and progress.epoch + 1 < self.config.epochs
        progress.epoch += 1
        progress.losses, progress.norms, progress.waiting, progress.elapsed = [], [], 0.0, 0.0
        return self.fabric.broadcast(over or progress.stopped)

    def _reported_again(self) -> bool:
        """Report the epochs before this process's first, too; whether training is over there."""
        progress = self.progress
        report = self.validation.report
        if self.leads and report is not None:
            progress.stopped = any(report(row) for row in progress.history)
        return self.fabric.broadcast(progress.stopped)

    def _keep_best(self, row: dict[str, Any]) -> None:
        tensors: dict[str, torch.Tensor] = {}  # one copy of the epoch, for all metrics that it is the best by
        for metric in self.config.keep:
            if len(self.data.validation) < 2:
                score = [float(row["epoch"])]
            elif metric == "loss":
                score = [-row["validation_loss"]]
            else:
                score = [row[f"validation_{metric}"], -row["validation_loss"]]
            if math.isnan(score[0]):
                raise ValueError(f"fit.keep: {metric} cannot be measured on this screen's validation fold")
            best = self.progress.best.get(metric)
            if best is None or score > best["score"]:
                tensors = tensors or {k: tensor.to("cpu", copy=True) for k, tensor in self.model.state_dict().items()}
                self.progress.best[metric] = {"score": score, "epoch": row["epoch"], "tensors": tensors}

    def _resume(self) -> None:
        self.saved = time.monotonic()
        # One process reads for all: a process of a killed run may still save meanwhile.
        found = self.fabric.broadcast(self.state.unfinished(self.digest) if self.leads else None)
        if found is not None:
            self.model.load_state_dict(found["model"])
            self.optimizer.load_state_dict(found["optimizer"])
            self.fabric.strategy.precision.load_state_dict(found["precision"])
            self.progress = Progress(**found["progress"])
            if self.leads:
                logger.info("training goes on from step %d of %d", self.progress.step, self.total)

    def _save(self) -> None:
        if self.leads:
            weights = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
            precision = self.fabric.strategy.precision.state_dict()
            self.state.save(self.digest, {**weights, "precision": precision, "progress": vars(self.progress)})
        self.saved = time.monotonic()

    def _due(self) -> bool:
        minutes, steps = self.config.checkpoint_minutes, self.config.checkpoint_steps
        return (minutes is not None and time.monotonic() - self.saved >= 60 * minutes) or (
            steps is not None and self.progress.step % steps == 0
        )

    def _any(self, here: bool) -> bool:
        """Whether it is so on any device."""
        if self.fabric.world_size == 1:
            return here
        here_or_not = torch.tensor(float(here), device=self.fabric.device)
        return cast(torch.Tensor, self.fabric.all_reduce(here_or_not, reduce_op="sum")).item() > 0

    def _stop(self, caught: list[int]) -> None:
        if self.leads:
            logger.warning("stopped at step %d of %d; run again to go on from there", self.progress.step, self.total)
        if caught[:1] == [signal.SIGINT] and self.fabric.world_size == 1:
            raise KeyboardInterrupt
        # A process of several says by its exit status that it has not ended by itself.
        raise SystemExit(128 + (caught[0] if caught else signal.SIGTERM))

    def _shown(self) -> dict[str, str]:
        progress = self.progress
        speed = len(progress.losses) * self.share * self.fabric.world_size / progress.elapsed
        metric = self.config.keep[0]
        value = progress.history[-1].get(f"validation_{metric}") if progress.history else None
        last = {} if value is None else {f"val_{metric}": f"{value:.3f}"}
        return {"loss": f"{progress.losses[-1]:.3f}", "fields/s": f"{speed:.0f}", **last}
