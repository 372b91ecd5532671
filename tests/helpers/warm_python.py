"""Runs Python modules in copies of one process that has imported large libraries of others already.

Importing them takes most of the time of a short `kedro` command. Only libraries that the project depends on are
imported in advance, never Kedro nor the project: a copied project brings its own `src`. Where a process cannot be
copied (`os.fork`), a new one is started for each command.
"""

import atexit
import gc
import importlib
import importlib.metadata
import inspect
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
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
    *("click", "dynaconf", "pathspec", "pluggy", "requests", "rich.logging", "rich.traceback", "hypothesis"),
    *("sqlalchemy.orm", "flask", "fsspec.implementations.local", "attrs", "filelock", "parse", "tomli_w"),
)


def run(module: str, *arguments: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess:
    """Run ``python -m module`` with arguments in a folder, and return its exit status and what it printed."""
    with tempfile.TemporaryDirectory() as printed:
        paths = [Path(printed) / name for name in ("stdout", "stderr")]
        if hasattr(os, "fork"):
            status = _ask("run", [module, *arguments], str(folder), environment, [str(path) for path in paths])
        else:
            with paths[0].open("wb") as out, paths[1].open("wb") as err:
                command = [sys.executable, "-m", module, *arguments]
                status = subprocess.run(command, cwd=folder, env=environment, stdout=out, stderr=err).returncode
        texts = [path.read_bytes().decode(errors="replace") for path in paths]
    return subprocess.CompletedProcess([module, *arguments], status, *texts)


class Started:
    """A command in the background. It prints nowhere.

    Attributes
    ----------
    returncode
        Exit status, or the negative number of the signal that ended the process; None as long as it runs.
    """

    def __init__(self, module: str, *arguments: str, folder: Path, environment: dict[str, str]):
        self.returncode: int | None = None
        command, nowhere = [module, *arguments], [os.devnull, os.devnull]
        self._process = None
        if hasattr(os, "fork"):
            self.pid = _ask("start", command, str(folder), environment, nowhere)
        else:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            command = [sys.executable, "-m", *command]
            self._process = subprocess.Popen(command, cwd=folder, env=environment, **quiet)
            self.pid = self._process.pid

    def poll(self) -> int | None:
        """Return the exit status if the process has ended."""
        if self.returncode is None:
            self.returncode = self._process.poll() if self._process else _ask("poll", self.pid)
        return self.returncode

    def kill(self) -> None:
        """End the process at once."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL) if self._process is None else self._process.kill()

    def wait(self) -> int:
        """Wait for the end of the process, and return its exit status."""
        while self.poll() is None:
            time.sleep(0.05)
        return self.returncode


def _ask(*request) -> int | None:
    server = _server()
    server.stdin.write(json.dumps(request).encode() + b"\n")
    server.stdin.flush()
    answer = server.stdout.readline()
    if not answer:
        raise RuntimeError(f"the process that runs commands has ended with status {server.wait()}")
    return json.loads(answer)


@cache
def _server() -> subprocess.Popen:
    server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    atexit.register(server.communicate)
    return server


def _serve() -> None:
    """Answer each line of standard input: run a command, start one, or tell whether it has ended."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints while it is imported is no answer
    for name in LIBRARIES:
        with suppress(ImportError):  # of an extra that is not installed
            importlib.import_module(name)
    _hurry()
    for line in requests:
        kind, *request = json.loads(line)
        answer = _poll(*request) if kind == "poll" else _start(*request, opened=(requests, answers))
        if kind == "run":
            answer = os.waitstatus_to_exitcode(os.waitpid(answer, 0)[1])
        answers.write(f"{json.dumps(answer)}\n".encode())
        answers.flush()


def _hurry() -> None:
    """Let the copies save time with what no test looks at."""
    # Kedro's settings ask for the names of files of the stack, not for lines of code.
    stack = inspect.stack
    inspect.stack = lambda context=0: stack(context)
    for name in ("runpy", "importlib._bootstrap", "importlib._bootstrap_external"):
        inspect.modulesbyfile[f"<frozen {name}>"] = name
    # Plugins are looked for several times, each time in all packages.
    importlib.metadata.entry_points = cache(importlib.metadata.entry_points)
    os.fsync = lambda descriptor: None  # no power failure is tested
    gc.collect()
    gc.freeze()  # searches for garbage pass over the libraries


def _start(*request, opened) -> int:
    child = os.fork()
    if not child:
        for file in opened:
            file.close()
        _become(*request)
    return child


def _poll(child: int) -> int | None:
    ended, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


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
