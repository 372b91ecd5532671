"""Robust mean and deviation of the stored pixels of each plate's control wells."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.given_fields import Fields, GivenFields, by_channel, open_fields
from cloome_kedro.imaging.images import statistics as field_statistics
from cloome_kedro.imaging.readers import BadField

logger = logging.getLogger(__name__)

#: values of the column ``basis``: the fields that the statistics are computed from
CONTROLS, ALL_WELLS = "controls", "all wells"


def robust_statistics(
    means: npt.NDArray[np.float64], stds: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Compute robust mean and deviation of the pixels of many fields from mean and deviation of each field.

    With m and s, mean and standard deviation of the pixels of a field, and M, the median of m over the fields, the
    deviation is the square root of the median of s² + (m - M)² over the fields. This is the second moment of the
    field's pixels about M. Mean in place of both medians would give mean and standard deviation of all pixels together.
    Up to half of the fields can be outliers.

    Parameters
    ----------
    means, stds
        (fields, channels).

    Returns
    -------
    mean, deviation
        (channels,) each.

    Examples
    --------
    >>> robust_statistics(np.array([[10.0], [14.0], [255.0]]), np.array([[3.0], [5.0], [0.0]]))
    (array([14.]), array([5.]))
    """
    mean = np.median(means, axis=0)
    return mean, np.sqrt(np.median(stds**2 + (means - mean) ** 2, axis=0))


def plate_statistics(fields: pd.DataFrame, minimum_control_wells: int) -> pd.DataFrame:
    """Compute the statistics of the control wells of each plate. No image is read.

    Parameters
    ----------
    fields
        Table ``fields``.
    minimum_control_wells
        A plate with fewer control wells gets the statistics of all its wells. A warning names these plates.

    Returns
    -------
    Table ``plate_statistics``, see :mod:`cloome_kedro.schemas`; :func:`robust_statistics` has the formula.
    """
    tables, without_controls, flat = [], [], []
    for plate_file, plate in fields.groupby("plate_file", sort=True):
        controls = plate[plate["control"]]
        has_controls = controls["well"].nunique() >= minimum_control_wells
        chosen = controls if has_controls else plate
        mean, std = robust_statistics(
            *(chosen[[f"{name}_{channel}" for channel in CHANNELS]].to_numpy(float) for name in ("mean", "std"))
        )
        if not has_controls:
            without_controls.append(f"{plate_file} ({controls['well'].nunique()})")
        flat += [
            f"{channel} of {plate_file}" for channel, deviation in zip(CHANNELS, std, strict=True) if not deviation
        ]
        facts = {
            "basis": CONTROLS if has_controls else ALL_WELLS,
            "wells": chosen["well"].nunique(),
            "fields": len(chosen),
        }
        columns = {"plate_file": plate_file, "channel": list(CHANNELS), "mean": mean, "std": std}
        tables.append(pd.DataFrame(columns | facts))
    if without_controls:
        logger.warning(
            "%d of %d plates have fewer control wells than ingestion.minimum_control_wells (%d). Their statistics are "
            "those of all their wells. The plates, with their number of control wells: %s",
            *(len(without_controls), len(tables), minimum_control_wells, _first(without_controls)),
        )
    if flat:
        logger.warning(
            "%d channels of plates have the same value in all pixels of most fields: %s. A model with the "
            "normalisation `controls` does not divide them by their deviation, which is 0",
            *(len(flat), _first(flat)),
        )
    return pd.concat(tables, ignore_index=True)


def statistics_of_fields(
    read: Callable[[npt.NDArray[np.integer]], npt.NDArray[np.uint8]], number: int, batch_size: int = 64
) -> npt.NDArray[np.float32]:
    """Compute the statistics of a plate from its stored control fields.

    Parameters
    ----------
    read
        Numbers of fields (B,) -> uint8 (B, C, H, W).
    number
        Number of fields, at least 1.
    batch_size
        Number of fields that are read at once.

    Returns
    -------
    (2, C) float32: mean and deviation, see :func:`robust_statistics`.
    """
    batches = (range(start, min(start + batch_size, number)) for start in range(0, number, batch_size))
    measured = [field_statistics(image) for batch in batches for image in read(np.asarray(batch))]
    means, stds = (np.stack([values[name] for values in measured]) for name in ("mean", "std"))
    return np.stack(robust_statistics(means, stds)).astype(np.float32)


def check_arguments(by_controls: bool, controls: Fields | None, statistics: Mapping[str, Any] | None) -> None:
    """Check that exactly one of both is given if a model normalises by controls, and none otherwise.

    Raises
    ------
    ValueError
        If the arguments do not fit.
    """
    if not by_controls and (controls is not None or statistics is not None):
        raise ValueError(
            "this model does not normalise fields by the controls of their plate: leave out `controls` and `statistics`"
        )
    if by_controls and (controls is None) == (statistics is None):
        raise ValueError(
            "this model normalises fields by the controls of their plate. Give either `controls`, the fields of the "
            "plate's control wells, or `statistics`, the rows of the plate in the table plate_statistics as "
            "{'mean': ..., 'std': ...}"
        )


def given_statistics(
    statistics: Mapping[str, Any] | None,
    controls: Fields | None,
    reader: Callable[[GivenFields], Callable[[npt.NDArray[np.integer]], npt.NDArray[np.uint8]]],
) -> npt.NDArray[np.float32]:
    """Check the statistics of a plate that a user gives, or compute them from the control fields that a user gives.

    Parameters
    ----------
    statistics
        See :func:`checked_statistics`. None: ``controls`` are given.
    controls
        Control fields of the plate.
    reader
        Makes a reader of stored fields from opened fields, as `given_fields.stored_reader` does.

    Returns
    -------
    (2, 5) float32: mean and deviation.

    Raises
    ------
    ValueError, TypeError
        As :func:`checked_statistics` and `given_fields.open_fields`, or if there is no control field.
    """
    if statistics is not None:
        return checked_statistics(statistics)
    assert controls is not None
    try:
        given = open_fields(controls)
        if not given.number:
            raise ValueError("controls has no fields; give the fields of at least one control well")
        return statistics_of_fields(reader(given), given.number)
    except BadField as error:
        raise BadField(f"controls, {error}") from error


def checked_statistics(given: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """Check the statistics of a plate that a user gives.

    Parameters
    ----------
    given
        ``{"mean": values, "std": values}``. The values are five numbers in the order of `CHANNELS`, or ``{channel:
        number}``.

    Returns
    -------
    (2, 5) float32: mean and deviation.

    Raises
    ------
    ValueError
        If one of the two is missing, there are not five numbers, or a number is outside of 0 to 255.
    TypeError
        If the argument is not a mapping.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"the statistics of a plate must be {{'mean': ..., 'std': ...}}, not {given!r:.100}")
    if set(given) != {"mean", "std"}:
        raise ValueError(f"the statistics of a plate must have `mean` and `std`, not {', '.join(map(str, given))}")
    rows = []
    for name in ("mean", "std"):
        values = given[name]
        row = np.asarray(by_channel(values, name) if isinstance(values, Mapping) else values)
        if row.shape != (len(CHANNELS),) or row.dtype.kind not in "iuf":
            raise ValueError(f"{name} must be five numbers, for {', '.join(CHANNELS)}, not {values!r:.200}")
        if not ((row >= 0) & (row <= 255)).all():  # also refuses NaN
            raise ValueError(f"{name} must be from 0 to 255, as stored pixels are, not {row.tolist()}")
        rows.append(row.astype(np.float32))
    return np.stack(rows)


def _first(texts: list[str], number: int = 10) -> str:
    """First texts of a list, and how many more there are."""
    more = len(texts) - number
    return ", ".join(texts[:number]) + (f" and {more} more" if more > 0 else "")
