"""Image files of one field, as they are given to a command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cloome_kedro.imaging.channels import CHANNELS, channel_of_file


def read_images(files: Sequence[str]) -> tuple[Any, str]:
    """Images of one field, in a form that `Cloome.embed_fields` takes.

    Parameters
    ----------
    files
        One file per channel; their names say the channels, or they are in the order Mito, ER, RNA, AGP, DNA, or they
        are given as ``CHANNEL=FILE``. Or one file with all five: a ``.npy`` array or a TIFF of shape (5, H, W).

    Returns
    -------
    images, text
        Array (1, 5, H, W) or a list of one mapping or list of files, and a name of the field.

    Raises
    ------
    ValueError
        If there is another number of files or channels, or a file is missing or cannot be read.
    """
    if len(files) == 1:
        return _stack(Path(files[0])), Path(files[0]).name
    named = {}
    for file in files:
        channel, is_named, path = file.partition("=")
        if is_named and not Path(file).exists():
            named[channel] = path
    if named and len(named) < len(files):
        raise ValueError("name the channel of each file as CHANNEL=FILE, or of none")
    paths = list(named.values()) or list(files)
    for path in paths:
        if not Path(path).expanduser().is_file():
            raise ValueError(f"there is no file {path}")
    if len(paths) != len(CHANNELS):
        raise ValueError(f"{len(paths)} files are given; a field needs one each for {', '.join(CHANNELS)}")
    channels: list[str | None] = [*named] or [channel_of_file(path) for path in paths]
    text = Path(paths[0]).name
    if named or (None not in channels and len(set(channels)) == len(CHANNELS)):
        return [dict(zip(channels, paths, strict=True))], text
    return [paths], text


def _stack(path: Path) -> np.ndarray:
    path = path.expanduser()
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    if path.suffix == ".npy":
        try:
            images = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise ValueError(f"{path} is no array: {error}") from error
    else:
        from cloome_kedro.imaging.readers import read_image

        images = read_image(str(path))
    if images.ndim == 4 and len(images) == 1:
        images = images[0]
    if images.ndim != 3 or len(images) != len(CHANNELS):
        raise ValueError(
            f"{path.name} has the shape {images.shape}; one file must have all five channels, ({len(CHANNELS)}, "
            f"height, width), in the order {', '.join(CHANNELS)}. Or give one file per channel"
        )
    if images.dtype.kind != "u" or images.dtype.itemsize > 2:
        raise ValueError(f"{path.name} has numbers of the type {images.dtype}; images must be uint8 or uint16")
    return images[None]
