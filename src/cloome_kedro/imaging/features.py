"""Classical features of a field by cp-measure, which has CellProfiler's measurements (Muñoz et al. 2025)."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.nuclei import segment_nuclei

#: of an object's outline alone; that of the whole field says nothing
SHAPE_FAMILIES = ("sizeshape", "zernike", "feret")
#: of one channel
CHANNEL_FAMILIES = ("intensity", "texture", "granularity", "radial_distribution", "radial_zernikes")
#: of two channels
PAIR_FAMILIES = ("pearson", "costes", "manders_fold", "rwc")

# where cp-measure's names lack the category that CellProfiler's have
_CATEGORY = dict.fromkeys(SHAPE_FAMILIES, "AreaShape_") | {"texture": "Texture_"}
# where in the image an object lies
_PLACE = ("Location_", "Center_", "BoundingBoxMinimum_", "BoundingBoxMaximum_")
# 0 or undefined for every object: what is left of them is rounding
_CONSTANT = {
    "CentralMoment_0_1", "CentralMoment_1_0", "NormalizedMoment_0_0", "NormalizedMoment_0_1", "NormalizedMoment_1_0"
}  # fmt: skip


@dataclass(frozen=True)
class ProfileSettings:
    """What is measured in a field.

    Attributes
    ----------
    families
        Names of cp-measure's functions, of the three lists above.
    compartments
        ``nuclei`` (median over the nuclei, and their number) or ``field`` (the whole image as one object).
    nucleus_diameter, minimum_contrast
        See `nuclei.segment_nuclei`.
    """

    families: tuple[str, ...] = ("intensity", "sizeshape", "pearson")
    compartments: tuple[str, ...] = ("nuclei", "field")
    nucleus_diameter: float = 9.0
    minimum_contrast: float = 10.0


def measure_field(images: npt.NDArray[np.uint8], settings: ProfileSettings) -> npt.NDArray[np.float32]:
    """Features of one field.

    Parameters
    ----------
    images
        (5, H, W) uint8 in the order of `channels.CHANNELS`. cp-measure sees them divided by 255.

    Returns
    -------
    features
        (F,) float32 in the order of `feature_names`. NaN where a feature is undefined, as all of the nuclei are in a
        field without any, but for their number.
    """
    nuclei = segment_nuclei(images[CHANNELS.index("DNA")], settings.nucleus_diameter, settings.minimum_contrast)
    measured = _measure(images, nuclei, settings)
    return np.array([measured.get(name, np.nan) for name in feature_names(settings)], np.float32)


@lru_cache
def feature_names(settings: ProfileSettings) -> tuple[str, ...]:
    """Names as CellProfiler has them: compartment, category, feature and channels, e.g. ``Nuclei_AreaShape_Area``.

    cp-measure lists its features nowhere: a disc of noise is measured, and the names are those that come out.
    """
    rng = np.random.default_rng(0)
    side = int(8 * settings.nucleus_diameter)
    disc = np.hypot(*(np.mgrid[:side, :side] - side / 2)) < settings.nucleus_diameter / 2
    images = rng.integers(0, 50, (len(CHANNELS), side, side)) + rng.integers(150, 200, disc.shape) * disc
    return tuple(_measure(images.astype(np.uint8), disc.astype(np.int32), settings))


def _measure(
    images: npt.NDArray[np.uint8], nuclei: npt.NDArray[np.int32], settings: ProfileSettings
) -> dict[str, float]:
    """Median of every feature over the objects of a compartment; none of a compartment without objects."""
    features: dict[str, float] = {}
    for compartment in settings.compartments:
        if compartment == "nuclei":
            features["Nuclei_Count"] = float(nuclei.max())
        labels = nuclei if compartment == "nuclei" else np.ones_like(nuclei)
        if labels.any():
            features |= _measure_objects(compartment.capitalize(), labels, images / 255, settings.families)
    return features


def _measure_objects(
    prefix: str, labels: npt.NDArray[np.int32], pixels: npt.NDArray[np.float64], families: tuple[str, ...]
) -> dict[str, float]:
    import cp_measure
    from cp_measure.bulk import get_core_measurements, get_correlation_measurements

    cp_measure.set_accelerator("numba")  # the same values: intensity in a third, texture in a fifteenth of the time
    measure = get_core_measurements(sanitize=False) | get_correlation_measurements(sanitize=False)
    found: dict[str, npt.ArrayLike] = {}  # name -> a value an object
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        # of objects that are constant, or too small for a feature: NaN is the right answer
        warnings.filterwarnings("ignore", message="Undefined Costes result|All-NaN slice")
        for family in families:
            if family == "pearson":
                found |= {f"{prefix}_{name}": values for name, values in _correlations(labels, pixels)}
                continue
            calls: dict[tuple[int, ...], tuple]  # channels -> arguments
            if family in SHAPE_FAMILIES:
                calls = {(): (labels, None)} if prefix != "Field" else {}
            elif family in CHANNEL_FAMILIES:
                calls = {(c,): (labels, pixels[c]) for c in range(len(CHANNELS))}
            else:
                calls = {(c, d): (pixels[c], pixels[d], labels) for c, d in combinations(range(len(CHANNELS)), 2)}
            options = {"scale_max": 255} if family == "costes" else {}
            for channels, arguments in calls.items():
                suffix = "".join(f"_{CHANNELS[c]}" for c in channels)
                for name, values in measure[family](*arguments, **options).items():
                    if name not in _CONSTANT and not name.startswith(_PLACE):
                        found[f"{prefix}_{_CATEGORY.get(family, '')}{name}{suffix}"] = values
        values = np.array(list(found.values()), np.float64).reshape(len(found), labels.max())
        values[~np.isfinite(values)] = np.nan
        return dict(zip(found, np.nanmedian(values, axis=1).tolist(), strict=True))


def _correlations(
    labels: npt.NDArray[np.int32], pixels: npt.NDArray[np.float64]
) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """Name and values, one an object, of what cp-measure's ``pearson`` measures: r, and the slope of a regression.

    cp-measure calculates each pair of channels of each object anew, in two fifths of the time of the default families;
    the covariance matrix of an object has all its pairs.
    """
    from scipy.ndimage import find_objects

    boxes = enumerate(find_objects(labels), 1)
    covariances = np.stack([np.cov(pixels[:, *box][:, labels[box] == label]) for label, box in boxes])
    for c, d in combinations(range(len(CHANNELS)), 2):
        covariance, variances = covariances[:, c, d], (covariances[:, c, c], covariances[:, d, d])
        pair = f"{CHANNELS[c]}_{CHANNELS[d]}"
        yield f"Correlation_Pearson_{pair}", np.clip(covariance / np.sqrt(variances[0] * variances[1]), -1, 1)
        yield f"Correlation_Slope_{pair}", covariance / variances[0]
