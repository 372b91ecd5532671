"""Compare ``match_ranks`` with a full matrix of scores that is sorted, in time and memory.

python benchmarks/ranks.py --queries 1000 --candidates 10000 --size 512 --repeats 5

The reference is that of the published code: all scores of all queries in one matrix, which ``argsort`` sorts. The limit
is the plain matrix product of the same blocks. Rates are by processor time. The memory is what ranking adds to that of
the vectors, measured in a process for each way.
"""

import argparse
from functools import partial

import numpy as np
from measuring import alternating, apart, costs, row

from cloome_kedro.evaluation.ranks import _CANDIDATE_BLOCK, _QUERY_BLOCK, match_ranks
from cloome_kedro.meter import Meter


def vectors(n: int, m: int, size: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make queries (n, size), candidates (m, size) and matches. A query is its match plus noise, scaled to length 1."""
    generator = np.random.default_rng(0)
    candidates = generator.standard_normal((m, size), dtype=np.float32)
    candidates /= np.sqrt(np.einsum("ij,ij->i", candidates, candidates))[:, None]
    match = generator.permutation(m)[:n]
    queries = candidates[match] + noise * generator.standard_normal((n, size), dtype=np.float32)
    queries /= np.sqrt(np.einsum("ij,ij->i", queries, queries))[:, None]
    return queries, candidates, match


def product(queries: np.ndarray, candidates: np.ndarray) -> None:
    """Compute all scores, block by block, without keeping them."""
    scores = np.empty((_QUERY_BLOCK, _CANDIDATE_BLOCK), np.float32)
    for left in range(0, len(candidates), _CANDIDATE_BLOCK):
        block = candidates[left : left + _CANDIDATE_BLOCK]
        for top in range(0, len(queries), _QUERY_BLOCK):
            rows = queries[top : top + _QUERY_BLOCK]
            np.matmul(rows, block.T, out=scores.ravel()[: len(rows) * len(block)].reshape(len(rows), len(block)))


def reference(queries: np.ndarray, candidates: np.ndarray, match: np.ndarray) -> np.ndarray:
    """Rank with a full matrix, sorted row by row."""
    order = np.argsort(-(queries @ candidates.T), axis=1)
    return 1 + np.argmax(order == match[:, None], axis=1)


def memory(way: str, n: int, m: int, size: int) -> float:
    """Bytes that ranking in a way adds to the memory of the process."""
    made = vectors(n, m, size, 1.0)
    rank = {"ours": match_ranks, "reference": reference}[way]
    rank(*vectors(8, 64, size, 1.0))  # loads the libraries
    meter = Meter()
    rank(*made)
    found = meter.read()
    return max(1.0, found["memory"] - found["memory_before"])


def main() -> None:
    """Print one row per noise level (little noise, where most matches have rank 1, and much), and one for memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--noise", type=float, nargs="+", default=[0.15, 1.0], help="noise of queries; more noise gives worse ranks"
    )
    options = parser.parse_args()
    shape = options.queries, options.candidates, options.size
    for noise in options.noise:
        queries, candidates, match = vectors(*shape, noise)
        top1 = float((match_ranks(queries, candidates, match) == 1).mean())
        work = {
            "ours": partial(match_ranks, *(queries, candidates, match)),
            "reference": partial(reference, *(queries, candidates, match)),
            "limit": partial(product, *(queries, candidates)),
        }
        seconds = alternating(work, options.repeats)
        rates = [options.queries / seconds[name] for name in work]
        step = f"ranks among {options.candidates:,} candidates, {top1:.0%} first"
        print(row(step.replace("%", " %"), "queries/s", *rates), flush=True)
    peaks = [apart(memory, way, *shape) / 2**20 for way in ("ours", "reference")]
    print(costs(f"ranks of {options.queries:,} queries, memory", "MiB", *peaks), flush=True)


if __name__ == "__main__":
    main()
