"""Settings of the virtual screen: a plain dataclass, which pydantic fills from the configuration."""

from dataclasses import dataclass
from math import inf
from typing import ClassVar

_RANGES = (
    (("compounds", "platemaps", "replicates", "sites"), 1, inf),
    (("control_wells", "assays", "effect_strength"), 0, inf),
    (("seed",), 0, 2**32 - 1),
    (("field_size",), 16, inf),
    (("inactive_fraction",), 0, 1),
    (("plate_effect_strength",), 0, 2),  # higher values make parts of many fields dark
)


@dataclass(frozen=True)
class ScreenConfig:
    """Size, effects and seed of a virtual screen.

    Attributes
    ----------
    seed
        Seed of all draws.
    compounds, platemaps, replicates
        Number of compounds, of platemaps on which they are spread, and of plates per platemap.
    control_wells
        Number of control wells per plate.
    sites
        Number of fields per well.
    field_size
        Side of a field in pixels.
    inactive_fraction
        Share of compounds without a mechanism.
    effect_strength
        Factor of the off-target effects.
    plate_effect_strength
        Factor of gains, edge effects, uneven light, debris and defocus. With 0, only the noise of biology, photons and
        camera remains.
    assays
        Number of assays.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    seed: int = 0
    compounds: int = 1280
    platemaps: int = 4
    replicates: int = 4
    control_wells: int = 32
    sites: int = 1
    field_size: int = 96
    inactive_fraction: float = 0.25
    effect_strength: float = 1.0
    plate_effect_strength: float = 1.0
    assays: int = 48

    def __post_init__(self):
        for names, low, high in _RANGES:
            for name in names:
                if not low <= getattr(self, name) <= high:
                    raise ValueError(f"screen: {name} must be from {low} to {high}, is {getattr(self, name)}")
        if self.compounds < self.platemaps:
            raise ValueError(
                f"screen: {self.compounds} compounds do not fill {self.platemaps} platemaps; reduce platemaps"
            )
