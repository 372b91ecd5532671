"""The five channels of Cell Painting and the names that microscopes and pipelines give them."""

import re
from collections.abc import Mapping

#: canonical order of a stored field, as published CLOOME checkpoints expect it
CHANNELS = ("Mito", "ER", "RNA", "AGP", "DNA")

_ALIASES = {
    "mito": "Mito",
    "mitotracker": "Mito",
    "er": "ER",
    "ersyto": "ER",
    "concanavalin": "ER",
    "rna": "RNA",
    "ersytobleed": "RNA",
    "syto": "RNA",
    "syto14": "RNA",
    "agp": "AGP",
    "phgolgi": "AGP",
    "dna": "DNA",
    "hoechst": "DNA",
    "hoechst33342": "DNA",
    "dapi": "DNA",
}


def _plain(name: str) -> str:
    """Lower case, without CellProfiler's prefix ``Orig`` and without separators."""
    return re.sub(r"[\s_\-]", "", name.lower()).removeprefix("orig")


def canonical(name: str, channels: Mapping[str, str] | None = None) -> str | None:
    """Give the canonical name of a channel.

    Parameters
    ----------
    name
        The channel as the files name it. Case, separators and the prefix ``Orig`` do not matter.
    channels
        A screen's own names, ``{name in the files: canonical name or alias}``. They come before the alias table.

    Returns
    -------
    One of `CHANNELS`, or None where the name is unknown, as that of a brightfield image.

    Raises
    ------
    ValueError
        If ``channels`` maps a name to something that is not a channel.

    Examples
    --------
    >>> canonical("OrigDNA"), canonical("Hoechst 33342"), canonical("ch1", {"ch1": "Mito"}), canonical("Brightfield")
    ('DNA', 'DNA', 'Mito', None)
    """
    own = {_plain(key): value for key, value in (channels or {}).items()}
    if _plain(name) not in own:
        return _ALIASES.get(_plain(name))
    target = own[_plain(name)]
    if (channel := _ALIASES.get(_plain(target))) is None:
        raise ValueError(f"`channels` maps {name!r} to {target!r}, which is none of {', '.join(CHANNELS)}")
    return channel
