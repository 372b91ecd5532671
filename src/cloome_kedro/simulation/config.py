"""Settings of the virtual screen, as a plain dataclass (see ``cloome_kedro.learning.config`` for why)."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class ScreenConfig:
    """Size, strength and seed of a virtual screen."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    name: str = "virtual_screen"
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
