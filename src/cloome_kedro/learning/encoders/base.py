"""What every encoder is."""

from abc import ABC, abstractmethod

from torch import nn


class Encoder(ABC):
    """Settings of an encoder; a frozen dataclass with JSON values, which a checkpoint keeps."""

    @abstractmethod
    def build(self, inputs: int, size: int) -> nn.Module:
        """A network with fresh weights, from torch's default generator.

        Parameters
        ----------
        inputs
            Length of the first axis of one row's input: channels of an image, or numbers of a vector.
        size
            Length of an embedding.

        Returns
        -------
        Module from (N, inputs, ...) to (N, size).
        """

    def own_size(self, inputs: int) -> int | None:
        """Length of its embeddings where that is not free to choose; None where it is."""
        return None
