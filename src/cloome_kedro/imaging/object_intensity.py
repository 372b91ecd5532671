"""Intensities of objects: cp-measure's ``intensity`` for all channels, with the same values in half of the time."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

_LARGE = 500  # pixels per object from which numpy sorts faster than numba

_Values = npt.NDArray[np.float64]


def object_intensities(labels: npt.NDArray[np.int32], pixels: _Values) -> Iterator[dict[str, _Values]]:
    """Measure the intensities of objects in each channel.

    Parameters
    ----------
    labels
        (H, W) int32. 0 is background, 1 to N are the objects. Each number occurs.
    pixels
        (C, H, W) float64, all finite.

    Yields
    ------
    For each channel: name of cp-measure's feature -> (N,) values, in the order of cp-measure, without positions.
    """
    from cp_measure.primitives import _segment_numba as kernels

    number = int(labels.max())
    rows, columns = np.nonzero(labels)
    objects = labels[rows, columns].astype(np.int64) - 1
    x, y, z = columns.astype(np.float64), rows.astype(np.float64), np.zeros(len(rows))
    edge_rows, edge_columns = np.nonzero(kernels.inner_boundary(labels))
    edge_objects = labels[edge_rows, edge_columns].astype(np.int64) - 1
    for image in pixels:
        values = image[rows, columns]
        count, total, low, high, *_, sx, sy, _, sxi, syi, _ = kernels.segment_moments(values, objects, x, y, z, number)
        mean = total / count
        shift_x, shift_y = sx / count - sxi / total, sy / count - syi / total
        lower, median, upper, mad = _quantiles(values, objects, count)
        edge = _edge(image[edge_rows, edge_columns], edge_objects, number)
        yield {
            "Intensity_IntegratedIntensity": total,
            "Intensity_MeanIntensity": mean,
            "Intensity_StdIntensity": np.sqrt(kernels.segment_resid_sumsq(values, objects, number, mean) / count),
            "Intensity_MinIntensity": low,
            "Intensity_MaxIntensity": high,
            "Intensity_MassDisplacement": np.sqrt(shift_x**2 + shift_y**2),
            "Intensity_LowerQuartileIntensity": lower,
            "Intensity_MedianIntensity": median,
            "Intensity_MADIntensity": mad,
            "Intensity_UpperQuartileIntensity": upper,
            **{f"Intensity_{name}IntensityEdge": of_edge for name, of_edge in edge.items()},
        }


def _edge(values: _Values, objects: npt.NDArray[np.int64], number: int) -> dict[str, _Values]:
    """Statistics of the pixels at the edge of each object. They are 0 for an object without an edge."""
    from cp_measure.primitives import _segment_numba as kernels

    count, total, low, high = kernels.segment_stats(values, objects, number)
    mean = total / count
    spread = np.sqrt(kernels.segment_resid_sumsq(values, objects, number, mean) / count)
    found = {"Integrated": total, "Mean": mean, "Std": spread, "Min": low, "Max": high}
    return {name: np.where(count > 0, of_edge, 0.0) for name, of_edge in found.items()}


def _quantiles(
    values: _Values, objects: npt.NDArray[np.int64], count: npt.NDArray[np.int64]
) -> tuple[_Values, _Values, _Values, _Values]:
    """Lower quartile, median and upper quartile, and median absolute deviation from the median."""
    from cp_measure.primitives import _segment_numba as kernels

    if len(values) < _LARGE * len(count):
        return kernels.segment_quantiles(values, objects, count, len(count), 0.5, False)
    found = np.empty((4, len(count)))
    for number in range(len(count)):
        ordered = np.sort(values[objects == number])
        found[:3, number] = [_between(ordered, share) for share in (0.25, 0.5, 0.75)]
        found[3, number] = _between(np.sort(np.abs(ordered - found[1, number])), 0.5)
    return found[0], found[1], found[2], found[3]


def _between(ordered: _Values, share: float) -> float:
    """Quantile by linear interpolation, as in cp-measure."""
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] * (1.0 - (place - low)) + ordered[high] * (place - low))
