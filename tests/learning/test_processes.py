"""Trainings on several machines: two agents of torchrun on this one, with a process each, over gloo."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cloome_kedro.learning import processes
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.fit import _digest
from cloome_kedro.learning.loop import Recipe
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.validation import Validation
from planted import CONFIG, Planted, fresh, top1

HELPERS = Path(__file__).parents[1] / "helpers"
SHORT = replace(CONFIG, epochs=2)
SCRIPT = """
import os, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {helpers!r})
import torch
torch.set_num_threads(1)
folder, node = Path({folder!r}), os.environ["GROUP_RANK"]
from cloome_kedro.learning.processes import start
start()
(folder / f"node {{node}} goes on").touch()
from cloome_kedro.learning.state import FitState
from planted import CONFIG, Planted
both = replace(CONFIG, epochs=2, nodes=2)
Planted().fit(FitState(folder / "alone"), replace(CONFIG, epochs=1), progress=False)
Planted().fit(FitState(folder / "both"), both, progress=False)
Planted().fit(FitState(folder / "again"), replace(both, epochs=1), progress=False)
"""


def torchrun(*command: str, **environment: str) -> list[subprocess.CompletedProcess]:
    """Run a command as two machines with a process each would; return what the two agents end with."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", str(port)]
    run = [sys.executable, "-m", "torch.distributed.run", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    agents = [
        subprocess.Popen([*run, "--node-rank", str(node), *command], text=True, stderr=subprocess.PIPE, env=environment)
        for node in (0, 1)
    ]
    return [subprocess.CompletedProcess(agent.args, agent.wait(), stderr=agent.stderr.read()) for agent in agents]


@pytest.mark.slow
def test_two_machines_train_as_two_devices_do(tmp_path):
    (path := tmp_path / "train.py").write_text(SCRIPT.format(helpers=str(HELPERS), folder=str(tmp_path)))
    for done in torchrun(str(path)):
        assert done.returncode == 0, done.stderr[-3000:]
    assert [path.name for path in tmp_path.glob("node *")] == ["node 0 goes on"]  # the other one only takes part
    # The same training in two devices of one machine has the same digest, and gives the same weights.
    (done,) = (tmp_path / "both").iterdir()
    found = torch.load(done, weights_only=True)
    planted = Planted()
    result = planted.fit(FitState(tmp_path / "both"), replace(SHORT, devices=2), progress=False)
    assert result.reused
    expected = Planted().fit(FitState(tmp_path / "devices"), replace(SHORT, devices=2), progress=False)
    for row, other in zip(found["history"], expected.history, strict=True):
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=1e-4)
        assert row["validation_top1"] == pytest.approx(other["validation_top1"], abs=1 / 64)
    assert found["history"][-1]["train_loss"] < found["history"][0]["train_loss"]
    assert all(list((tmp_path / name).glob("*.done.pt")) for name in ("alone", "again"))


def test_without_torchrun_one_machine_trains(monkeypatch, tmp_path):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    processes.start()
    assert processes.team() is None
    with pytest.raises(ValueError, match=r"fit.nodes is 2: start the same command with torchrun"):
        Planted().fit(FitState(tmp_path), replace(CONFIG, nodes=2))


def test_processes_that_do_not_fit_are_refused(monkeypatch, tmp_path):
    team = processes.Team(0, 0, 0, size=4, store=SimpleNamespace())
    monkeypatch.setattr(processes, "_team", team)
    with pytest.raises(ValueError, match=r"fit.nodes x fit.devices is 2 x 1, but torchrun started 4 processes"):
        Planted().fit(FitState(tmp_path), replace(CONFIG, nodes=2))
    assert processes.fabric_of(CONFIG).world_size == 1  # a model for one device is trained by the first process alone


def test_two_machines_with_one_device_count_as_one_with_two():
    def digest(**changes):
        recipe = Recipe(InfoNCE(), replace(CONFIG, **changes), seed=0)
        return _digest(fresh(), Planted().data(), recipe, Validation(top1))

    assert digest(nodes=2) == digest(devices=2) != digest()
    assert FitConfig(nodes=2, devices=3, batch_size=12).processes == 6
    with pytest.raises(ValueError, match="batch_size must be a multiple of devices"):
        FitConfig(nodes=3, batch_size=64)
