"""Processes on several machines that train one model together, started by torchrun.

The first process runs the study, or any program that calls :func:`cloome_kedro.learning.fit.fit`. The others wait for
its trainings, and take part in those with several devices. They read and write nothing else.
"""

import atexit
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import ClusterEnvironment
from torch import nn
from torch.distributed import PrefixStore, Store

from cloome_kedro.learning.config import FitConfig

logger = logging.getLogger(__name__)

_END, _LEFT = "end", "left"  # keys of the store
_PATIENCE = timedelta(hours=12)  # for a message of another process, such as after a validation
_POLL_SECONDS, _LEAVE_SECONDS = 0.2, 20.0
#: what torchrun tells a process, and what a child of this process must not take for itself
_VARIABLES = ("RANK", "LOCAL_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID")

_team: "Team | None" = None


@dataclass
class Team:
    """The processes that torchrun started.

    Attributes
    ----------
    rank, local_rank, node
        Number of this process over all machines and on its machine, and number of its machine.
    size
        Number of processes.
    store
        Small messages between the processes.
    """

    rank: int
    local_rank: int
    node: int
    size: int
    store: Store
    _trainings: int = field(default=0, init=False)

    @cached_property
    def _group(self) -> None:
        """Connect the processes; they stay connected to the end."""
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        torch.distributed.init_process_group(
            backend, store=PrefixStore("group", self.store), rank=self.rank, world_size=self.size, timeout=_PATIENCE
        )

    def check(self, config: FitConfig) -> None:
        """Check whether a training can use these processes.

        Raises
        ------
        ValueError
            If it needs several processes, but not as many as there are.
        """
        if config.processes not in (1, self.size):
            raise ValueError(
                f"fit.nodes x fit.devices is {config.nodes} x {config.devices}, but torchrun started {self.size} "
                "processes: both must be the same number, or set nodes and devices of this model to 1"
            )

    def train(self, config: FitConfig, train: Callable[..., None], model: nn.Module) -> None:
        """Train in all processes; only the first one calls this."""
        self.store.set(_training(self._trainings), "")
        self._take_part((config, train, model))

    def follow(self) -> None:
        """Take part in the trainings of the first process, until it ends."""
        while True:
            if self.store.check([_training(self._trainings)]):
                self._take_part(None)
            elif self.store.check([_END]):
                break
            else:
                time.sleep(_POLL_SECONDS)
        self._leave()
        self.store.add(_LEFT, 1)

    def end(self) -> None:
        """Let the others end; the first process calls this when it ends."""
        self.store.set(_END, "")
        deadline = time.monotonic() + _LEAVE_SECONDS
        while self.store.add(_LEFT, 0) < self.size - 1 and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS / 4)
        self._leave()

    def _take_part(self, job: Any) -> None:
        self._trainings += 1
        _ = self._group
        jobs = [job]
        torch.distributed.broadcast_object_list(jobs, src=0, device=torch.device("cpu"))
        config, train, model = jobs[0]
        fabric_of(config).launch(train, model)

    @staticmethod
    def _leave() -> None:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


class _Environment(ClusterEnvironment):
    """What lightning-fabric asks about processes that are already there."""

    def __init__(self, team: Team):
        super().__init__()
        self._team = team

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return os.environ["MASTER_ADDR"]

    @property
    def main_port(self) -> int:
        return int(os.environ["MASTER_PORT"])

    @staticmethod
    def detect() -> bool:
        return _team is not None

    def world_size(self) -> int:
        return self._team.size

    def set_world_size(self, size: int) -> None:
        pass

    def global_rank(self) -> int:
        return self._team.rank

    def set_global_rank(self, rank: int) -> None:
        pass

    def local_rank(self) -> int:
        return self._team.local_rank

    def node_rank(self) -> int:
        return self._team.node


def team() -> Team | None:
    """The processes that torchrun started, in which this one is the first; None if it runs alone."""
    return _team


def start() -> None:
    """Join the processes that torchrun started.

    In the first process it returns at once. In the others it takes part in trainings until the first process ends, and
    then raises SystemExit. Without torchrun, or with one process, it does nothing.
    """
    global _team
    if _team is not None or "TORCHELASTIC_RUN_ID" not in os.environ or int(os.environ["WORLD_SIZE"]) < 2:
        return
    store, rank, size = next(torch.distributed.rendezvous("env://"))
    _team = Team(rank, int(os.environ["LOCAL_RANK"]), int(os.environ.get("GROUP_RANK", 0)), size, store)
    for name in _VARIABLES:
        os.environ.pop(name, None)
    if rank == 0:
        logger.info("trainings with several devices use %d processes", size)
        atexit.register(_team.end)
        return
    _team.follow()
    raise SystemExit(0)


def fabric_of(config: FitConfig) -> Fabric:
    """Fabric of a training. Several processes are those of torchrun, or else they are started at the launch.

    Raises
    ------
    ValueError
        If the training is to use several machines, but torchrun has not started processes, or not as many.
    """
    arguments: dict[str, Any] = {"devices": config.devices, "strategy": config.strategy}
    if _team is not None:
        _team.check(config)
        if config.processes > 1:
            arguments |= {"num_nodes": config.nodes, "strategy": "ddp", "plugins": [_Environment(_team)]}
    elif config.nodes > 1:
        raise ValueError(
            f"fit.nodes is {config.nodes}: start the same command with torchrun on each machine (see "
            "docs/how-to/training.md, Several machines), or set nodes to 1"
        )
    elif config.devices > 1:
        arguments["strategy"] = "ddp_spawn"
    return Fabric(accelerator=config.accelerator, precision=config.precision, **arguments)


def launch(config: FitConfig, train: Callable[..., None], model: nn.Module) -> None:
    """Train a model: ``train(fabric, model)`` runs in the process of each device."""
    if _team is not None and config.processes > 1:
        _team.check(config)
        _team.train(config, train, model)
    else:
        fabric_of(config).launch(train, model)


def _training(number: int) -> str:
    """Key of the store that says that a training begins."""
    return f"training {number}"
