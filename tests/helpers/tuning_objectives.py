"""What trials of searches in tests do: importable by name, so that worker processes find it too."""

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from cloome_kedro.tuning.config import SearchConfig
from cloome_kedro.tuning.queue import claim
from cloome_kedro.tuning.search import Outcome
from cloome_kedro.tuning.space import Dimension, Space
from cloome_kedro.tuning.store import StudyStore
from cloome_kedro.tuning.worker import Question, Search

GRID = Space(
    {
        "rate": Dimension(choices=(1, 2, 3, 4)),
        "objective": Dimension(choices=("info_nce", "info_loob")),
        "beta": Dimension(choices=(8, 14.3), when={"objective": "info_loob"}),
    }
)
RANGES = Space(
    {"rate": Dimension(log_uniform=(1e-3, 1.0)), **{n: d for n, d in GRID.dimensions.items() if n != "rate"}}
)


def searched(store: StudyStore, objective=None, config=None, name="s", first=(), identity=None, space=GRID) -> Search:
    """A search of the grid in a store."""
    return Search(store, name, Question(space, first, objective, identity or {}), config or SearchConfig())


def value_of(point) -> float:
    return point["rate"] + point.get("beta", 0) / 100


@dataclass(frozen=True)
class Recorded:
    """Write down which point was tried, in which process; then do what is asked for at some points."""

    log: Path
    seconds: float = 0.0
    fails_at: tuple = ()
    killed_at: dict | None = None
    kills: int = 1

    def __call__(self, point, folder, report):
        with self.log.open("a") as file:
            file.write(json.dumps([os.getpid(), point, sorted(path.name for path in folder.iterdir())]) + "\n")
        (folder / "state").touch()
        if point == self.killed_at and sum(tried == point for tried in self.tried) <= self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds)
        if point["rate"] in self.fails_at:
            raise RuntimeError("out of memory\nand more")
        for epoch in range(2):
            if report(epoch, value_of(point) * (epoch + 1)):
                return Outcome(value_of(point) * (epoch + 1), True, {"epoch": epoch})
        return Outcome(value_of(point) * 2, False, {"epoch": 1})

    @property
    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    @property
    def tried(self):
        return [point for _, point, _ in self.lines]


def claim_all(store: StudyStore, start, log: Path) -> None:
    """Take every trial that waits, and write down their numbers."""
    study = searched(store).open()
    start.wait()
    numbers = []
    while trial := claim(study, study._storage):
        numbers.append(trial.number)
    log.write_text(json.dumps(numbers))
