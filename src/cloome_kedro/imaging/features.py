"""Classical features of a field, measured by cp-measure (CellProfiler's measurements; Muñoz et al. 2025)."""

import warnings
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import combinations

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import CHANNEL_FAMILIES, SHAPE_FAMILIES, Measurement
from cloome_kedro.imaging.nuclei import segment_nuclei
from cloome_kedro.imaging.object_intensity import object_intensities
from cloome_kedro.imaging.outlines import size_and_shape

# Categories in CellProfiler's names of features that cp-measure leaves out.
_CATEGORY = dict.fromkeys(SHAPE_FAMILIES, "AreaShape_") | {"texture": "Texture_"}
# Features that give the position of an object in the image are left out.
_POSITIONS = ("Location_", "Center_", "BoundingBoxMinimum_", "BoundingBoxMaximum_")
# Features that are 0 or undefined for every object are left out: they differ only by rounding errors.
_CONSTANT = {
    "CentralMoment_0_1", "CentralMoment_1_0", "NormalizedMoment_0_0", "NormalizedMoment_0_1", "NormalizedMoment_1_0"
}  # fmt: skip

#: name of a feature, and its value for each object
_Measured = Iterator[tuple[str, npt.ArrayLike]]


def measure_field(images: npt.NDArray[np.uint8], measurement: Measurement) -> npt.NDArray[np.float32]:
    """Measure the features of one field.

    Parameters
    ----------
    images
        (5, H, W) uint8 in the order of `channels.CHANNELS`. They are divided by 255 before they are measured.
    measurement
        What is measured.

    Returns
    -------
    features
        (F,) float32 in the order of `feature_names`. Undefined features are NaN. In a field without nuclei, these are
        all features of nuclei except their number.
    """
    nuclei = segment_nuclei(images[CHANNELS.index("DNA")], measurement.nucleus_diameter, measurement.minimum_contrast)
    measured = _measure(images, nuclei, measurement)
    return np.array([measured.get(name, np.nan) for name in feature_names(measurement)], np.float32)


@lru_cache
def feature_names(measurement: Measurement) -> tuple[str, ...]:
    """Names of the features as in CellProfiler: compartment, category, feature, channels (``Nuclei_AreaShape_Area``).

    cp-measure has no list of its features. So a disc of noise is measured, and the names of the results are returned.
    """
    rng = np.random.default_rng(0)
    side = int(8 * measurement.nucleus_diameter)
    disc = np.hypot(*(np.mgrid[:side, :side] - side / 2)) < measurement.nucleus_diameter / 2
    images = rng.integers(0, 50, (len(CHANNELS), side, side)) + rng.integers(150, 200, disc.shape) * disc
    return tuple(_measure(images.astype(np.uint8), disc.astype(np.int32), measurement))


def _measure(
    images: npt.NDArray[np.uint8], nuclei: npt.NDArray[np.int32], measurement: Measurement
) -> dict[str, float]:
    """Median of each feature over the objects of a compartment. A compartment without objects has no features."""
    features: dict[str, float] = {}
    for compartment in measurement.compartments:
        if compartment == "nuclei":
            features["Nuclei_Count"] = float(nuclei.max())
        labels = nuclei if compartment == "nuclei" else np.ones_like(nuclei)
        if labels.any():
            features |= _measure_objects(compartment.capitalize(), labels, images / 255, measurement.families)
    return features


def _measure_objects(
    prefix: str, labels: npt.NDArray[np.int32], pixels: npt.NDArray[np.float64], families: tuple[str, ...]
) -> dict[str, float]:
    features: dict[str, npt.ArrayLike] = {}  # name -> one value per object
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        # Objects that are constant or too small for a feature cause these warnings. Their features become NaN.
        warnings.filterwarnings("ignore", message="Undefined Costes result|All-NaN slice")
        for family in families:
            if family in SHAPE_FAMILIES and prefix == "Field":
                continue
            measure = _FASTER.get(family, partial(_by_cp_measure, family))
            features |= {f"{prefix}_{name}": values for name, values in measure(labels, pixels)}
        table = np.array(list(features.values()), np.float64).reshape(len(features), labels.max())
        return dict(zip(features, _medians(table).tolist(), strict=True))


def _medians(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Median of the finite values of each row of a table, NaN if there are none. ``nanmedian`` takes longer."""
    table[~np.isfinite(table)] = np.nan
    ordered, number = np.sort(table, axis=1), np.isfinite(table).sum(axis=1)  # NaN come last
    low, high = (np.maximum(number - 1, 0) // 2)[:, None], (number // 2).clip(max=table.shape[1] - 1)[:, None]
    middle = (np.take_along_axis(ordered, low, 1) + np.take_along_axis(ordered, high, 1))[:, 0]
    return middle / 2


def _by_cp_measure(family: str, labels: npt.NDArray[np.int32], pixels: npt.NDArray[np.float64]) -> _Measured:
    """Results of one function of cp-measure for the outlines, for each channel or for each pair of channels."""
    import cp_measure
    from cp_measure.bulk import get_core_measurements, get_correlation_measurements

    # numba gives the same values: intensity takes a third of the time, texture a fifteenth
    cp_measure.set_accelerator("numba")
    measure = (get_core_measurements(sanitize=False) | get_correlation_measurements(sanitize=False))[family]
    calls: dict[tuple[int, ...], tuple]  # channels -> arguments
    if family in SHAPE_FAMILIES:
        calls = {(): (labels, None)}
    elif family in CHANNEL_FAMILIES:
        calls = {(c,): (labels, pixels[c]) for c in range(len(CHANNELS))}
    else:
        calls = {(c, d): (pixels[c], pixels[d], labels) for c, d in combinations(range(len(CHANNELS)), 2)}
    options = {"scale_max": 255} if family == "costes" else {}
    for channels, arguments in calls.items():
        suffix = "".join(f"_{CHANNELS[c]}" for c in channels)
        for name, values in measure(*arguments, **options).items():
            if name not in _CONSTANT and not name.startswith(_POSITIONS):
                yield f"{_CATEGORY.get(family, '')}{name}{suffix}", values


def _outlines(labels: npt.NDArray[np.int32], pixels: npt.NDArray[np.float64]) -> _Measured:
    """Results of cp-measure's ``sizeshape``."""
    for name, values in size_and_shape(labels).items():
        if name not in _CONSTANT:
            yield f"{_CATEGORY['sizeshape']}{name}", values


def _intensities(labels: npt.NDArray[np.int32], pixels: npt.NDArray[np.float64]) -> _Measured:
    """Results of cp-measure's ``intensity``."""
    for channel, measured in zip(CHANNELS, object_intensities(labels, pixels), strict=True):
        for name, values in measured.items():
            yield f"{name}_{channel}", values


def _correlations(labels: npt.NDArray[np.int32], pixels: npt.NDArray[np.float64]) -> _Measured:
    """Results of cp-measure's ``pearson``: for each object, Pearson's r and the slope of the regression.

    cp-measure computes each pair of channels of each object separately, which takes two fifths of the time of the
    default families. Here one covariance matrix per object gives all pairs.
    """
    from scipy.ndimage import find_objects

    boxes = enumerate(find_objects(labels), 1)
    covariances = np.stack([_covariance(pixels[:, *box][:, labels[box] == label]) for label, box in boxes])
    for c, d in combinations(range(len(CHANNELS)), 2):
        covariance, variances = covariances[:, c, d], (covariances[:, c, c], covariances[:, d, d])
        pair = f"{CHANNELS[c]}_{CHANNELS[d]}"
        yield f"Correlation_Pearson_{pair}", np.clip(covariance / np.sqrt(variances[0] * variances[1]), -1, 1)
        yield f"Correlation_Slope_{pair}", covariance / variances[0]


def _covariance(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Covariance matrix of the rows. ``numpy.cov`` takes twice as long."""
    centred = values - values.mean(axis=1)[:, None]
    return np.dot(centred, centred.T) * np.true_divide(1, values.shape[1] - 1)


#: family -> a function with the values of cp-measure's that takes less time
_FASTER = {"sizeshape": _outlines, "intensity": _intensities, "pearson": _correlations}
