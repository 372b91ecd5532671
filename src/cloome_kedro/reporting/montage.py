"""Five-channel fields as pictures: colour composites and grey panels."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cloome_kedro.reporting.style import one_line, plain_text

#: colour of each channel, in the order of the stack. DNA blue, ER green and Mito red are conventional. RNA and AGP
#: stain the whole cell. They have darker colours, so that a confluent field does not become pale.
COLOURS = {
    "Mito": (0.90, 0.05, 0.10),
    "ER": (0.00, 0.68, 0.22),
    "RNA": (0.00, 0.32, 0.40),
    "AGP": (0.70, 0.32, 0.00),
    "DNA": (0.10, 0.25, 0.90),
}


_LABEL_WIDTH = 32  # characters


def display_limits(fields: np.ndarray, percentiles: tuple[float, float] = (10.0, 99.6)) -> np.ndarray:
    """Compute the black and white level of each channel, the same for all fields, so that fields can be compared.

    Parameters
    ----------
    fields
        uint8 (N, 5, H, W).
    percentiles
        Percentiles of the intensities that become black and white.

    Returns
    -------
    numpy.ndarray
        float64 (5, 2), low and high. They differ by at least 1, even for an empty channel.
    """
    low, high = np.percentile(fields, percentiles, axis=(0, 2, 3))
    return np.stack([low, np.maximum(high, low + 1)], axis=1)


def stretch(fields: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Scale intensities between each channel's limits to the range from 0 to 1, and clip them.

    Parameters
    ----------
    fields
        (…, 5, H, W).
    limits
        (5, 2), black and white levels.

    Returns
    -------
    numpy.ndarray
        float32 (…, 5, H, W).
    """
    low, high = (limits[:, i, None, None].astype(np.float32) for i in (0, 1))
    return np.clip((fields.astype(np.float32) - low) / (high - low), 0, 1)


def composite(fields: np.ndarray, limits: np.ndarray | None = None) -> np.ndarray:
    """Blend the five channels of each field into one colour picture.

    The blend mode is "screen": ``1 - prod(1 - intensity x colour)``. Overlapping stains add brightness without
    clipping. A plain sum would clip.

    Parameters
    ----------
    fields
        uint8 (N, 5, H, W), channels Mito, ER, RNA, AGP, DNA.
    limits
        Black and white levels, (5, 2). The default is :func:`display_limits` of ``fields``.

    Returns
    -------
    numpy.ndarray
        uint8 (N, H, W, 3).

    Raises
    ------
    ValueError
        If ``fields`` is not (N, 5, H, W).
    """
    if fields.ndim != 4 or fields.shape[1] != len(COLOURS):
        raise ValueError(f"fields must be (N, {len(COLOURS)}, H, W), channels {', '.join(COLOURS)}; got {fields.shape}")
    levels = stretch(fields, display_limits(fields) if limits is None else limits)
    dark = np.ones((len(fields), *fields.shape[2:], 3), np.float32)
    for channel, colour in enumerate(COLOURS.values()):
        dark *= 1 - levels[:, channel, :, :, None] * np.asarray(colour, np.float32)
    return np.round(255 * (1 - dark)).astype(np.uint8)


def shrink(fields: np.ndarray, max_side: int = 320) -> np.ndarray:
    """Average blocks of pixels until no side is longer than ``max_side``.

    Parameters
    ----------
    fields
        uint8 (…, H, W).
    max_side
        Maximum height and width in pixels.

    Returns
    -------
    numpy.ndarray
        uint8 (…, H / step, W / step) with the smallest possible whole ``step``. Fields that are small enough are
        returned unchanged.
    """
    step = -(-max(fields.shape[-2:]) // max_side)
    if step == 1:
        return fields
    height, width = (side // step for side in fields.shape[-2:])
    blocks = fields[..., : height * step, : width * step].reshape(*fields.shape[:-2], height, step, width, step)
    return np.round(blocks.mean(axis=(-3, -1))).astype(np.uint8)


@plain_text
def panels(fields: np.ndarray, labels: Iterable[str], note: str = "") -> Figure:
    """Draw one row per field: its composite, then its five channels in grey. All rows have the same contrast.

    Parameters
    ----------
    fields
        uint8 (N, 5, H, W).
    labels
        N labels of rows.
    note
        Small text above the panels, such as that the data are simulated.
    """
    fields = shrink(fields)
    limits = display_limits(fields)
    colours, greys = composite(fields, limits), stretch(fields, limits)
    side = 1.75
    height = side * fields.shape[2] / fields.shape[3]
    head = 0.45
    figure = Figure(figsize=(6 * side, len(fields) * (height + 0.28) + head))
    axes = figure.subplots(len(fields), 6, squeeze=False)
    for row, (label, colour, grey) in enumerate(zip(labels, colours, greys, strict=True)):
        axes[row, 0].imshow(colour)
        axes[row, 0].set_title(label, fontsize=9, loc="left")
        for column, channel in enumerate(grey, start=1):
            axes[row, column].imshow(channel, cmap="gray", vmin=0, vmax=1)
    for axis, channel in zip(axes[0, 1:], COLOURS, strict=True):
        axis.set_title(channel, fontsize=9)
    for axis in axes.flat:
        axis.set_axis_off()
    total = figure.get_figheight()
    figure.subplots_adjust(0.005, 0.005, 0.995, 1 - (head + 0.05) / total, wspace=0.02, hspace=0.28 / height)
    figure.text(0.005, 1 - 0.16 / total, note, fontsize=9, color="0.35", va="center")
    return figure


def sample_panels(
    fields: pd.DataFrame,
    read: Callable[[Iterable[str]], np.ndarray],
    names: pd.Series,
    seed: int,
    note: str = "",
    rows: int = 4,
) -> Figure:
    """Draw :func:`panels` of one control field and of random treated fields of different compounds.

    Parameters
    ----------
    fields
        Table of this name.
    read
        Function from field ids to images, see :func:`field_reader`.
    names
        Names of compounds, indexed by field id. If a name is missing, the compound id of the screen is shown.
    seed
        Seed of the choice of fields.
    note
        Small text above the panels.
    rows
        Maximum number of fields. Without a control, all are treated fields.
    """
    generator = np.random.default_rng(seed)
    controls, treated = fields[fields["control"]], fields[~fields["control"]].drop_duplicates("compound_id")
    n_controls = min(1, len(controls))
    shown: list[Any] = []
    for table, number in ((controls, n_controls), (treated, rows - n_controls)):
        drawn = generator.choice(len(table), min(number, len(table)), replace=False)
        shown += list(table.iloc[np.sort(drawn)].itertuples())
    labels = []
    for row in shown:
        name = names.get(row.field_id)
        treatment = "control" if row.control else name if isinstance(name, str) else row.compound_id
        place = f"{one_line(row.plate, 16)} {row.well}"
        # A longer label would run into the name of the next panel's channel.
        labels.append(f"{one_line(treatment, _LABEL_WIDTH - len(place))} · {place}")
    return panels(read([row.field_id for row in shown]), labels, note)


def field_reader(plate_store: Any, fields: pd.DataFrame) -> Callable[[Iterable[str]], np.ndarray]:
    """Make a function that reads the images of fields.

    Parameters
    ----------
    plate_store
        Object whose ``reader(plate_files, rows)`` makes a function from positions to images.
    fields
        Table with the columns ``field_id``, ``plate_file`` and ``row``.

    Returns
    -------
    callable
        Function from field ids to uint8 (N, 5, H, W), in the given order.
    """
    places = fields.set_index("field_id")[["plate_file", "row"]]

    def read(field_ids: Iterable[str]) -> np.ndarray:
        rows = places.loc[list(field_ids)]
        return plate_store.reader(rows["plate_file"].tolist(), rows["row"].to_numpy())(np.arange(len(rows)))

    return read
