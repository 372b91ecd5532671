"""Small pictures of raw fields, channel by channel, also of fields that were rejected."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.images import area_average
from cloome_kedro.imaging.readers import BadField, read_image


def raw_thumbnail(field: Mapping[str, Any], side: int = 128) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """Read the channels of a raw field that can be read, each on its own.

    Parameters
    ----------
    field
        Row of the table ``field_index``: ``path_`` and ``plane_`` of each channel. Of a stack, the first image is read.
    side
        Height and width of the picture, in pixels.

    Returns
    -------
    picture : numpy.ndarray
        uint8 (5, side, side). Each channel is scaled from its 1st to its 99.8th percentile, so that dark images can be
        seen. Channels that cannot be read are black.
    unreadable : list of str
        Names of these channels.
    """
    picture = np.zeros((len(CHANNELS), side, side), np.uint8)
    unreadable = []
    for number, channel in enumerate(CHANNELS):
        plane = field.get(f"plane_{channel}", pd.NA)
        try:
            image = read_image(str(field[f"path_{channel}"]), None if pd.isna(plane) else int(plane))
            if image.ndim != 2 or min(image.shape) < 1:
                raise BadField(f"shape {image.shape}")
        except (BadField, OSError, TypeError, ValueError):
            unreadable.append(channel)
            continue
        picture[number] = area_average(_scaled(image)[None], (side, side))[0]
    return picture, unreadable


def _scaled(image: npt.NDArray) -> npt.NDArray[np.uint8]:
    low, high = np.percentile(image, [1, 99.8])
    return np.round(np.clip((image - low) / max(high - low, 1), 0, 1) * 255).astype(np.uint8)
