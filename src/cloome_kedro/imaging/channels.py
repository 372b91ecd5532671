"""The five channels of Cell Painting, and their names in the files of microscopes and pipelines."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import PurePath

#: order of the channels in a stored field; published CLOOME checkpoints expect this order
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
    """Return the canonical name of a channel.

    Parameters
    ----------
    name
        Name of the channel in the files. Case, separators and the prefix ``Orig`` do not matter.
    channels
        Names of one source, ``{name in the files: canonical name or alias}``. They take precedence over the built-in
        aliases.

    Returns
    -------
    One of `CHANNELS`, or None if the name is unknown, such as the name of a brightfield channel.

    Raises
    ------
    ValueError
        If ``channels`` maps a name to something that is not a channel.

    Examples
    --------
    >>> canonical("OrigDNA"), canonical("Hoechst 33342"), canonical("ch1", {"ch1": "Mito"}), canonical("Brightfield")
    ('DNA', 'DNA', 'Mito', None)
    """
    targets = {_plain(key): value for key, value in (channels or {}).items()}
    if _plain(name) not in targets:
        return _ALIASES.get(_plain(name))
    target = targets[_plain(name)]
    if (channel := _ALIASES.get(_plain(target))) is None:
        raise ValueError(f"`channels` maps {name!r} to {target!r}; map it to one of {', '.join(CHANNELS)}")
    return channel


def channel_of_file(path: str) -> str | None:
    """Channel that the name of a file says; None if it says none or several.

    >>> channel_of_file("plate1_A01_Hoechst.tif"), channel_of_file("A01-Ph_golgi.png"), channel_of_file("DNA_ER.tif")
    ('DNA', 'AGP', None)
    """
    words = PurePath(path).stem.replace("-", "_").replace(" ", "_").replace(".", "_").split("_")
    terms = [*words, *map("".join, pairwise(words))]
    found = {channel for term in terms if (channel := canonical(term))}
    return found.pop() if len(found) == 1 else None
