"""Batches of a training: which pairs, read on the CPU and prepared on the device, as one device needs them."""

import logging
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from cloome_kedro.learning.batches import as_tensor, epoch_batches, several_fields
from cloome_kedro.learning.blocks import block_batches, blocks_of, randomness
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData
from cloome_kedro.learning.staging import Prepared

logger = logging.getLogger(__name__)

#: side -> its arrays and, if any, their context
Arrays = dict[str, tuple[torch.Tensor, ...]]


class TrainingBatches:
    """The batches of a training and the part of one device.

    A batch is (B,) positions of pairs. With k fields per unit it is (B, k), and each row holds pairs of one unit. All
    random draws come from the seed and the number of the epoch or step.

    Parameters
    ----------
    data, config, seed
        As for the training.
    rank, devices
        Number of this device, and of all devices.
    needs
        Names of sets that the objective needs. ``unit`` (B,), the code of each pair's compound, and ``plate`` (B, k),
        the codes of the plates of its fields, are then among the inputs.
    pin_memory
        Whether arrays are read into page-locked memory.

    Attributes
    ----------
    size, local_size
        Units of a batch, over all devices and on this device.
    blocks
        (training pairs,) number of the block of each pair's field. None: fields are taken from anywhere.
    """

    def __init__(
        self,
        data: PairData,
        config: FitConfig,
        seed: int,
        *,
        rank: int = 0,
        devices: int = 1,
        needs: Sequence[str] = (),
        pin_memory: bool = False,
    ):
        self.data, self.config, self.seed = data, config, seed
        self.rank, self.needs, self.pin_memory = rank, needs, pin_memory
        units = data.trained_units
        available = len(np.unique(units)) if config.unique_compounds else len(units)
        self.local_size = min(config.batch_size, available) // devices
        self.size = self.local_size * devices
        place = data.field.rows.place
        self.blocks = None
        if config.block_rows is not None and place is not None:
            self.blocks = blocks_of(place[data.train], config.block_rows)
        if rank == 0:
            self._warn_of_repetition()

    @property
    def fields(self) -> int:
        """Fields of a batch, over all devices."""
        return self.size * self.config.fields_per_compound

    def of_epoch(self, epoch: int) -> list[np.ndarray]:
        """Pairs of each batch of an epoch, over all devices."""
        rng = np.random.default_rng([self.seed, 2, epoch])
        data, config = self.data, self.config
        if self.blocks is not None:
            return [data.train[batch] for batch in self._of_blocks(self.blocks, rng, is_first=epoch == 0)]
        batches = epoch_batches(data.trained_units, self.size, config.unique_compounds, rng)
        if config.fields_per_compound > 1:
            plates = None if data.plates is None else data.plates[data.train]
            batches = several_fields(batches, data.trained_units, config.fields_per_compound, plates, rng)
        return [data.train[batch] for batch in batches]

    def _of_blocks(self, blocks: np.ndarray, rng: np.random.Generator, is_first: bool) -> list[np.ndarray]:
        """Positions of training pairs of each batch of an epoch, from a few open blocks."""
        units, config = self.data.trained_units, self.config
        batches = block_batches(
            units, blocks, self.size, open_blocks=config.open_blocks, unique=config.unique_compounds, rng=rng
        )
        if is_first and self.rank == 0:
            measured, taken = randomness(batches, blocks), len(np.unique(np.concatenate(batches)))
            logger.info(
                "%d blocks of %d fields, of which %d are open: %.3g %% of the pairs of a batch are from the same "
                "block, %.3g %% if fields came from anywhere (fit.block_rows); an epoch takes %d of %d fields",
                *(blocks.max() + 1, config.block_rows, config.open_blocks),
                *(100 * measured.same_block, 100 * measured.uniform, taken, len(units)),
            )
        return batches

    def _warn_of_repetition(self) -> None:
        """Log how many units have fewer fields than a batch takes of each."""
        counts, needed = np.unique(self.data.trained_units, return_counts=True)[1], self.config.fields_per_compound
        if few := (counts < needed).sum():
            logger.warning(
                "%d of %d compounds (or treatments) have fewer than %d fields in the training fold: their fields are "
                "repeated (fit.fields_per_compound)",
                *(few, len(counts), needed),
            )

    def local_part(self, batch: np.ndarray) -> np.ndarray:
        """Select the rows of this device from an array with one row per unit of a batch."""
        return batch[self.rank * self.local_size :][: self.local_size]

    def load(self, step: int, batch: np.ndarray) -> Arrays:
        """Read this device's part of the batch of a step, as far as its augmentation uses it; see :meth:`read`."""
        return self.read(self.local_part(batch), self.local_part(self._seeds(step, batch)))

    def read(self, batch: np.ndarray, seeds: np.ndarray | None = None) -> Arrays:
        """Read the sides of these pairs, on the CPU. There is one compound per unit, and one row per field.

        With the seeds of the pairs, only the window of each image is read that the augmentation uses. The inputs of the
        model are the same.
        """
        read: Arrays = {}
        for name, side in self.data.sides.items():
            pairs = batch[:, 0] if batch.ndim == 2 and name == "compound" else batch
            windows = side.rows.windows
            chosen = None
            if windows is not None and seeds is not None:
                chosen = side.view.window(windows.shape, (seeds[:, 0] if pairs.ndim < seeds.ndim else seeds).ravel())
            if windows is None or chosen is None:
                arrays = [side.rows.read(pairs.ravel())]
            else:
                arrays = [windows.read(pairs.ravel(), *chosen)]
            arrays += [] if side.rows.context is None else [side.rows.context[pairs.ravel()]]
            read[name] = tuple(as_tensor(array, self.pin_memory).unflatten(0, pairs.shape) for array in arrays)
        rows = batch.reshape(len(batch), -1)
        codes = {"unit": self.data.compound_codes[rows[:, 0]]} if "unit" in self.needs else {}
        if "plate" in self.needs:
            plates = self.data.plates
            codes["plate"] = np.zeros_like(rows) if plates is None else plates[rows]
        return read | {name: (as_tensor(array.astype(np.int64), self.pin_memory),) for name, array in codes.items()}

    def micro_batches(
        self, step: int, batch: np.ndarray, arrays: Arrays, device: torch.device
    ) -> list[Callable[[], dict[str, torch.Tensor]]]:
        """Divide this device's part of a batch; each call of a micro-batch gives the same inputs of the model, by name.

        Parameters
        ----------
        step
            Number of the step.
        batch
            Pairs of the batch, over all devices.
        arrays
            What :meth:`load` or :meth:`read` returned for this device's part.
        """
        seeds = self._seeds(step, batch)
        # Each piece holds at least two pairs, since a single pair has no batch statistics.
        pieces = min(-(-self.local_size // (self.config.micro_batch_size or self.local_size)), self.local_size // 2)
        split = {
            name: list(
                zip(*(tensor.to(device, non_blocking=True).tensor_split(pieces) for tensor in side), strict=True)
            )
            for name, side in arrays.items()
        }
        seeds_of_pieces = np.array_split(self.local_part(seeds), pieces)
        return [
            partial(self._inputs, {name: side[piece] for name, side in split.items()}, seeds_of_pieces[piece])
            for piece in range(pieces)
        ]

    def prepared(self, step: int, batch: np.ndarray, arrays: Arrays, device: torch.device) -> Prepared:
        """Copy a batch to the device and make its micro-batches; the parameters are those of :meth:`micro_batches`.

        A batch in one piece is also augmented. The pieces of a divided batch are augmented when the step needs them,
        since all of them together need more memory than the division is for.
        """
        arrays = {name: tuple(tensor.to(device, non_blocking=True) for tensor in side) for name, side in arrays.items()}
        pieces = self.micro_batches(step, batch, arrays, device)
        tensors = [tensor for side in arrays.values() for tensor in side]
        if len(pieces) == 1:
            inputs = pieces[0]()
            tensors += inputs.values()
            pieces = [lambda: inputs]
        return Prepared(pieces, tensors)

    def _seeds(self, step: int, batch: np.ndarray) -> np.ndarray:
        """Give each field its own seed, so that its crop does not depend on the device or the micro-batch."""
        return np.random.SeedSequence([self.seed, 3, step]).generate_state(batch.size).reshape(batch.shape)

    def layer_seed(self, step: int) -> int:
        """Seed of the random draws of layers on this device, such as dropout."""
        return int(np.random.SeedSequence([self.seed, 4, step, self.rank]).generate_state(1)[0])

    def _inputs(self, arrays: Arrays, seeds: np.ndarray) -> dict[str, torch.Tensor]:
        inputs = {}
        for name, side in self.data.sides.items():
            tensors, row_seeds = arrays[name], seeds
            if seeds.ndim == 2 and name == "compound":
                row_seeds = seeds[:, 0]
            elif seeds.ndim == 2:
                tensors, row_seeds = tuple(tensor.flatten(0, 1) for tensor in tensors), seeds.ravel()
            inputs[name] = side.view.augment(tensors[0], row_seeds, *tensors[1:])
        return inputs | {name: tensors[0] for name, tensors in arrays.items() if name not in inputs}
