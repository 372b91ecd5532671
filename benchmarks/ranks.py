"""Time of ``match_ranks`` beside that of the plain matrix product, in one run.

python benchmarks/ranks.py [queries] [candidates] [size] [repeats]
"""

import resource
import sys
import time

import numpy as np

from cloome_kedro.evaluation.ranks import match_ranks


def main(n: int = 2_000, m: int = 20_000, size: int = 512, repeats: int = 5) -> None:
    """Print one line: both times (best of ``repeats``), their ratio and the peak memory."""
    generator = np.random.default_rng(0)
    candidates = generator.standard_normal((m, size), dtype=np.float32)
    candidates /= np.linalg.norm(candidates, axis=1, keepdims=True)
    match = generator.permutation(m)[:n]
    queries = candidates[match] + 0.15 * generator.standard_normal((n, size), dtype=np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)

    def rank() -> None:
        match_ranks(queries, candidates, match)

    def product() -> None:
        step = max(1, 50_000_000 // m)  # at most 200 MB of scores at a time
        for start in range(0, n, step):
            queries[start : start + step] @ candidates.T

    times = {product: float("inf"), rank: float("inf")}
    for _ in range(repeats):
        for function in times:  # in turns, so that a busy machine slows both
            start = time.perf_counter()
            function()
            times[function] = min(times[function], time.perf_counter() - start)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{n} queries x {m} candidates x {size}: match_ranks {times[rank]:.2f} s, matrix product {times[product]:.2f} s"
        f", ratio {times[rank] / times[product]:.2f}, peak {memory:.2f} GiB"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
