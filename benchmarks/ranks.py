"""Compare time and memory of ``match_ranks`` with those of the plain matrix product of the same blocks.

python benchmarks/ranks.py --queries 20000 --candidates 200000 --size 512

Ranking is measured in a separate process, so that its peak memory is that of the vectors and of the ranking.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

from cloome_kedro.evaluation.ranks import _CANDIDATE_BLOCK, _QUERY_BLOCK, match_ranks


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


def measure(n: int, m: int, size: int, noise: float, repeats: int) -> dict:
    """Measure the shortest of ``repeats`` times, in seconds, and the peak memory, in GiB.

    The two computations take turns, so that other load on the machine slows both.
    """
    queries, candidates, match = vectors(n, m, size, noise)
    times = {"match_ranks": float("inf"), "product": float("inf")}
    for _ in range(repeats):
        start = time.perf_counter()
        ranks = match_ranks(queries, candidates, match)
        middle = time.perf_counter()
        product(queries, candidates)
        times["match_ranks"] = min(times["match_ranks"], middle - start)
        times["product"] = min(times["product"], time.perf_counter() - middle)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        **times,
        "ratio": times["match_ranks"] / times["product"],
        "peak": peak,
        "top-1": float((ranks == 1).mean()),
    }


def main() -> None:
    """Print one line per noise level: little noise, where most matches have rank 1, and much noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--candidates", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--noise", type=float, nargs="+", default=[0.15, 1.0], help="noise of queries; more noise gives worse ranks"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.queries, options.candidates, options.size, options.noise[0], options.repeats)))
        return
    for noise in options.noise:
        sizes = ("--queries", options.queries, "--candidates", options.candidates, "--size", options.size)
        command = [sys.executable, __file__, "--child", *sizes, "--repeats", options.repeats, "--noise", noise]
        child = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True)
        result = json.loads(child.stdout)
        print(
            f"{options.queries} queries x {options.candidates} candidates x {options.size}, "
            f"top-1 {result['top-1']:.0%}: "
            f"match_ranks {result['match_ranks']:.2f} s, matrix product {result['product']:.2f} s, "
            f"ratio {result['ratio']:.2f}, peak {result['peak']:.2f} GiB"
        )


if __name__ == "__main__":
    main()
