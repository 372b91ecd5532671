"""Settings of ingestion and profiles: plain dataclasses, which pydantic fills from the configuration.

This module needs only the standard library. ``__pydantic_config__`` makes pydantic refuse unknown keys.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, get_args

from cloome_kedro.imaging.illumination.settings import Illumination, illumination_of

_STRICT = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True)
class Intensity:
    """How images of 12 or 16 bits are scaled to 8 bits, see :mod:`cloome_kedro.imaging.intensity`.

    Attributes
    ----------
    outlier_percent
        Percentage of pixels, the brightest ones, that are clipped.
    scale
        Value to which the threshold is scaled. Values above 255 then become 255.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    outlier_percent: float
    scale: Literal[255, 256]

    def __post_init__(self):
        if not 0 <= self.outlier_percent < 100:
            raise ValueError(f"intensity: outlier_percent must be from 0 to below 100, is {self.outlier_percent}")


IntensityName = Literal["published_training", "published_inference"]

#: the publication's training and its example of inference scaled images in different ways
INTENSITIES: dict[str, Intensity] = {
    "published_training": Intensity(0.0028, 256),
    "published_inference": Intensity(0.01, 255),
}


@dataclass(frozen=True)
class Storage:
    """How raw images become stored fields.

    The intensities of the whole image are scaled first. The image is then cropped and resized. This order has two
    advantages: the thresholds are the same for every crop and size, as in the published data; and the few clipped
    pixels have little influence on a small image, since they are averaged with their neighbours.

    Attributes
    ----------
    intensity
        Name of a preset in `INTENSITIES`, or ``outlier_percent`` and ``scale``.
    scope
        ``field``: each channel of each field has its own threshold. ``plate``: all fields of a plate share one
        threshold per channel.
    crop
        Side of the central square that is kept, in pixels. None keeps the whole image.
    size
        (height, width) of stored fields in pixels, made by area averaging. None keeps the size.
    illumination
        How uneven illumination is corrected, before the intensities are scaled. None: it is not corrected.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    intensity: Intensity | IntensityName = "published_training"  # type: ignore[assignment]
    scope: Literal["field", "plate"] = "field"
    crop: int | None = None
    size: tuple[int, int] | None = None
    illumination: Illumination | None = None

    def __post_init__(self):
        if isinstance(self.illumination, Mapping):  # from a checkpoint
            object.__setattr__(self, "illumination", illumination_of(self.illumination))
        if isinstance(self.intensity, str):
            if self.intensity not in INTENSITIES:
                raise ValueError(
                    f"intensity: there is no preset {self.intensity}; the presets are {', '.join(INTENSITIES)}"
                )
            object.__setattr__(self, "intensity", INTENSITIES[self.intensity])
        for name, sides in (("crop", (self.crop,)), ("size", self.size or ())):
            if any(side is not None and side < 1 for side in sides):
                raise ValueError(f"storage: {name} must be at least 1 pixel, is {getattr(self, name)}")
        if self.crop is not None and self.size is not None and max(self.size) > self.crop:
            raise ValueError(
                f"storage: size {self.size} is larger than crop {self.crop}, but images are never enlarged"
            )

    @property
    def intensity_values(self) -> Intensity:
        """``outlier_percent`` and ``scale``, also where the configuration names a preset."""
        assert isinstance(self.intensity, Intensity)
        return self.intensity

    def notes(self) -> dict[str, Any]:
        """Values that describe how fields are stored, for a store or a checkpoint."""
        notes = asdict(self)
        if self.illumination is None:  # so that plates and checkpoints from before this setting stay valid
            del notes["illumination"]
        return notes

    def stored_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return (height, width) of a stored field whose images have ``shape``.

        Raises
        ------
        ValueError
            If the images are smaller than ``crop`` or ``size``: images are never enlarged.
        """
        after_crop = (self.crop, self.crop) if self.crop else shape
        after_resize = self.size or after_crop
        for name, new_shape in (("crop", after_crop), ("size", after_resize)):
            if new_shape[0] > shape[0] or new_shape[1] > shape[1]:
                raise ValueError(f"{name} {new_shape} in params:ingestion.storage is larger than the images, {shape}")
        return after_resize


#: functions of cp-measure that measure outlines; the whole field has no outline to measure
SHAPE_FAMILIES = ("sizeshape", "zernike", "feret")
#: functions of cp-measure that measure one channel
CHANNEL_FAMILIES = ("intensity", "texture", "granularity", "radial_distribution", "radial_zernikes")
#: functions of cp-measure that measure a pair of channels
PAIR_FAMILIES = ("pearson", "costes", "manders_fold", "rwc")
Family = Literal[
    "sizeshape", "zernike", "feret",
    "intensity", "texture", "granularity", "radial_distribution", "radial_zernikes",
    "pearson", "costes", "manders_fold", "rwc",
]  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    """What is measured in a field.

    Attributes
    ----------
    families
        Names of functions of cp-measure.
    compartments
        ``nuclei``: the median over the nuclei, and their number. ``field``: the whole image as one object.
    nucleus_diameter
        Diameter of a typical nucleus in pixels of the stored fields.
    minimum_contrast
        Difference in grey levels (0 to 255) between nuclei and background. A field with a smaller difference has no
        nuclei.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    families: tuple[Family, ...] = ("intensity", "sizeshape", "pearson")
    compartments: tuple[Literal["nuclei", "field"], ...] = ("nuclei", "field")
    nucleus_diameter: float = 9.0
    minimum_contrast: float = 10.0

    def __post_init__(self):
        known = get_args(Family)
        if not self.families or set(self.families) - set(known):
            raise ValueError(f"profiles: families must be one or more of {', '.join(known)}, is {list(self.families)}")
        if not self.compartments:
            raise ValueError("profiles: compartments must name nuclei, field or both")
        if self.nucleus_diameter < 3:
            raise ValueError(f"profiles: nucleus_diameter must be at least 3 pixels, is {self.nucleus_diameter}")
        if self.minimum_contrast < 0:
            raise ValueError(f"profiles: minimum_contrast must be at least 0, is {self.minimum_contrast}")
        if "nuclei" not in self.compartments and not set(self.families) - set(SHAPE_FAMILIES):
            raise ValueError(
                f"profiles: {', '.join(self.families)} measure only outlines of nuclei; add nuclei to "
                "profiles.measure.compartments"
            )


@dataclass(frozen=True)
class Normalisation:
    """How raw features become profiles.

    Attributes
    ----------
    method
        pycytominer's ``mad_robustize`` (median and median absolute deviation) or ``standardize`` (mean and standard
        deviation). The controls of each plate give these statistics. None: the values are normalised already.
    minimum_controls
        A plate with fewer controls is normalised against all its rows.
    clip
        Largest absolute value after normalisation. Larger values are clipped.
    na_cutoff
        A feature is dropped if a larger share of its values is missing.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    method: Literal["mad_robustize", "standardize"] | None = "mad_robustize"
    minimum_controls: int = 8
    clip: float = 20.0
    na_cutoff: float = 0.05

    def __post_init__(self):
        if self.minimum_controls < 1:
            raise ValueError(f"normalisation: minimum_controls must be at least 1, is {self.minimum_controls}")
        if self.clip <= 0:
            raise ValueError(f"normalisation: clip must be above 0, is {self.clip}")
        if not 0 <= self.na_cutoff <= 1:
            raise ValueError(f"normalisation: na_cutoff must be from 0 to 1, is {self.na_cutoff}")


Operation = Literal["drop_na_columns", "variance_threshold", "frequency_threshold", "correlation_threshold"]


@dataclass(frozen=True)
class Selection:
    """Which features are kept.

    Attributes
    ----------
    operations
        Operations of pycytominer's ``feature_select``. They run in this order.
    correlation_threshold
        If two features have a higher correlation, one of them is dropped.
    fields
        Largest number of fields on which features are selected. If there are more, fields are drawn at random.
    seed
        Seed of this draw. It is not the seed of the run, so runs with different seeds use the same features.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    operations: tuple[Operation, ...] = ("drop_na_columns", "variance_threshold", "correlation_threshold")
    correlation_threshold: float = 0.9
    fields: int = 20_000
    seed: int = 0

    def __post_init__(self):
        if not 0 <= self.correlation_threshold <= 1:
            raise ValueError(f"selection: correlation_threshold must be from 0 to 1, is {self.correlation_threshold}")
        if self.fields < 1:
            raise ValueError(f"selection: fields must be at least 1, is {self.fields}")
        if self.seed < 0:
            raise ValueError(f"selection: seed must be at least 0, is {self.seed}")
