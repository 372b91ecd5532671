"""Writing under a temporary name, then renaming: a killed run leaves nothing half-written under its final name."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a path beside ``path``, with its suffix, whose file takes the place of ``path`` when the block ends well.

    Files left by processes that no longer run on this machine are removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_parts(path)
    part = part_of(path)
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Temporary name beside ``path``, with its suffix.

    It has the number of this process: a process that outlives a killed run does not write into the next run's file.
    """
    return path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")


def remove_parts(path: Path, of_running: bool = False) -> None:
    """Remove temporary files of ``path`` whose processes have ended, with ``of_running`` also those of other ones."""
    for left in path.parent.glob(f".{escape(path.stem)}.*.part{escape(path.suffix)}"):
        # a file whose stem begins with that of ``path`` and a dot leaves more than a number here
        process = left.name.removeprefix(f".{path.stem}.").removesuffix(f".part{path.suffix}")
        if process.isdecimal() and (of_running or not _runs(int(process))):
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 ends the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside ``folder`` that takes its place when the block ends well.

    A folder cannot be replaced in one step, so the old one is moved aside first: a kill between the two leaves it
    complete, under the name ``.<name>.old``.
    """
    part, old = folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.replace(folder, old)
        os.replace(part, folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)
