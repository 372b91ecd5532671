"""Uploaded channel files: read within limits, checked by content, decoded in memory. Nothing is written to disk."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import numpy as np
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.readers import BadField
from cloome_kedro.imaging.readers.tiff_png import decode_image
from cloome_kedro.page.limits import LARGEST_FILE, LARGEST_IMAGE, LARGEST_REQUEST


async def read_form(headers: Headers, stream: AsyncGenerator[bytes, None]) -> dict[str, tuple[str, bytes]]:
    """Read the files of a form: channel -> name and content of its file.

    Raises
    ------
    ValueError
        If the form does not have one file per channel, or a file is too large.
    """
    if "multipart/form-data" not in headers.get("content-type", ""):
        raise ValueError("send the five channel files as a form (multipart/form-data)")
    parser: Any = MultiPartParser(headers, stream, max_files=len(CHANNELS), max_fields=0)
    parser.spool_max_size = LARGEST_REQUEST + 1  # a larger part would go to a file
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise ValueError(f"the form cannot be read: {error.message}") from error
    try:
        files: dict[str, tuple[str, bytes]] = {}
        for channel, file in form.multi_items():
            if channel not in CHANNELS or channel in files:
                raise ValueError(f"give one file each for {', '.join(CHANNELS)}, not for {channel!r}")
            name = shown_name(file.filename or "")
            data = await file.read(LARGEST_FILE + 1)
            if len(data) > LARGEST_FILE:
                raise ValueError(f"{name} is larger than {LARGEST_FILE >> 20} MiB, the limit for one file")
            files[channel] = (name, data)
    finally:
        await form.close()
    if missing := [channel for channel in CHANNELS if channel not in files]:
        raise ValueError(f"the file of {', '.join(missing)} is missing: a field needs one file per channel")
    return files


def decode(files: Mapping[str, tuple[str, bytes]]) -> np.ndarray:
    """Decode the files of a field.

    Returns
    -------
    (1, 5, H, W) uint8 or uint16

    Raises
    ------
    ValueError
        If a file is neither TIFF nor PNG, is too large or damaged, or if the images have different sizes or types.
    """
    images: list[np.ndarray] = []
    for channel in CHANNELS:
        name, data = files[channel]
        try:
            image = decode_image(name, data, LARGEST_IMAGE)
        except BadField as error:
            raise ValueError(f"{channel}: {' '.join(str(error).split())[:300]}") from error
        if image.ndim != 2:
            raise ValueError(f"{channel}: {name} has the shape {image.shape}; one grey image is needed")
        if image.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"{channel}: {name} has pixels of the type {image.dtype}; images need 8 or 16 bits")
        if images and (image.shape, image.dtype) != (images[0].shape, images[0].dtype):
            raise ValueError(
                f"{channel}: {name} is {image.dtype} with the shape {image.shape}, but the first file is "
                f"{images[0].dtype} with the shape {images[0].shape}"
            )
        images.append(image)
    field = np.stack(images)[None]
    if not field.any():
        raise ValueError("every pixel of all five channels is 0")
    return field


def shown_name(name: str) -> str:
    """Name of a file for messages: without folders and control characters, and not too long.

    >>> shown_name("../../a\\nb.tif"), shown_name("")
    ('ab.tif', 'the file')
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in last if letter.isprintable())[:80].strip() or "the file"
