"""Base class of encoders."""

from abc import ABC, abstractmethod

from torch import nn


class Encoder(ABC):
    """Settings of an encoder. A subclass is a frozen dataclass with JSON values, which are saved in the checkpoint."""

    @abstractmethod
    def build(self, inputs: int, size: int) -> nn.Module:
        """Make a network with initial weights from torch's default generator.

        Parameters
        ----------
        inputs
            Length of the first axis of one row's input: channels of an image, or numbers of a vector.
        size
            Length of an embedding.

        Returns
        -------
        torch.nn.Module
            From (N, inputs, ...) to (N, size).
        """

    def fixed_size(self, inputs: int) -> int | None:
        """Length of the embeddings if the encoder determines it; None if the configuration may choose it."""
        return None
