"""The training loop, which the process of each device runs.

All random draws come from the seed and the number of the step, so no state of a generator has to be saved.
"""

import logging
import math
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from cloome_kedro.learning.batches import prefetch
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData
from cloome_kedro.learning.features import FeatureLoss, FeatureModel
from cloome_kedro.learning.model import PairModel, make_optimizer
from cloome_kedro.learning.objectives.base import Objective
from cloome_kedro.learning.progress import Progress
from cloome_kedro.learning.readings import Agreement, LateReadings
from cloome_kedro.learning.schedules import learning_rate
from cloome_kedro.learning.staging import Prepared, staged
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.step import MicroBatch, backward
from cloome_kedro.learning.training_batches import Arrays, TrainingBatches
from cloome_kedro.learning.validation import Validation, validation_row
from cloome_kedro.signals import held_back

logger = logging.getLogger(__name__)

#: what a training can train
Model = PairModel | FeatureModel

_MAX_SKIPPED_STEPS = 20  # in a row; 20 halvings reduce the scale of 16-bit gradients to a millionth


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes
    ----------
    objective, config
        Loss, and settings of the fit.
    seed
        Seed of all random draws.
    identity
        Text that differs if the labels of the tasks in the validation differ. A finished training with other labels is
        then not used again.
    """

    objective: Objective | FeatureLoss
    config: FitConfig
    seed: int
    identity: str = ""


class Training:
    """A training in the process of one device; see :func:`cloome_kedro.learning.fit.fit` for the arguments."""

    def __init__(
        self,
        fabric: Fabric,
        model: Model,
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
        self.is_first_rank = fabric.global_rank == 0
        self.show_progress = progress and self.is_first_rank

        config = self.config
        if config.sync_batchnorm and fabric.device.type == "cuda":
            model = cast(Model, nn.SyncBatchNorm.convert_sync_batchnorm(model))
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        compiled = cast(nn.Module, torch.compile(model)) if config.compile else model
        self.network, self.optimizer = fabric.setup(compiled, make_optimizer(model, config, fabric.device))

        self.average = None
        if config.average_decay is not None:
            # Buffers are averaged, too, so that statistics of batch normalisation are those of the averaged steps.
            rule = get_ema_multi_avg_fn(config.average_decay)
            self.average = AveragedModel(self.model, multi_avg_fn=rule, use_buffers=True)

        self.batches = TrainingBatches(
            data,
            config,
            recipe.seed,
            rank=fabric.global_rank,
            devices=fabric.world_size,
            needs=self.objective.needs,
            pin_memory=fabric.device.type == "cuda",
        )
        self.steps_per_epoch = len(self.batches.of_epoch(0))
        self.total_steps = config.epochs * self.steps_per_epoch
        if config.warmup_steps >= self.total_steps and self.is_first_rank:
            logger.warning(
                "the warm-up has %d steps, but training ends after %d: lower warmup_steps or increase epochs",
                config.warmup_steps,
                self.total_steps,
            )
        self.progress = Progress()
        self.readings = LateReadings[tuple[int, np.ndarray]]()  # of steps, which are identified by number and batch
        self.agreement = Agreement(fabric)
        self._resume()

    def run(self) -> None:
        """Train to the end and save the results in the state."""
        progress = self.progress
        name, hidden = "training" if isinstance(self.model, PairModel) else "pre-training", not self.show_progress
        bar = tqdm(total=self.total_steps, initial=progress.step, desc=name, unit="step", disable=hidden)
        with bar, held_back() as signals:
            ended = self._report_earlier_epochs()
            while progress.epoch < self.config.epochs and not ended:
                self._train_epoch(bar, signals)
                ended = self._end_epoch()
        if self.is_first_rank:
            results = {"history": progress.history, "best": progress.best, "stopped": progress.stopped}
            self.state.finish(self.digest, results)
        self.fabric.barrier()
        if self.agreement.any_now(bool(signals)):
            self._stop(signals)

    def _train_epoch(self, bar: tqdm, signals: list[int]) -> None:
        progress = self.progress
        self.network.train()
        batches = self.batches.of_epoch(progress.epoch)[progress.step - progress.epoch * self.steps_per_epoch :]
        numbered = zip(range(progress.step, progress.step + len(batches)), batches, strict=True)
        loaded = prefetch(lambda batch: (*batch, self.batches.load(*batch)), numbered)
        begin = time.perf_counter()
        for waited, (_, batch, _), micro_batches in staged(loaded, self._prepare, self.fabric.device):
            self._step(batch, cast(list[MicroBatch], micro_batches))
            progress.step += 1
            progress.steps += 1
            self._take(self.readings.arrived())
            now = time.perf_counter()
            progress.waiting, progress.elapsed, begin = progress.waiting + waited, progress.elapsed + now - begin, now
            bar.set_postfix(self._bar_numbers(), refresh=False)
            bar.update()
            if self.agreement.any(bool(signals)):
                self._save()
                self._stop(signals)
            if self._is_save_due():
                self._save()
                begin = time.perf_counter()
        self._take(self.readings.all())
        progress.elapsed += time.perf_counter() - begin

    def _prepare(self, loaded: tuple[int, np.ndarray, Arrays]) -> Prepared:
        return self.batches.prepared(*loaded, self.fabric.device)

    def _step(self, batch: np.ndarray, micro_batches: list[MicroBatch]) -> None:
        progress, config = self.progress, self.config
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(progress.step)
        objective, measured = self.objective, dict[str, torch.Tensor]()
        if isinstance(objective, FeatureLoss):
            objective = replace(objective, measured=measured)

        self.optimizer.zero_grad()
        loss = backward(self.fabric, self.network, objective, micro_batches, self.batches.layer_seed(progress.step))
        norm = self.fabric.clip_gradients(
            self.network, self.optimizer, max_norm=config.clip_norm or math.inf, error_if_nonfinite=False
        )
        # None of these is read here: reading waits for the device.
        self.readings.add((progress.step, batch), {"loss": loss, "norm": cast(torch.Tensor, norm), **measured})
        self.optimizer.step()
        if isinstance(self.model, PairModel):
            self.model.clamp_temperature()
        if self.average is not None:
            self.average.update_parameters(self.model)

    def _take(self, readings: Iterable[tuple[tuple[int, np.ndarray], dict[str, float]]]) -> None:
        """Keep the numbers of earlier steps, and end the training at the first that must be finite and is not."""
        for (step, batch), values in readings:
            self.progress.take(values)
            self._check_finite(step, batch)

    @property
    def evaluated(self) -> Model:
        """The model that is validated and kept."""
        return self.model if self.average is None else cast(Model, self.average.module)

    def _learning_rate(self, step: int) -> float:
        return learning_rate(self.config, step, self.total_steps)

    def _check_finite(self, step: int, batch: np.ndarray) -> None:
        progress = self.progress
        # With 16-bit precision, steps whose gradient overflows are skipped until the scale of the gradients fits.
        scaled = getattr(self.fabric.strategy.precision, "scaler", None) is not None
        if math.isfinite(progress.losses[-1]) and progress.skipped <= (_MAX_SKIPPED_STEPS if scaled else 0):
            return
        rate, loss, norm = self._learning_rate(step), progress.losses[-1], progress.norms[-1]
        message = (
            f"the loss is {loss} and the norm of its gradient is {norm} at step {step} (epoch {progress.epoch}), "
            f"learning rate {rate:.3g}: lower the learning rate, lengthen the warm-up or set clip_norm"
        )
        if self.is_first_rank:
            record = {"step": step, "epoch": progress.epoch, "learning_rate": rate, "loss": loss, "gradient_norm": norm}
            path = self.state.fail(record | {"batch": self.data.names(batch)})
            message += f"\nThe fields of the batch are listed in {path}"
        raise FloatingPointError(message)

    def _end_epoch(self) -> bool:
        """Validate on the first device and keep the best models; return whether training ends early."""
        progress, model, out_of_patience = self.progress, self.evaluated, False
        if self.is_first_rank:
            row = {
                "epoch": progress.epoch,
                "step": progress.step,
                "train_loss": float(np.mean(progress.losses)),
                **{f"train_{name}": float(np.mean(values)) for name, values in progress.measured.items()},
                **validation_row(self.fabric, model, self.data, self.objective, self.config, self.validation),
                **({"inverse_temperature": model.logit_inv_tau.exp().item()} if isinstance(model, PairModel) else {}),
                "learning_rate": self._learning_rate(progress.step - 1),
                "gradient_norm": float(np.mean([norm for norm in progress.norms if math.isfinite(norm)] or [math.nan])),
                "fields_per_second": progress.fields_per_second(self.batches.fields),
                "waiting_fraction": progress.waiting / progress.elapsed,
            }
            progress.history.append(row)
            progress.keep_best(row, self.config.keep, model, validated=len(self.data.validation) >= 2)
            patience, best_epoch = self.config.patience, progress.best[self.config.keep[0]]["epoch"]
            out_of_patience = patience is not None and progress.epoch - best_epoch >= patience
            report_ends = self.validation.tell(row)
            progress.stopped = report_ends and not out_of_patience and progress.epoch + 1 < self.config.epochs
        progress.start_next_epoch()
        return self.fabric.broadcast(out_of_patience or progress.stopped)

    def _report_earlier_epochs(self) -> bool:
        """Report the epochs before an interruption again; return whether the report ends the training."""
        progress, validation = self.progress, self.validation
        if self.is_first_rank:
            ended = any(validation.tell(row) for row in progress.history)
            progress.stopped = ended if validation.report is not None else progress.stopped
        return self.fabric.broadcast(progress.stopped)

    def _resume(self) -> None:
        self.last_save = time.monotonic()
        # One process reads the state for all, since a process of a killed run may still replace the file.
        saved = self.fabric.broadcast(self.state.unfinished(self.digest) if self.is_first_rank else None)
        if saved is not None:
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(saved["average"])
            self.fabric.strategy.precision.load_state_dict(saved["precision"])
            self.progress = Progress(**saved["progress"])
            if self.is_first_rank:
                logger.info("training continues from step %d of %d", self.progress.step, self.total_steps)

    def _save(self) -> None:
        self._take(self.readings.all())  # a state is only saved if all steps before it were finite
        if self.is_first_rank:
            weights = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
            weights |= {} if self.average is None else {"average": self.average.state_dict()}
            precision = self.fabric.strategy.precision.state_dict()
            self.state.save(self.digest, {**weights, "precision": precision, "progress": vars(self.progress)})
        self.last_save = time.monotonic()

    def _is_save_due(self) -> bool:
        minutes, steps = self.config.checkpoint_minutes, self.config.checkpoint_steps
        return (minutes is not None and time.monotonic() - self.last_save >= 60 * minutes) or (
            steps is not None and self.progress.step % steps == 0
        )

    def _stop(self, signals: list[int]) -> None:
        if self.is_first_rank:
            logger.warning(
                "training stopped at step %d of %d; run the same command again to continue from there",
                self.progress.step,
                self.total_steps,
            )
        if signals[:1] == [signal.SIGINT] and self.fabric.world_size == 1:
            raise KeyboardInterrupt
        # With several processes, the exit status says that this one was ended by a signal.
        raise SystemExit(128 + (signals[0] if signals else signal.SIGTERM))

    def _bar_numbers(self) -> dict[str, str]:
        """Numbers beside the progress bar."""
        progress = self.progress
        speed = progress.fields_per_second(self.batches.fields)
        metric = self.config.keep[0]
        value = progress.history[-1].get(f"validation_{metric}") if progress.history else None
        last = {} if value is None else {f"val_{metric}": f"{value:.3f}"}
        loss = {"loss": f"{progress.losses[-1]:.3f}"} if progress.losses else {}
        return {**loss, "fields/s": f"{speed:.0f}", **last}
