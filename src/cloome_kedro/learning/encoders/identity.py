"""No encoder: vectors are their own embeddings."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from cloome_kedro.learning.encoders.base import Encoder


@dataclass(frozen=True)
class Identity(Encoder):
    """The view's vectors as they are."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    def build(self, inputs: int, size: int) -> nn.Module:
        """A module without parameters."""
        return nn.Identity()

    def own_size(self, inputs: int) -> int:
        """That of the input."""
        return inputs
