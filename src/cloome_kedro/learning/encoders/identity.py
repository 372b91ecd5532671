"""Identity: the input vectors are the embeddings."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from cloome_kedro.learning.encoders.base import Encoder


@dataclass(frozen=True)
class Identity(Encoder):
    """The vectors of the view, unchanged."""

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    def build(self, inputs: int, size: int) -> nn.Module:
        """Make a module without parameters."""
        return nn.Identity()

    def fixed_size(self, inputs: int) -> int:
        """Length of the input."""
        return inputs
