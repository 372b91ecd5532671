"""What each worker sees of the machine."""

import os
import subprocess

import pytest

from cloome_kedro.tuning import devices

LISTED = "GPU 0: NVIDIA H200 (UUID: GPU-1)\nGPU 1: NVIDIA H200 (UUID: GPU-2)\n"


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, stdout=LISTED, stderr="")
    )


@pytest.mark.parametrize(
    ("visible", "workers", "shares"),
    [
        (None, 2, ["0", "1"]),
        (None, 3, ["0", "1", "0"]),
        ("4,5, 6,7,8", 2, ["4,6,8", "5,7"]),
        ("GPU-2", 2, ["GPU-2", "GPU-2"]),
    ],
)
def test_devices_are_dealt_in_turn(monkeypatch, visible, workers, shares):
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = devices.environments(workers)
    assert [variables["CUDA_VISIBLE_DEVICES"] for variables in found] == shares
    assert {variables["OMP_NUM_THREADS"] for variables in found} == {str(8 // workers)}


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_without_devices_the_cores_are_shared(monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert devices.environments(3) == [{"OMP_NUM_THREADS": "2"}] * 3
    assert devices.device_name() == "cpu"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert devices.environments(2) == [{"OMP_NUM_THREADS": "1"}] * 2


def test_no_driver_no_device(monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError("nvidia-smi")

    monkeypatch.setattr(subprocess, "run", missing)
    assert devices.device_name() == "cpu"


def test_the_environment_is_put_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    with devices.environment({"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "3"}):
        assert devices.device_name() == "cuda:3"
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
