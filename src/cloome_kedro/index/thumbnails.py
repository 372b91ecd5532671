"""Small images of fields as bytes, without loss.

The bytes are two numbers of 16 bits, height and width, then the five channels, compressed by zlib. Each pixel is stored
as its difference from the pixel on its left, which compresses better.
"""

import struct
import zlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

_HEAD = "<HH"
_CHANNELS = 5


def encode(image: npt.NDArray[np.uint8]) -> bytes:
    """Encode an image, uint8 (5, H, W).

    >>> image = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3)
    >>> bool((decode(encode(image)) == image).all())
    True
    """
    if image.dtype != np.uint8 or image.ndim != 3 or len(image) != _CHANNELS:
        raise ValueError(f"a thumbnail must be uint8 ({_CHANNELS}, H, W), not {image.dtype} {image.shape}")
    steps = np.diff(image, axis=2, prepend=np.uint8(0))  # uint8 wraps around, and so does the sum in `decode`
    return struct.pack(_HEAD, *image.shape[1:]) + zlib.compress(steps.tobytes(), 6)


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """Decode an image: uint8 (5, H, W)."""
    shape = (_CHANNELS, *struct.unpack_from(_HEAD, data))
    steps = np.frombuffer(zlib.decompress(data[struct.calcsize(_HEAD) :]), np.uint8).reshape(shape)
    return np.cumsum(steps, axis=2, dtype=np.uint8)


def decode_all(thumbnails: Iterable[bytes]) -> npt.NDArray[np.uint8]:
    """Decode images of one size: uint8 (N, 5, H, W)."""
    return np.stack([decode(data) for data in thumbnails])
