"""Statistics of pixels by which images are normalised: of training fields, and of the controls of plates."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from cloome_kedro.learning.views.base import Read, Table


def statistics_of_plates(statistics: Table, plate_files: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Select the statistics of the plate of each field from the table ``plate_statistics``.

    Parameters
    ----------
    statistics
        The table, with one row per plate and channel.
    plate_files : (n,) str
        Plate of each field.
    channels
        Order of the channels.

    Returns
    -------
    (n, 2, channels) float32: mean and deviation.

    Raises
    ------
    ValueError
        If a plate or a channel is missing.
    """
    names = ("plate_file", "channel", "mean", "std")
    columns = [np.asarray(statistics[name]).tolist() for name in names]
    known = {(plate, channel): values for plate, channel, *values in zip(*columns, strict=True)}
    plates, codes = np.unique(plate_files, return_inverse=True)
    needed = [(str(plate), channel) for plate in plates for channel in channels]
    if missing := [key for key in needed if key not in known]:
        plate, channel = missing[0]
        raise ValueError(
            f"plate_statistics has no row of plate {plate}, channel {channel}, but the normalisation `controls` needs "
            f"it. {len({plate for plate, _ in missing})} of {len(plates)} plates lack rows: run the pipeline ingestion "
            "again"
        )
    of_plates = np.array([known[key] for key in needed], np.float32).reshape(len(plates), len(channels), 2)
    return of_plates.transpose(0, 2, 1)[codes]


def channel_statistics(
    read: Read, fields: np.ndarray, seed: int, at_most: int = 2048, progress: bool = True
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Measure mean and standard deviation of each channel over all pixels of a sample of fields.

    Pixels are summed as integers, so the sums are exact. A channel with constant pixels gets the standard deviation 1.

    Parameters
    ----------
    read
        Positions of fields (B,) -> uint8 (B, C, H, W).
    fields : (n,) int
        Positions of fields, from which up to ``at_most`` are drawn by the seed.

    Returns
    -------
    mean, std
        One value per channel.
    """
    sample = np.sort(np.random.default_rng(seed).permutation(fields)[:at_most])
    total, squares, pixels = np.zeros(1, np.uint64), np.zeros(1, np.uint64), 0
    batches = np.array_split(sample, -(-len(sample) // 64))
    for batch in tqdm(batches, desc="channel statistics", unit="batch", disable=not progress):
        images = read(batch).astype(np.uint32)
        total = total + images.sum((0, 2, 3), dtype=np.uint64)
        squares = squares + (images * images).sum((0, 2, 3), dtype=np.uint64)
        pixels += images[:, 0].size
    mean = total / pixels
    std = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    return tuple(mean.tolist()), tuple(np.where(std > 0, std, 1).tolist())
