"""Compare estimates of the illumination with the true light of simulated fields, and time the correction of a field.

python benchmarks/illumination.py --fields 50,256
"""

import argparse
import importlib.util
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cloome_kedro.imaging.illumination.estimate import estimate_functions
from cloome_kedro.imaging.illumination.functions import divide
from cloome_kedro.imaging.illumination.settings import EstimatedIllumination


def simulated(number: int, side: int, seed: int = 0) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Fields of round cells on a background, with photon noise, times a light that falls by 40 % to the corners.

    Returns
    -------
    fields, light
        (N, 1, side, side), and (side, side) with the mean 1.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    light = 1 - 0.4 * ((x - 0.15) ** 2 + (y + 0.1) ** 2) / 2
    fields = []
    for _ in range(number):
        cells = np.zeros((side, side))
        places = rng.integers(0, side, (2, rng.poisson(25)))
        cells[*places] = rng.gamma(2, 1, places.shape[1])
        expected = 100 + ndimage.gaussian_filter(cells, side / 30) * side**2 / 3
        fields.append(rng.poisson(expected * light))
    return np.array(fields, np.float32)[:, None], light / light.mean()


def errors(fields: npt.NDArray[np.float32], light: npt.NDArray[np.float64], **settings) -> tuple[float, float]:
    """Root mean square and maximum of the relative error of an estimate."""
    function = estimate_functions(fields, EstimatedIllumination("estimate", minimum_fields=2, **settings))[0]
    relative = function / function.mean() / light - 1
    return float(np.sqrt((relative**2).mean())), float(abs(relative).max())


def shortest(compute: Callable, repeats: int) -> float:
    """Shortest time in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        compute()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print one line per method and number of fields, and the time of a division beside that of a copy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", default="50,256", help="numbers of fields")
    parser.add_argument("--side", type=int, default=96, help="of the simulated fields, in pixels")
    parser.add_argument("--time-side", type=int, default=1080, help="of the field that is divided, in pixels")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    numbers = [int(number) for number in options.fields.split(",")]
    fields, light = simulated(max(numbers), options.side)
    methods: dict[str, dict] = {name: {"smoothing": name} for name in ("gaussian", "median")}
    if importlib.util.find_spec("basicpy"):
        methods["basic"] = {"method": "basic"}
    for number in numbers:
        for name, settings in methods.items():
            rms, largest = errors(fields[:number], light, **settings)
            print(f"{name}, {number} fields: error {100 * rms:.1f} % (root mean square), at most {100 * largest:.1f} %")
    raw = np.random.default_rng(0).integers(0, 2**16, (5, options.time_side, options.time_side)).astype(np.uint16)
    gains = np.full(raw.shape, 0.9, np.float32)
    division = shortest(lambda: divide(raw, gains, 2**16 - 1), options.repeats)
    copy = shortest(raw.copy, options.repeats)
    print(f"division of five images: {1e3 * division:.1f} ms, {division / copy:.1f} times a copy of them")


if __name__ == "__main__":
    main()
