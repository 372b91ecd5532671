"""Measure the classical features of fields: each family against cp-measure, and what takes most of the time.

python benchmarks/profiles.py --fields 40 --side 64 --repeats 5

The fields have round nuclei on a grid. The reference measures the same families with cp-measure alone, one object and
one pair of channels after the other. The limit is the segmentation of the nuclei alone. Rates are by processor time of
one core, and every row includes the segmentation. Families without a reference are those of cp-measure.
``--operations`` lists the functions that take most of the time of the default families.
"""

import argparse
import cProfile
import pstats
import warnings
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import get_args

import numpy as np
from cp_measure.bulk import get_core_measurements, get_correlation_measurements
from measuring import alternating, row

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import CHANNEL_FAMILIES, SHAPE_FAMILIES, Family, Measurement
from cloome_kedro.imaging.features import measure_field
from cloome_kedro.imaging.nuclei import segment_nuclei

DEFAULT = Measurement()


def fields(number: int, side: int, diameter: float) -> np.ndarray:
    """Draw fields (number, 5, side, side) with 16 nuclei of different sizes, at places that differ."""
    rng, images = np.random.default_rng(0), []
    y, x = np.mgrid[:side, :side]
    for _ in range(number):
        image = rng.normal(40, 4, (len(CHANNELS), side, side))
        for place in range(16):
            centre = side * (np.array(divmod(place, 4)) + 0.5) / 4 + rng.uniform(-2, 2, 2)
            radius = diameter / 2 * rng.uniform(0.8, 1.2)
            stretch = rng.uniform(0.8, 1.2)
            inside = ((y - centre[0]) * stretch) ** 2 + ((x - centre[1]) / stretch) ** 2 < radius**2
            image[:, inside] += rng.uniform(80, 180, len(CHANNELS))[:, None] + rng.normal(0, 8, (5, inside.sum()))
        images.append(image.clip(0, 255).astype(np.uint8))
    return np.array(images)


def measure(images: np.ndarray, measurement: Measurement) -> list[np.ndarray]:
    """Measure each field."""
    return [measure_field(field, measurement) for field in images]


def segment(images: np.ndarray, measurement: Measurement) -> None:
    """Segment the nuclei of each field."""
    for field in images:
        segment_nuclei(field[CHANNELS.index("DNA")], measurement.nucleus_diameter, measurement.minimum_contrast)


def reference(images: np.ndarray, measurement: Measurement) -> None:
    """Measure each field with cp-measure; take the medians over the nuclei."""
    known = get_core_measurements(sanitize=False) | get_correlation_measurements(sanitize=False)
    for field in images:
        pixels, dna = field / 255, field[CHANNELS.index("DNA")]
        nuclei = segment_nuclei(dna, measurement.nucleus_diameter, measurement.minimum_contrast)
        for labels in (nuclei, np.ones_like(nuclei)):
            tables = []
            for family in measurement.families:
                if family in SHAPE_FAMILIES:
                    tables += [known[family](labels, None)] if labels is nuclei else []
                elif family in CHANNEL_FAMILIES:
                    tables += [known[family](labels, image) for image in pixels]
                else:
                    tables += [known[family](a, b, labels) for a, b in combinations(pixels, 2)]
            for table in tables:
                np.nanmedian(np.array(list(table.values()), float), axis=1)


def operations(images: np.ndarray, families: Sequence[Family]) -> None:
    """Print the functions that take most of the time."""
    profile = cProfile.Profile()
    profile.runcall(measure, images, Measurement(families=tuple(families)))
    stats = pstats.Stats(profile)
    whole = stats.total_tt  # type: ignore[attr-defined]
    slowest = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:8]  # type: ignore[attr-defined]
    for (_, _, name), (_, calls, seconds, *_) in slowest:
        print(f"profiles, {name}: {seconds / whole:.0%} of the time, {calls / len(images):.0f} calls per field")


def main() -> None:
    """Print one row for the default families, and one per family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, default=40)
    parser.add_argument("--side", type=int, default=64, help="of square fields, in pixels")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--all", action=argparse.BooleanOptionalAction, default=True, help="all families")
    parser.add_argument("--operations", action="store_true", help="list what takes most of the time")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    images = fields(options.fields, options.side, DEFAULT.nucleus_diameter)
    others = [family for family in get_args(Family) if family not in DEFAULT.families]
    with np.errstate(all="ignore"):
        for families in (DEFAULT.families, *((family,) for family in DEFAULT.families)):
            measurement = Measurement(families=families)
            work = {
                "ours": partial(measure, *(images, measurement)),
                "reference": partial(reference, *(images, measurement)),
                "limit": partial(segment, *(images, measurement)),
            }
            seconds = alternating(work, options.repeats)
            step = "default families" if len(families) > 1 else families[0]
            rates = [len(images) / seconds[name] for name in work]
            print(row(f"profiles, {step}, {1000 / rates[0]:.1f} ms per field", "fields/s", *rates), flush=True)
        for family in others if options.all else ():
            few = images[: max(1, len(images) // 8)]
            measurement = Measurement(families=(family,))
            rate = len(few) / alternating({"ours": partial(measure, *(few, measurement))}, options.repeats)["ours"]
            print(row(f"profiles, {family}, {1000 / rate:.0f} ms per field", "fields/s", rate), flush=True)
        if options.operations:
            operations(images, DEFAULT.families)


if __name__ == "__main__":
    main()
