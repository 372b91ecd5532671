"""Runs Python modules in copies of one process that has imported large libraries of others already.

Importing them takes most of the time of a short `kedro` command. Only libraries that the project depends on are
imported in advance, never Kedro nor the project: a copied project brings its own `src`. Where a process cannot be
copied (`os.fork`), a new one is started for each command.
"""

import atexit
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

LIBRARIES = (
    *("torch", "torchvision.transforms.v2", "lightning_fabric", "safetensors.torch"),
    *(
        "pandas",
        "pyarrow.parquet",
        "pyarrow.dataset",
        "pandera.pandas",
        "scipy.stats",
        "scipy.sparse",
        "scipy.optimize",
    ),
    *("sklearn.linear_model", "sklearn.metrics", "sklearn.decomposition", "sklearn.manifold"),
    *("matplotlib.pyplot", "seaborn", "rdkit.Chem.AllChem", "rdkit.Chem.Draw", "chembl_structure_pipeline"),
    *("pycytominer", "optuna", "skimage.measure", "tifffile", "PIL.Image", "joblib", "jinja2", "pydantic", "omegaconf"),
)


def run(module: str, *arguments: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess:
    """Run ``python -m module`` with arguments in a folder, and return its exit status and what it printed."""
    with tempfile.TemporaryDirectory() as printed:
        paths = [Path(printed) / name for name in ("stdout", "stderr")]
        if hasattr(os, "fork"):
            status = _ask([module, *arguments], str(folder), environment, [str(path) for path in paths])
        else:
            with paths[0].open("wb") as out, paths[1].open("wb") as err:
                command = [sys.executable, "-m", module, *arguments]
                status = subprocess.run(command, cwd=folder, env=environment, stdout=out, stderr=err).returncode
        texts = [path.read_bytes().decode(errors="replace") for path in paths]
    return subprocess.CompletedProcess([module, *arguments], status, *texts)


def _ask(*request) -> int:
    server = _server()
    server.stdin.write(json.dumps(request).encode() + b"\n")
    server.stdin.flush()
    answer = server.stdout.readline()
    if not answer:
        raise RuntimeError(f"the process that runs commands has ended with status {server.wait()}")
    return int(answer)


@cache
def _server() -> subprocess.Popen:
    server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    atexit.register(server.communicate)
    return server


def _serve() -> None:
    """Answer each line of standard input, a request, with the exit status of the command."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints while it is imported is no answer
    for name in LIBRARIES:
        with suppress(ImportError):  # of an extra that is not installed
            importlib.import_module(name)
    for line in requests:
        child = os.fork()
        if not child:
            requests.close()
            answers.close()
            _become(*json.loads(line))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answers.write(f"{status}\n".encode())
        answers.flush()


def _become(command: list[str], folder: str, environment: dict[str, str], printed: list[str]) -> None:
    """Be the process of a command until it ends."""
    for number, path in zip((0, 1, 2), (os.devnull, *printed), strict=True):
        opened = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command.copy()
    sys.path[0] = folder
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    sys.exit()


if __name__ == "__main__":
    _serve()
