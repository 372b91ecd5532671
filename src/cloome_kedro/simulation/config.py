"""Settings of the virtual screen, as a plain dataclass (see ``cloome_kedro.learning.config`` for why)."""

from dataclasses import dataclass
from math import inf
from typing import ClassVar

_RANGES = (
    (("compounds", "platemaps", "replicates", "sites"), 1, inf),
    (("seed", "control_wells", "assays", "effect_strength"), 0, inf),
    (("field_size",), 16, inf),
    (("inactive_fraction",), 0, 1),
    (("plate_effect_strength",), 0, 2),  # beyond it, parts of many fields are dark
)


@dataclass(frozen=True)
class ScreenConfig:
    """Size, strength and seed of a virtual screen.

    ``effect_strength`` scales the off-target effects; ``plate_effect_strength`` gains, edges, uneven light, debris and
    defocus (0 leaves biological, photon and camera noise).
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

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
            raise ValueError(f"screen: {self.compounds} compounds do not fill {self.platemaps} platemaps")
