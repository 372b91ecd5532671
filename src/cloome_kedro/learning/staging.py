"""Batches on their way to the device: copied and prepared beside the training step that runs."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from cloome_kedro.learning.batches import timed

T = TypeVar("T")
P = TypeVar("P")

_AHEAD = 2  # steps that the program may be ahead of the device; each holds the memory of its batch


class Prepared(NamedTuple):
    """A batch on the device: what the step needs, and all tensors in it."""

    content: object
    tensors: list[torch.Tensor]


def staged(
    loaded: Iterable[T], prepare: Callable[[T], Prepared], device: torch.device
) -> Iterator[tuple[float, T, object]]:
    """Prepare each batch on the device: yield the seconds that the device waited for it, the batch, and its content.

    On a GPU, copies and augmentation run in a stream of their own, so that they take place while the GPU still computes
    the step before. The program is at most a few steps ahead of the GPU. On other devices, a batch is prepared when it
    is needed.

    Parameters
    ----------
    loaded
        Batches in page-locked memory of the CPU.
    prepare
        Copies a batch to the device and prepares it.
    device
        Device of the training.
    """
    batches = timed(iter(loaded))
    if device.type != "cuda":
        for waited, batch in batches:
            yield waited, batch, prepare(batch).content
        return
    side = torch.cuda.Stream(device)
    steps: deque[torch.cuda.Event] = deque()
    for waited, batch in batches:
        # If the GPU still computes, it did not wait for this batch.
        idle = not steps or steps[-1].query()
        with torch.cuda.stream(side):
            prepared = prepare(batch)
        stream = torch.cuda.current_stream(device)
        stream.wait_stream(side)
        for tensor in prepared.tensors:
            tensor.record_stream(stream)  # its memory is used again only after the step
        yield waited if idle else 0.0, batch, prepared.content
        steps.append(stream.record_event())
        if len(steps) > _AHEAD:
            steps.popleft().synchronize()


class LateOutput:
    """Copies results of batches to the CPU while the device computes the next batch.

    Parameters
    ----------
    target : (n, d) float32
        Array on the CPU that gets the results, one batch after the other.
    """

    def __init__(self, target: np.ndarray):
        self._target, self._waiting = target, deque[tuple[torch.Tensor, torch.cuda.Event | None]]()
        self.done = 0  # rows of the target that have their results

    def add(self, result: torch.Tensor) -> None:
        """Begin to copy the result of a batch (B, d)."""
        if result.is_cuda:
            copy = torch.empty(result.shape, dtype=torch.float32, pin_memory=True)
            copy.copy_(result, non_blocking=True)
            self._waiting.append((copy, torch.cuda.current_stream(result.device).record_event()))
        else:
            self._waiting.append((result.float().cpu(), None))
        if len(self._waiting) > (_AHEAD if result.is_cuda else 0):
            self._take()

    def finish(self) -> None:
        """Wait for all results."""
        while self._waiting:
            self._take()

    def _take(self) -> None:
        copy, event = self._waiting.popleft()
        if event is not None:
            event.synchronize()
        self._target[self.done : self.done + len(copy)] = copy.numpy()
        self.done += len(copy)
