"""Five-channel fields as pictures: colour composites and grey panels."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

#: the colour each channel is drawn in, in the order of the stack: DNA blue, ER green and Mito red, as is the habit;
#: RNA and AGP, which stain the whole cell, take darker mixtures, so that a confluent field does not turn pale
COLOURS = {
    "Mito": (0.90, 0.05, 0.10),
    "ER": (0.00, 0.68, 0.22),
    "RNA": (0.00, 0.32, 0.40),
    "AGP": (0.70, 0.32, 0.00),
    "DNA": (0.10, 0.25, 0.90),
}


def display_limits(fields: np.ndarray, percentiles: tuple[float, float] = (10.0, 99.6)) -> np.ndarray:
    """Black and white level of each channel, shared by all fields of a picture so that they can be compared.

    Parameters
    ----------
    fields : uint8 (N, 5, H, W)

    Returns
    -------
    float64 (5, 2), low and high; high > low also for an empty channel.
    """
    low, high = np.percentile(fields, percentiles, axis=(0, 2, 3))
    return np.stack([low, np.maximum(high, low + 1)], axis=1)


def stretch(fields: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Scale (…, 5, H, W) intensities between each channel's limits to float32 from 0 to 1, clipped."""
    low, high = (limits[:, i, None, None].astype(np.float32) for i in (0, 1))
    return np.clip((fields.astype(np.float32) - low) / (high - low), 0, 1)


def composite(fields: np.ndarray, limits: np.ndarray | None = None) -> np.ndarray:
    """Blend the five channels of each field into one colour picture.

    The channels are blended as screens, ``1 - prod(1 - intensity x colour)``: overlapping stains brighten one another
    without clipping, which a plain sum does not.

    Parameters
    ----------
    fields : uint8 (N, 5, H, W), channels Mito, ER, RNA, AGP, DNA
    limits : (5, 2), optional
        Black and white levels; those of ``fields`` by default.

    Returns
    -------
    uint8 (N, H, W, 3)

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


def shrink(fields: np.ndarray, most: int = 320) -> np.ndarray:
    """Average blocks of pixels until no side of (…, H, W) is longer than ``most``; smaller fields stay as they are."""
    step = -(-max(fields.shape[-2:]) // most)
    if step == 1:
        return fields
    height, width = (side // step for side in fields.shape[-2:])
    blocks = fields[..., : height * step, : width * step].reshape(*fields.shape[:-2], height, step, width, step)
    return np.round(blocks.mean(axis=(-3, -1))).astype(np.uint8)


def panels(fields: np.ndarray, labels: Iterable[str], note: str = "") -> Figure:
    """Each field as a row: its composite, then its five channels in grey, all rows at the same contrast.

    Parameters
    ----------
    fields : uint8 (N, 5, H, W)
    labels : N row labels
    note : small text above, e.g. that the data are simulated
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
    fields: Any, read: Callable[[Iterable[str]], np.ndarray], names: Any, seed: int, note: str = "", most: int = 4
) -> Figure:
    """:func:`panels` of one control and up to ``most - 1`` treated fields of different compounds, drawn by ``seed``.

    Parameters
    ----------
    fields : table ``fields``
    read : function from field ids to images, see :func:`field_reader`
    names : Series field id -> compound's name; the screen's own compound id stands in for a missing one
    """
    generator = np.random.default_rng(seed)
    controls, treated = fields[fields["control"]], fields[~fields["control"]].drop_duplicates("compound_id")
    rows = []
    for table, number in ((controls, min(1, len(controls))), (treated, most - min(1, len(controls)))):
        drawn = generator.choice(len(table), min(number, len(table)), replace=False)
        rows += list(table.iloc[np.sort(drawn)].itertuples())
    labels = []
    for row in rows:
        name = names.get(row.field_id)
        what = "control" if row.control else name if isinstance(name, str) else row.compound_id
        labels.append(f"{what} · {row.plate} {row.well}")
    return panels(read([row.field_id for row in rows]), labels, note)


def field_reader(plate_store: Any, fields: Any) -> Callable[[Iterable[str]], np.ndarray]:
    """Function from field ids to their images, uint8 (N, 5, H, W), in the order asked for.

    Parameters
    ----------
    plate_store : object whose ``reader(plate_files, rows)`` gives a function from positions to images
    fields : table with ``field_id``, ``plate_file`` and ``row``
    """
    places = fields.set_index("field_id")[["plate_file", "row"]]

    def read(field_ids: Iterable[str]) -> np.ndarray:
        rows = places.loc[list(field_ids)]
        return plate_store.reader(rows["plate_file"].tolist(), rows["row"].to_numpy())(np.arange(len(rows)))

    return read
