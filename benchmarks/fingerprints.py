"""Measure Morgan fingerprints against a plain loop, and how they grow with structures and processes.

python benchmarks/fingerprints.py --structures 2500 --bits 1024 --repeats 5
python benchmarks/fingerprints.py --structures 62500    # up to a million structures

The structures are those of the virtual screen, two of them in one SMILES. The reference computes the fingerprints of
the published code one by one. The limit is reading the SMILES with RDKit alone. Rates of pairs are by processor time of
one core. The growth is measured at n, 4 n and 16 n structures, each in a fresh process. The memory is what the
fingerprints add to it, without the SMILES.
"""

import argparse
import os
import time
from functools import partial
from itertools import islice, product

import numpy as np
from measuring import alternating, apart, costs, exponent, row
from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem

from cloome_kedro.chemistry import fingerprints
from cloome_kedro.meter import Meter
from cloome_kedro.parallel import Bar, run_tasks
from cloome_kedro.simulation.compounds import tails
from cloome_kedro.simulation.mechanisms import MECHANISMS


def structures(number: int) -> list[str]:
    """Make different SMILES of drug-like structures."""
    templates = [template for mechanism in MECHANISMS for template in mechanism.templates]
    parts = [[t.smiles.format(**{t.slot: tail}) for tail in tails(t)] for t in templates]
    largest = max(map(len, parts))
    singles = [part[i] for i in range(largest) for part in parts if i < len(part)]
    made = list(islice(singles, number))
    return made + [f"{a}.{b}" for a, b in islice(product(singles[::7], singles), number - len(made))]


def reference(smiles: list[str], bits: int) -> np.ndarray:
    """Compute fingerprints one by one, as the published code does."""
    return np.array(
        [
            np.array(AllChem.GetMorganFingerprintAsBitVect(Chem.MolFromSmiles(text), 3, nBits=bits, useChirality=True))
            for text in smiles
        ]
    )


def read(smiles: list[str]) -> None:
    """Read the SMILES, and nothing else."""
    for text in smiles:
        Chem.MolFromSmiles(text)


def one_process(number: int, bits: int) -> tuple[float, float]:
    """Seconds of processor time, and bytes of memory that the fingerprints of many structures take."""
    smiles = structures(number)
    fingerprints._PARALLEL_FROM = number + 1
    fingerprints.packed_morgan(smiles[:10], bits)
    meter, start = Meter(), time.process_time()
    fingerprints.packed_morgan(smiles, bits)
    seconds, found = time.process_time() - start, meter.read()
    return seconds, max(1.0, found["memory"] - found["memory_before"])


def seconds_of(smiles: list[str], bits: int) -> float:
    """Seconds of wall time of a process that has started."""
    fingerprints._PARALLEL_FROM = len(smiles) + 1
    fingerprints.packed_morgan(smiles[:10], bits)
    start = time.perf_counter()
    fingerprints.packed_morgan(smiles, bits)
    return time.perf_counter() - start


def rate(tasks: list[tuple], processes: int) -> float:
    """Structures per second of several processes, each of which takes a part."""
    results = run_tasks(seconds_of, tasks, Bar("fingerprints", "part", delay=60), processes)
    return processes * sum(len(smiles) for smiles, _ in tasks) / sum(seconds for _, seconds in results)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", type=int, default=2500, help="smallest number of structures")
    parser.add_argument("--bits", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    smiles = structures(options.structures)
    if not np.array_equal(fingerprints.morgan(smiles, options.bits), reference(smiles, options.bits)):
        raise SystemExit("the reference has other fingerprints")
    work = {
        "ours": partial(fingerprints.packed_morgan, *(smiles, options.bits)),
        "reference": partial(reference, *(smiles, options.bits)),
        "limit": partial(read, smiles),
    }
    seconds = alternating(work, options.repeats)
    print(row(f"fingerprints, {options.bits:,} bits", "structures/s", *(len(smiles) / seconds[name] for name in work)))

    cores = len(os.sched_getaffinity(0))
    many = structures(4 * options.structures)
    tasks = [(many[start::cores], options.bits) for start in range(cores)]
    rates: dict[int, list[float]] = {1: [], cores: []}
    for _ in range(options.repeats):
        for processes, values in rates.items():
            values.append(rate(tasks, processes))
    one, several = (float(np.median(rates[processes])) for processes in (1, cores))
    print(row(f"fingerprints, {cores} processes, wall time", "structures/s", several, one, cores * one), flush=True)

    sizes = [options.structures, 4 * options.structures, 16 * options.structures]
    points = [apart(one_process, number, options.bits) for number in sizes]
    for number, (_, memory) in zip(sizes, points, strict=True):
        packed = number * options.bits / 8
        step = f"fingerprints of {number:,} structures, memory; limit: packed bits"
        print(costs(step, "MiB", memory / 2**20, None, packed / 2**20), flush=True)
    grown = exponent(sizes, [seconds for seconds, _ in points])
    print(f"fingerprints of {sizes[0]:,} to {sizes[-1]:,} structures: time grows as n^{grown:.2f}")


if __name__ == "__main__":
    main()
