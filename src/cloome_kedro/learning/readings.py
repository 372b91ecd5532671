"""Numbers that a device computes in each step, read some steps late, so that the training loop never waits for them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
import torch.distributed
from lightning_fabric import Fabric

T = TypeVar("T")

#: steps whose numbers are read together; they are read before twice this number of further steps
STEPS = 10


@dataclass
class LateReadings(Generic[T]):
    """Numbers of steps that stay on the device until several are read in one go.

    The numbers of each ``steps`` steps are copied to the CPU together. The copy is read when the next one begins. By
    then it is usually complete, so neither the program nor the device waits.

    Attributes
    ----------
    steps
        Steps per copy.

    Examples
    --------
    >>> readings = LateReadings[int](steps=2)
    >>> for step in range(4):
    ...     readings.add(step, {"loss": torch.tensor(float(step))})
    ...     print(list(readings.arrived()))
    []
    []
    []
    [(0, {'loss': 0.0}), (1, {'loss': 1.0})]
    >>> list(readings.all())
    [(2, {'loss': 2.0}), (3, {'loss': 3.0})]
    """

    steps: int = STEPS
    _waiting: list[tuple[T, dict[str, torch.Tensor]]] = field(default_factory=list)
    _copied: "_Copy[T] | None" = None

    def add(self, step: T, values: Mapping[str, torch.Tensor]) -> None:
        """Add the numbers of a step: tensors without dimension, by name."""
        self._waiting.append((step, {name: value.detach() for name, value in values.items()}))

    def arrived(self) -> Iterator[tuple[T, dict[str, float]]]:
        """Yield the numbers of earlier steps if they are due, in the order of the steps."""
        if len(self._waiting) >= self.steps:
            earlier, self._copied, self._waiting = self._copied, _Copy(self._waiting), []
            yield from () if earlier is None else earlier.read()

    def all(self) -> Iterator[tuple[T, dict[str, float]]]:
        """Yield the numbers of all steps that were not read yet. The program waits until the device is ready."""
        copies = [self._copied, _Copy(self._waiting) if self._waiting else None]
        self._copied, self._waiting = None, []
        for copy in copies:
            yield from () if copy is None else copy.read()


class _Copy(Generic[T]):
    """Numbers of several steps on their way to the CPU."""

    def __init__(self, rows: list[tuple[T, dict[str, torch.Tensor]]]):
        self._rows = [(step, list(values)) for step, values in rows]
        values = torch.stack([value for _, values in rows for value in values.values()])
        self._event = None
        if values.is_cuda:
            self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._event = torch.cuda.current_stream(values.device).record_event()
        else:
            self._values = values

    def read(self) -> Iterator[tuple[T, dict[str, float]]]:
        if self._event is not None:
            self._event.synchronize()
        values = iter(self._values.tolist())
        for step, names in self._rows:
            yield step, {name: next(values) for name in names}


class Agreement:
    """Ask whether a condition is true in at least one process of a training. No GPU waits for the answer.

    Parameters
    ----------
    fabric
        Launched. All processes ask equally often.
    """

    def __init__(self, fabric: Fabric):
        # Small messages between the CPUs: a message between GPUs would wait for the work of the GPUs.
        self._group: Any = torch.distributed.new_group(backend="gloo") if fabric.world_size > 1 else None
        self._question: tuple[Any, torch.Tensor] | None = None

    def any(self, condition: bool) -> bool:
        """Whether the condition was true in any process. With several processes it is the answer to the last call."""
        if self._group is None:
            return condition
        answer = self._answer()
        if not answer:
            self._ask(condition)
        return answer

    def any_now(self, condition: bool) -> bool:
        """Whether the condition is true in any process, in this call or the last one. The processes wait."""
        if self._group is None:
            return condition
        before = self._answer()
        self._ask(condition or before)
        return self._answer()

    def _ask(self, condition: bool) -> None:
        flag = torch.tensor([float(condition)])
        work = torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX, self._group, async_op=True)
        self._question = work, flag

    def _answer(self) -> bool:
        if self._question is None:
            return False
        (work, flag), self._question = self._question, None
        work.wait()
        return flag.tolist() != [0.0]
