"""Settings of the correction of illumination: plain dataclasses, which pydantic fills from the configuration.

This module needs only the standard library, like `cloome_kedro.imaging.config`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

_STRICT = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True)
class ProvidedIllumination:
    """Illumination functions that the screen brings, such as those of the Cell Painting Gallery.

    Attributes
    ----------
    source
        ``provided``.
    files
        Pattern of the files ``.npy``, relative to the folder of the source, such as
        ``illum/{plate}/{plate}_Illum{channel}.npy``. ``{channel}`` stands for any name of a channel, and ``*`` for any
        text in the name of a file or folder. None: the columns ``FileName_Illum<Channel>`` and
        ``PathName_Illum<Channel>`` of the LoadData tables name the files.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    source: Literal["provided"]
    files: str | None = None

    def __post_init__(self):
        if self.files is not None and "{channel}" not in self.files:
            raise ValueError(
                f"illumination: files {self.files!r} has no {{channel}}; write a pattern such as "
                "illum/{plate}/{plate}_Illum{channel}.npy"
            )


@dataclass(frozen=True)
class EstimatedIllumination:
    """Illumination functions that are estimated from the images of each plate.

    Attributes
    ----------
    source
        ``estimate``.
    method
        ``mean``: the smoothed mean of the images, as CellProfiler's CorrectIlluminationCalculate makes it. ``basic``:
        BaSiC (Peng et al. 2017), which needs the package basicpy.
    smoothing
        Filter of the mean.
    width
        Width of this filter as a share of the shorter side of the images. It is the full width at half maximum of
        ``gaussian``; the radius of the disc of ``median`` is the width divided by 2.35, as in CellProfiler.
    fields
        Largest number of fields of a plate that are averaged. They are drawn at random.
    minimum_fields
        A plate with fewer fields that can be read is not corrected.
    seed
        Seed of the draw. It is not the seed of the run, so runs with different seeds use the same plates.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    source: Literal["estimate"]
    method: Literal["mean", "basic"] = "mean"
    smoothing: Literal["gaussian", "median"] = "gaussian"
    width: float = 0.2
    fields: int = 256
    minimum_fields: int = 100
    seed: int = 0

    def __post_init__(self):
        if not 0 < self.width <= 1:
            raise ValueError(f"illumination: width must be above 0 and at most 1, is {self.width}")
        for name in ("fields", "minimum_fields"):
            if getattr(self, name) < 2:
                raise ValueError(f"illumination: {name} must be at least 2, is {getattr(self, name)}")
        if self.minimum_fields > self.fields:
            raise ValueError(
                f"illumination: minimum_fields ({self.minimum_fields}) must not be above fields ({self.fields})"
            )
        if self.seed < 0:
            raise ValueError(f"illumination: seed must be at least 0, is {self.seed}")


Illumination = ProvidedIllumination | EstimatedIllumination


def illumination_of(settings: Mapping[str, Any]) -> Illumination:
    """Settings from the values that a store of plates or a checkpoint keeps."""
    is_estimate = settings.get("source") == "estimate"
    return EstimatedIllumination(**settings) if is_estimate else ProvidedIllumination(**settings)
