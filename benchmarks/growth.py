"""Measure how time and memory of each step grow: at n, 4 n and 16 n fields, compounds, plates or assays.

python benchmarks/growth.py
python benchmarks/growth.py --only ranks probing --markdown

Each size is measured in a process of its own, after the step has run once on a small input. The time is processor time.
The memory is the peak that the step adds to what its inputs take. The exponents are slopes of lines through the
logarithms. Fixed costs and buffers of a fixed size lower them. ``planning.GROWTH`` has them for ``cloome plan``.
"""

import argparse
import importlib
import multiprocessing
import os
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from measuring import apart, exponent, machine, processor_seconds

from cloome_kedro.meter import Meter

FACTORS = (1, 4, 16)
COLUMNS = ("step", "grows with", "from, to", "time", "memory", "at the largest")


@dataclass(frozen=True)
class Series:
    """A step and what grows.

    Attributes
    ----------
    grows
        What there is more of.
    n
        Smallest number.
    make
        Function of ``growth_steps``.
    """

    grows: str
    n: int
    make: str


SERIES: dict[str, Series] = {
    "ingestion, one plate": Series("fields", 60, "ingestion_of_fields"),
    "ingestion, plates of 8 fields": Series("plates", 8, "ingestion_of_plates"),
    "table of fields": Series("fields", 3000, "field_index"),
    "structures": Series("compounds", 100, "structures"),
    "fingerprints": Series("compounds", 1000, "fingerprints"),
    "leak check": Series("compounds", 2000, "leaks"),
    "profiles": Series("fields", 32, "profiles"),
    "training, one epoch": Series("fields", 128, "training"),
    "embedding": Series("fields", 256, "embedding"),
    "ranks": Series("fields and compounds", 1000, "ranks"),
    "zero-shot, 200 classes": Series("fields", 2000, "zero_shot"),
    "zero-shot, 4 fields per class": Series("fields and classes", 2000, "zero_shot_of_classes"),
    "probing, 20 assays": Series("fields", 64_000, "probing_of_fields"),
    "probing, 600 fields": Series("assays", 20, "probing_of_assays"),
    "index": Series("fields", 1000, "search_index"),
}


def measure(name: str, n: int, first: int) -> tuple[float, float]:
    """Seconds of processor time, and bytes of memory, of a step."""
    make = getattr(importlib.import_module("growth_steps"), SERIES[name].make)
    with tempfile.TemporaryDirectory() as folder:
        for place in ("small", "measured"):
            Path(folder, place).mkdir()
        make(max(8, first // 4), Path(folder, "small"))()
        step = make(n, Path(folder, "measured"))
        meter, start = Meter(), processor_seconds()
        step()
        seconds, found = processor_seconds() - start, meter.read()
    return seconds, max(2.0**20, found["memory"] - found["memory_before"])


def main() -> None:
    """Print one row per step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[""], help="steps whose names begin with these")
    parser.add_argument("--scale", type=float, default=1, help="factor of all numbers")
    parser.add_argument("--markdown", action="store_true", help="print the table of the documentation")
    options = parser.parse_args()
    # The processes begin with the modules in memory. Python 3.11 looks for them on this path only.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    multiprocessing.set_forkserver_preload(["growth_steps"])
    if options.markdown:
        print(f"Machine: {machine()}\n\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    for name, series in SERIES.items():
        if not name.startswith(tuple(options.only)):
            continue
        series = replace(series, n=max(8, round(options.scale * series.n)))
        sizes = [series.n * factor for factor in FACTORS]
        found = [apart(partial(measure, name, size, series.n)) for size in sizes]
        time, memory = (exponent(sizes, [point[i] for point in found]) for i in (0, 1))
        most = f"{found[-1][0]:.1f} s, {found[-1][1] / 2**20:,.0f} MiB"
        if options.markdown:
            row = (name, series.grows, f"{sizes[0]:,}, {sizes[-1]:,}", f"n^{time:.2f}", f"n^{memory:.2f}", most)
            print(f"| {' | '.join(row)} |", flush=True)
        else:
            grows = f"{sizes[0]:,} to {sizes[-1]:,} {series.grows}"
            print(f"growth of {name}, {grows}: time n^{time:.2f}; memory n^{memory:.2f}; {most}", flush=True)


if __name__ == "__main__":
    main()
