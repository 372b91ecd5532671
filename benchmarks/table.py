"""Run the benchmarks that need no GPU, one after the other, and print one table.

python benchmarks/table.py [NAME ...]

The sizes take about ten minutes on two cores. Each benchmark has options for other sizes. The benchmark of probes
needs real labels (CLOOME_DATA), and is left out without them. The training step has a small encoder here: for the
publication's size run ``benchmarks/train_gpu.py`` on a GPU.

Columns: rates of the project and of a plain reference, which were measured alternately in the same run; their ratio;
the rate of what no program can avoid, such as reading the files; and the share of it that the project reaches.
Measurements without a reference or a limit have only the first of these.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from measuring import COLUMNS, machine

FOLDER = Path(__file__).parent
#: benchmark -> sizes
SIZES: dict[str, str] = {
    "ingestion": "--fields 24 --repeats 5",
    "batches": "--fields 128 --batch 64 --crop 320 --repeats 5",
    "augmentation": "--batch 256 --side 64 --repeats 5",
    "index": "--fields 5000 20000 --repeats 5",
    "ranks": "--queries 1000 --candidates 10000 --repeats 5",
    "probing": "--level field --assays 20",
    "fingerprints": "--structures 2500 --bits 1024 --repeats 5",
    "profiles": "--fields 40 --side 64 --repeats 5 --operations",
    "growth": "",
    "train_gpu": "--accelerator cpu --precision 32-true --no-compile --batch-size 32 --crop 64 --width 16 --fields 384 "
    "--field-size 96 96 --steps 5 --epochs 2 --plain",
}


def rows(output: str) -> Iterator[tuple[str, ...]]:
    """Yield the columns of each line of a benchmark's output: those of `measuring.row`, or a name and a value.

    >>> list(rows("flips: 3.1 ms\\n\\n  fit_probes      0.52 s"))
    [('flips', '3.1 ms', '', '', '', ''), ('fit_probes', '0.52 s', '', '', '', '')]
    >>> list(rows("read | 80 fields/s | 20 fields/s | 4.0 | | "))
    [('read', '80 fields/s', '20 fields/s', '4.0', '', '')]
    """
    for line in filter(None, map(str.strip, output.splitlines())):
        columns = [column.strip() for column in line.split("|")]
        if len(columns) != len(COLUMNS):
            columns = [column.strip() for column in re.split(r": | {2,}", line, maxsplit=1)]
        yield *columns, *[""] * (len(COLUMNS) - len(columns))


def run(name: str) -> list[tuple[str, ...]]:
    """Run a benchmark; return its rows."""
    if name == "probing" and not os.environ.get("CLOOME_DATA"):
        return list(rows("left out: CLOOME_DATA is not set"))
    command = [sys.executable, str(FOLDER / f"{name}.py"), *SIZES[name].split()]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}")
    return list(rows(done.stdout))


def main() -> None:
    """Print the rows of every benchmark as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"default: {', '.join(SIZES)}")
    names = parser.parse_args().names or list(SIZES)
    if unknown := [name for name in names if name not in SIZES]:
        parser.error(f"there is no benchmark {unknown[0]}; there are: {', '.join(SIZES)}")
    print(f"Machine: {machine()}\n\n| benchmark | {' | '.join(COLUMNS)} |\n|{'---|' * (1 + len(COLUMNS))}", flush=True)
    for name in names:
        for columns in run(name):
            print(f"| {' | '.join([name, *columns])} |", flush=True)


if __name__ == "__main__":
    main()
