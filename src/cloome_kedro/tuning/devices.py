"""Which of this machine's devices a worker sees."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


def visible_gpus() -> list[str]:
    """NVIDIA devices that this process sees, as CUDA_VISIBLE_DEVICES names them; torch is not asked, nor loaded."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    try:
        done = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [str(index) for index in range(sum(line.startswith("GPU ") for line in done.stdout.splitlines()))]


def device_name() -> str:
    """``cuda:`` and the visible devices, or ``cpu``."""
    gpus = visible_gpus()
    return f"cuda:{','.join(gpus)}" if gpus else "cpu"


def environments(workers: int) -> list[dict[str, str]]:
    """Environment variables that give each worker its share: of the visible devices in turn, and of the cores."""
    gpus = visible_gpus()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, cores // workers)))}
    if not gpus:
        return [threads] * workers
    shares = [gpus[worker::workers] or [gpus[worker % len(gpus)]] for worker in range(workers)]
    return [threads | {"CUDA_VISIBLE_DEVICES": ",".join(share)} for share in shares]


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the processes that are started within."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
