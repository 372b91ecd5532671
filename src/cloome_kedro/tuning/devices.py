"""Share of each worker in the GPUs and cores of this machine."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


def visible_gpus() -> list[str]:
    """Find the GPUs that this process sees, named as in CUDA_VISIBLE_DEVICES, without loading torch."""
    variable = os.environ.get("CUDA_VISIBLE_DEVICES")
    if variable is not None:
        return [name.strip() for name in variable.split(",") if name.strip() not in ("", "-1")]
    try:
        listing = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [str(index) for index in range(sum(line.startswith("GPU ") for line in listing.stdout.splitlines()))]


def device_name() -> str:
    """Name of the devices of this process: ``cuda:`` and the visible GPUs, or ``cpu``."""
    gpus = visible_gpus()
    return f"cuda:{','.join(gpus)}" if gpus else "cpu"


def environments(workers: int) -> list[dict[str, str]]:
    """Environment variables of each worker, which deal out the visible GPUs in turn and divide the cores."""
    gpus = visible_gpus()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, cores // workers)))}
    if not gpus:
        return [threads] * workers
    shares = [gpus[worker::workers] or [gpus[worker % len(gpus)]] for worker in range(workers)]
    return [threads | {"CUDA_VISIBLE_DEVICES": ",".join(share)} for share in shares]


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables inside the block, for processes that are started there."""
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
