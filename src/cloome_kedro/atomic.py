"""Write under a temporary name, then rename, so that a killed run leaves no incomplete file under the final name.

Files are on the disk (fsync) before they are renamed, so that this also holds for a power failure.
"""

import hashlib
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

#: name of a temporary file, with the number of its process and the machine
_PART = re.compile(r"\..*\.(?P<process>\d+)(?:-(?P<machine>[0-9a-f]{8}))?\.part(\..*)?", re.DOTALL)
_LEFT_AFTER_SECONDS = 86_400  # a process of another machine has ended if it has not written for this time


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Replace a file as a whole.

    The block gets the path of a temporary file in the same folder, with the same suffix. This file replaces ``path`` if
    the block ends without an error. Temporary files of processes that have ended are removed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with replace_file(Path(folder, "table.csv")) as part:
    ...         _ = part.write_text("a,b")
    ...     Path(folder, "table.csv").read_text()
    'a,b'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_parts(path)
    part = part_of(path)
    try:
        yield part
        flush(part)
        os.replace(part, path)
        flush(path.parent, content=False)
    finally:
        part.unlink(missing_ok=True)


def flush(path: Path, content: bool = True) -> None:
    """Wait until a file is on the disk and not only in the memory of the system (fsync).

    Parameters
    ----------
    path
        File or folder.
    content
        Whether the files of a folder are flushed, too. Otherwise only its list of names is.
    """
    if path.is_dir():
        for child in path.iterdir() if content else ():
            flush(child)
        if os.name == "posix":
            with suppress(OSError):  # some network file systems cannot flush a folder
                _fsync(path, os.O_RDONLY)
    else:
        _fsync(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def part_of(path: Path) -> Path:
    """Path of the temporary file of ``path``: in the same folder, with the same suffix.

    The name contains the number of this process and eight digits for this machine, since machines can share a folder. A
    process that outlives a killed run therefore does not write into the file of the next run.
    """
    return path.with_name(f".{path.stem}.{os.getpid()}-{_machine()}.part{path.suffix}")


def _machine() -> str:
    return hashlib.blake2s(socket.gethostname().encode(), digest_size=4).hexdigest()


def remove_parts(path: Path, include_running: bool = False) -> None:
    """Remove temporary files of ``path``.

    Parameters
    ----------
    path
        The final path.
    include_running
        Whether files of running processes are removed, too. Otherwise only those of ended processes are.
    """
    for part in path.parent.glob(f".{escape(path.stem)}.*.part{escape(path.suffix)}"):
        # The pattern also matches temporary files of "P1.2.npy" for the path "P1.npy": there a dot is in this text.
        process = part.name.removeprefix(f".{path.stem}.").removesuffix(f".part{path.suffix}")
        if "." not in process and is_part(part) and (include_running or is_left(part)):
            part.unlink(missing_ok=True)


def is_part(path: Path) -> bool:
    """Whether a file has the name of a temporary file; see `part_of`."""
    return bool(_PART.fullmatch(path.name))


def is_left(part: Path) -> bool:
    """Whether the process that wrote a temporary file has ended.

    If it ran on another machine, this is not known. Then it has ended if it has not written for a day.
    """
    found = _PART.fullmatch(part.name)
    if found is None:
        return False
    if found["machine"] in (None, _machine()):
        return not is_running(int(found["process"]))
    try:
        return time.time() - part.stat().st_mtime > _LEFT_AFTER_SECONDS
    except FileNotFoundError:
        return False


def is_running(process: int) -> bool:
    """Whether a process with this number runs on this machine. On systems other than POSIX the answer is always yes."""
    if os.name != "posix":  # on other systems, signal 0 would end the process
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
    """Replace a folder as a whole.

    The block gets the path of an empty folder beside ``folder``. It replaces ``folder`` if the block ends without an
    error. A folder cannot be replaced in one step, so the old folder is renamed first. If the process is killed between
    the two steps, the complete old folder is still there under the name ``.<name>.old``.
    """
    part, old = folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        flush(part)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.replace(folder, old)
        os.replace(part, folder)
        flush(folder.parent, content=False)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)
