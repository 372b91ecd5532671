"""Time and memory of a part of a run."""

import time
from contextlib import suppress
from pathlib import Path

_PROCESS = Path("/proc/self")


class Meter:
    """Measures from when it is made.

    The peak of the memory is that of this process, from its Linux counters, which this class sets back. Memory is not
    measured on other systems.
    """

    def __init__(self) -> None:
        with suppress(OSError):
            (_PROCESS / "clear_refs").write_text("5")  # sets back the peak
        self._before = _memory("VmRSS")
        self._start = time.perf_counter()

    def read(self) -> dict[str, float]:
        """Seconds, number of cores that this process may use, and bytes of memory before and at the peak (if known).

        >>> sorted(Meter().read())[0]
        'cores'
        """
        from cloome_kedro.parallel import cores

        found: dict[str, float] = {"seconds": time.perf_counter() - self._start, "cores": cores()}
        peak = _memory("VmHWM")
        if peak is not None and self._before is not None:
            found |= {"memory_before": self._before, "memory": max(peak, self._before)}
        return found


def _memory(counter: str) -> int | None:
    with suppress(OSError):
        for line in (_PROCESS / "status").read_text().splitlines():
            if line.startswith(f"{counter}:"):
                return 1024 * int(line.split()[1])
    return None
