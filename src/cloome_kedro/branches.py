"""Branches of a pipeline, such as the splits of a study, which do not depend on each other and run at the same time.

Some steps of a study use one core. On several cores, two splits at the same time therefore take much less time than one
after the other.
"""

import logging
import multiprocessing
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial, partialmethod
from typing import Any, Protocol

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

_log = logging.getLogger(__name__)

#: files of which one exists where there is a GPU: of NVIDIA, AMD and Intel, and of Windows under WSL
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dri", "/dev/dxg")


class Splits:
    """Knows the splits of the environment, and how many of them may run at the same time."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.at_once = 1

    @hook_impl
    def after_context_created(self, context) -> None:
        loader = context.config_loader
        self.names = loader["globals"]["splits"]
        self.at_once = (loader["parameters"].get("parallel") or {}).get("splits", 1)


class HandsOver(Protocol):
    """A hook that tells another process of the same run what it has seen."""

    def hand_over(self) -> Any:
        """What this hook has seen; it can be pickled."""

    def take_over(self, seen: Any) -> None:
        """Add what the hook has seen in another process."""


@dataclass(frozen=True)
class Branches:
    """A pipeline in three parts, which run one after the other.

    Attributes
    ----------
    before
        Nodes that run first.
    branches
        Name -> nodes that depend on no other branch.
    after
        Nodes that depend on branches.
    """

    before: Pipeline
    branches: Mapping[str, Pipeline]
    after: Pipeline


def find_branches(pipeline: Pipeline, names: Iterable[str]) -> Branches:
    """Divide a pipeline into branches, each with the nodes of one namespace.

    Parameters
    ----------
    pipeline
        The nodes.
    names
        Namespaces at the top level. Those without nodes are left out.

    Returns
    -------
    Branches
        There are none if a branch depends on another one, or on a node that does.
    """
    wanted = set(names)
    nodes: dict[str, list[str]] = {}
    for node in pipeline.nodes:
        if (name := (node.namespace or "").partition(".")[0]) in wanted:
            nodes.setdefault(name, []).append(node.name)
    inside = {node for members in nodes.values() for node in members}
    following = _names(pipeline.from_nodes(*inside)) - inside if inside else set()
    for members in nodes.values():
        if _names(pipeline.to_nodes(*members)) & ((inside - set(members)) | following):
            return Branches(pipeline, {}, Pipeline([]))
    first = _names(pipeline) - inside - following
    parts = {name: pipeline.filter(node_names=members) for name, members in nodes.items()}
    before, after = (pipeline.filter(node_names=part) if part else Pipeline([]) for part in (first, following))
    return Branches(before, parts, after)


def _names(pipeline: Pipeline) -> set[str]:
    return {node.name for node in pipeline.nodes}


def number_at_once(splits: Splits, branches: Iterable[str]) -> int:
    """How many branches run at the same time: 1 if a GPU is found, because each training uses all GPUs."""
    from cloome_kedro.parallel import cores  # it imports joblib, which a short run does without

    number = min(splits.at_once, len(list(branches)), cores())
    # A forked process can use the libraries only on Linux. Processes of torchrun train together.
    if number < 2 or sys.platform != "linux" or "TORCHELASTIC_RUN_ID" in os.environ:
        return 1
    if not any(map(os.path.exists, _GPU_DEVICES)):  # to import torch here would delay the first node
        return number
    import torch

    return 1 if torch.accelerator.is_available() else number


class BranchProcess:
    """A process for branches that is forked now, waits, and runs them when it is told to.

    A process must be forked before this one computes with several threads: the thread pool of OpenMP does not outlive
    a fork.

    Parameters
    ----------
    label
        What runs, for messages.
    work
        Runs the branches.
    hooks
        Tell the process what they have seen before it begins, and this process what they have seen there.
    """

    def __init__(self, label: str, work: Callable[[], None], hooks: Sequence[HandsOver]):
        context = multiprocessing.get_context("fork")
        self.label, self._hooks = label, hooks
        self._connection, other_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(other_end, self._connection, label, work, hooks))
        self._process.start()
        other_end.close()

    def begin(self) -> None:
        """Let the branches run."""
        with suppress(BrokenPipeError):  # the process was killed, which `wait` says
            self._connection.send([hook.hand_over() for hook in self._hooks])

    def wait(self) -> BaseException | None:
        """Wait for the branches, and let the hooks take over what they have seen there. Return the error, if any."""
        try:
            seen, error = self._connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            return RuntimeError(
                f"the process that ran {self.label} has ended with exit status {self._process.exitcode}. If the memory "
                "was too small for several splits at the same time, set parallel.splits: 1"
            )
        _take_over(self._hooks, seen)
        return error

    def stop(self) -> None:
        """End the process, if it still runs. A training keeps its state first."""
        self._connection.close()
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()


def _serve(connection: Any, other_end: Any, label: str, work: Callable[[], None], hooks: Sequence[HandsOver]) -> None:
    """What the forked process does."""
    from cloome_kedro.parallel import end_with

    other_end.close()
    end_with(os.getppid())
    _hide_bars()
    error = None
    try:
        seen = connection.recv()
    except EOFError:  # the run has failed before its branches
        return
    try:
        _take_over(hooks, seen)
        work()
    except BaseException as raised:
        _log.error("%s has failed: %s", label, raised)
        error = _picklable(raised)
    connection.send(([hook.hand_over() for hook in hooks], error))


def _import_libraries() -> None:
    """Import what all branches need, while the common nodes run in the other process."""
    import sklearn.utils  # noqa: F401
    import torch  # noqa: F401


def _take_over(hooks: Sequence[HandsOver], seen: Sequence[Any]) -> None:
    for hook, part in zip(hooks, seen, strict=True):
        hook.take_over(part)


def _hide_bars() -> None:
    """Draw no progress bars: those of two processes would overwrite each other."""
    from tqdm.std import tqdm

    nowhere = open(os.devnull, "w")  # noqa: SIM115  until the process ends
    tqdm.__init__ = partialmethod(tqdm.__init__, file=nowhere)  # type: ignore[method-assign, assignment]


def _picklable(error: BaseException) -> BaseException:
    """The error, or a RuntimeError with its text if it does not survive pickling; with its traceback as a note."""
    note = "".join(traceback.format_exception(error))
    try:
        kept = pickle.loads(pickle.dumps(error))
    except Exception:  # whatever an error of a library raises here; its text and traceback are kept
        kept = RuntimeError(f"{type(error).__name__}: {error}")
    kept.add_note(note)
    return kept


def run_at_once(
    before: Callable[[], None], branches: Mapping[str, Callable[[], None]], number: int, hooks: Sequence[HandsOver]
) -> None:
    """Run branches in several processes, one of which is this one.

    If a branch fails, the other processes go on, and what they make is kept.

    Parameters
    ----------
    before
        Runs first, in this process.
    branches
        Name of each branch -> what runs it.
    number
        Number of processes. Each has its share of the cores, and runs its branches one after the other.
    hooks
        Learn what they have seen in other processes.

    Raises
    ------
    BaseException
        The first error of a branch, when all processes have ended.
    """
    labels = [", ".join(list(branches)[place::number]) for place in range(number)]
    lanes = [partial(_in_turn, list(branches.values())[place::number], number) for place in range(number)]
    with ExitStack() as stack:
        others = []
        for label, lane in zip(labels[1:], lanes[1:], strict=True):
            others.append(BranchProcess(label, lane, hooks))
            stack.callback(others[-1].stop)
        before()
        _log.info("at the same time: %s", "; ".join(labels))
        for other in others:
            other.begin()
        errors: list[BaseException] = []
        try:
            lanes[0]()
        except Exception as error:
            _log.error("%s has failed: %s", labels[0], error)
            errors.append(error)
        errors += filter(None, [other.wait() for other in others])
        if errors:
            raise errors[0]


def _in_turn(branches: Iterable[Callable[[], None]], share: int) -> None:
    """Run one branch after the other on ``1 / share`` of the cores."""
    from cloome_kedro.parallel import share_of_cores

    with share_of_cores(share):
        for run in branches:
            run()
