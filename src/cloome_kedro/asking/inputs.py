"""Checks of the structures and images that `Asker` gets, and how images are scaled by a plate of the screen."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.words import counted

if TYPE_CHECKING:
    from cloome_kedro.chemistry.standardise import Structure
    from cloome_kedro.imaging.given_fields import GivenFields
    from cloome_kedro.index import Index
    from cloome_kedro.inference import Cloome

_FACTOR = 16  # between the brightest pixels of an image and the threshold of the plate


def identify(smiles: str) -> "Structure":
    """Standardise a structure: its InChIKey and SMILES.

    Raises
    ------
    ValueError
        If the SMILES cannot be read. The message repeats it.
    """
    from cloome_kedro.chemistry.standardise import standardise_smiles

    try:
        return standardise_smiles(smiles)
    except (ValueError, RuntimeError) as error:  # RDKit raises both
        raise ValueError(f"the SMILES {smiles!r} cannot be embedded: {error}") from error


def check_form(images: Any) -> None:
    """Check that images are five channels of uint8 or uint16, before anything else is looked at; ValueError if not."""
    if not len(images):
        raise ValueError("there is no image")
    _opened(images)


def plate_arguments(
    index: "Index", model: "Cloome", images: Any, plate: str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Complete the arguments of `Cloome.embed_fields` by the statistics of a plate of the screen.

    Raises
    ------
    ValueError
        If the model scales images by their plate and neither a plate nor statistics are given, or the plate is unknown.
    """
    options = dict(options)
    views = model.image_views
    is_raw = not isinstance(images, np.ndarray) or images.dtype.itemsize > 1
    by_threshold = is_raw and any(view.get("storage", {}).get("scope") == "plate" for view in views)
    by_controls = any(view.get("normalisation") == "controls" for view in views)
    needed = (by_threshold and not {"thresholds", "plate_fields"} & set(options)) or (
        by_controls and not {"controls", "statistics"} & set(options)
    )
    if not needed:
        return options
    table = index.side_table("plate_statistics")
    plates = sorted(table["plate"].unique()) if len(table) else []
    if plate is None or plate not in plates:
        known = f"{', '.join(plates[:5])}{' ...' if len(plates) > 5 else ''} ({counted(len(plates), 'plate')})"
        wrong = "" if plate is None else f"there is no plate {plate!r}: "
        raise ValueError(
            f"{wrong}the model scales images by the statistics of their plate: name the plate of the screen with which "
            f"they were made, one of {known}, or give the controls of a new plate"
        )
    rows = table[table["plate"] == plate].set_index("channel").reindex(CHANNELS)
    if by_controls and not {"controls", "statistics"} & set(options):
        options["statistics"] = {name: rows[name].tolist() for name in ("mean", "std")}
    if by_threshold and not {"thresholds", "plate_fields"} & set(options) and _opened(images).bits > 8:
        if rows["threshold"].isna().any():
            raise ValueError(f"the index has no thresholds of the plate {plate}: run the pipeline `index` again")
        options["thresholds"] = rows["threshold"].tolist()
    return options


def _opened(images: Any) -> "GivenFields":
    from cloome_kedro.imaging.given_fields import open_fields

    try:
        return open_fields(images)
    except TypeError as error:
        raise ValueError(str(error)) from error


def check_magnitude(images: Any, thresholds: Any) -> None:
    """Refuse raw images whose intensities have another order of magnitude than those of their plate.

    Raises
    ------
    ValueError
        If the brightest pixels of most channels of the first field are more than 16 times as bright as the threshold of
        the plate, or less than a sixteenth of it.
    """
    if thresholds is None:
        return
    from cloome_kedro.imaging.given_fields import by_channel

    given = _opened(images)
    if given.bits == 8 or not given.number:
        return
    limits = np.asarray(by_channel(thresholds, "thresholds") if isinstance(thresholds, Mapping) else thresholds, float)
    bright = np.percentile(given.read(0), 99.5, axis=(1, 2))
    ratio = bright / np.maximum(limits, 1)
    wrong = (ratio > _FACTOR) | (ratio < 1 / _FACTOR)
    if wrong.sum() > len(CHANNELS) // 2:
        channel = int(np.argmax(np.abs(np.log(np.maximum(ratio, 1e-9)))))
        raise ValueError(
            f"the intensities of the images have another order of magnitude than the plate: the brightest pixels of "
            f"{CHANNELS[channel]} are about {bright[channel]:,.0f}, but the threshold of the plate is "
            f"{limits[channel]:,.0f}. Give the images as the microscope wrote them"
        )


def statistics_table(plate_statistics: pd.DataFrame, fields: pd.DataFrame) -> pd.DataFrame:
    """Statistics of the plates for an index: controls, and thresholds if all fields of a plate share them.

    Parameters
    ----------
    plate_statistics, fields
        Tables of these names.

    Returns
    -------
    One row per plate file and channel: ``plate``, ``plate_file``, ``channel``, ``mean``, ``std``, ``threshold``.
    """
    names = fields.drop_duplicates("plate_file").set_index("plate_file")["plate"]
    table = plate_statistics[["plate_file", "channel", "mean", "std"]].copy()
    table.insert(0, "plate", table["plate_file"].map(names))
    thresholds = [f"threshold_{channel}" for channel in CHANNELS]
    if set(thresholds) - set(fields):
        return table.assign(threshold=np.nan)
    by_plate = fields.groupby("plate_file")[thresholds]
    shared = by_plate.first().where(by_plate.nunique().eq(1)).rename(columns=lambda name: name.partition("_")[2])
    long = shared.rename_axis(columns="channel").stack()
    return table.join(pd.DataFrame({"threshold": long}), on=["plate_file", "channel"])
