"""The index of a screen: one row per field, found by the names of its images and joined to what was in its well."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS, canonical
from cloome_kedro.imaging.config import Source
from cloome_kedro.imaging.layouts import read_layout
from cloome_kedro.imaging.platemaps import annotate_wells, merge_compounds

_FIELD = ["plate", "well", "site"]
REJECTED = ["field_id", "screen", *_FIELD, "stage", "reason"]
_INDEX = ["field_id", "screen", *_FIELD, "source", "bit_depth", "compound_id", "concentration_um", "control"]
#: where the image of each channel is: columns of the table ``field_index``
PATHS = [f"path_{channel}" for channel in CHANNELS]
PLANES = [f"plane_{channel}" for channel in CHANNELS]


def index_screen(
    folder: Path, screen: str, sources: Sequence[Source]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Index all sources of a screen.

    Parameters
    ----------
    folder
        The screen's folder.
    screen
        Its name, the first part of every field_id (screen/plate/well/site).
    sources
        Folders of images.

    Returns
    -------
    index, compounds, rejected
        Tables with the columns of ``field_index``, ``compound_table`` (the compounds of treated fields) and
        ``rejected_fields``.

    Raises
    ------
    FileNotFoundError, ValueError
        If a folder, table, column or channel is missing altogether, or sources contradict each other.
    """
    parts = [index_source(folder, screen, source) for source in sources]
    index, rejected = (
        pd.concat([part[i] for part in parts if len(part[i])] or [parts[0][i]], ignore_index=True) for i in (0, 2)
    )
    of_plate = index.groupby("plate")["source"].unique()
    for plate, names in of_plate[of_plate.map(len) > 1].items():
        raise ValueError(f"plate {plate} is in the sources {' and '.join(names)}; a plate belongs to one source")
    used = set(index.loc[~index["control"].astype(bool), "compound_id"])
    compounds = merge_compounds((f"source {source.name}", part[1]) for source, part in zip(sources, parts, strict=True))
    return (
        index.sort_values(_FIELD, ignore_index=True),
        compounds[compounds["compound_id"].isin(used)].reset_index(drop=True),
        rejected.sort_values(_FIELD, ignore_index=True),
    )


def index_source(screen_folder: Path, screen: str, source: Source) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Index one source; returns and raises as :func:`index_screen` does."""
    root = screen_folder / source.folder
    if not root.is_dir():
        raise FileNotFoundError(
            f"source {source.name}: there is no folder {root}; correct `folder` in params:ingestion"
        )
    images = read_layout(source.layout, root, source).drop_duplicates()
    fields = images[_FIELD].drop_duplicates(ignore_index=True)
    wells, compounds = annotate_wells(fields[["plate", "well"]].drop_duplicates(), screen_folder, source.platemap)
    images = _known_channels(images, source)
    images["shared"] = images.duplicated(["path", "plane"], keep=False)
    images["exists"] = _exist(images["path"])
    if not images["exists"].any():
        raise FileNotFoundError(
            f"source {source.name}: none of its {len(images)} images exists, the first would be "
            f"{images['path'].iloc[0]}; correct `folder`, or the paths that the files give"
        )

    found = images[images["exists"]]
    places = found.drop_duplicates([*_FIELD, "channel"]).pivot(
        index=_FIELD, columns="channel", values=["path", "plane"]
    )
    places = places.reindex(columns=pd.MultiIndex.from_product([["path", "plane"], CHANNELS]))
    places.columns = ["_".join(pair) for pair in places.columns]
    fields = fields.merge(places.astype(dict.fromkeys(PLANES, "Int64")).reset_index(), on=_FIELD, how="left")
    fields = fields.merge(wells, on=["plate", "well"], how="left")
    fields["reason"] = fields["reason"].astype(object)
    incomplete = fields[PATHS].isna().any(axis=1)
    ambiguous = pd.MultiIndex.from_frame(found.loc[found["shared"] | found.duplicated([*_FIELD, "channel"]), _FIELD])
    doubtful = fields.index[incomplete | pd.MultiIndex.from_frame(fields[_FIELD]).isin(ambiguous)]
    if len(doubtful):
        by_field = images.groupby(_FIELD)
        for i in doubtful:
            key = tuple(fields.loc[i, _FIELD])
            fields.loc[i, "reason"] = _explain(by_field.get_group(key) if key in by_field.groups else images[:0])

    fields = fields.assign(screen=screen, source=source.name, bit_depth=source.bit_depth, stage="index")
    fields["field_id"] = screen + "/" + fields["plate"] + "/" + fields["well"] + "/" + fields["site"].astype(str)
    good = fields["reason"].isna()
    return fields.loc[good, [*_INDEX, *PATHS, *PLANES]], compounds, fields.loc[~good, REJECTED]


def _known_channels(images: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Rows of known channels, under their canonical names; ValueError where one of the five is missing altogether."""
    named = {channel: canonical(channel, source.channels) for channel in images["channel"].unique()}
    if absent := [channel for channel in CHANNELS if channel not in named.values()]:
        unknown = next((other for other, channel in named.items() if channel is None), "its name")
        raise ValueError(
            f"source {source.name} has no channel {', '.join(absent)}: its files name {', '.join(named)}; map them by "
            f'`channels` of this source, e.g. channels: {{"{unknown}": {absent[0]}}}'
        )
    return images.assign(channel=images["channel"].map(named)).dropna(subset="channel")


def check_rejected(rejected: pd.DataFrame, total: int, max_rejected_fraction: float) -> None:
    """Stop where more than the given share of ``total`` fields was set aside, or all of them.

    Raises
    ------
    ValueError
        With the number and the first reasons.
    """
    if len(rejected) <= max_rejected_fraction * total and len(rejected) < total:
        return
    first = "\n".join(f"  {row.field_id}: {row.reason}" for row in rejected.head(5).itertuples())
    raise ValueError(
        f"{len(rejected)} of {total} fields were set aside; max_rejected_fraction in params:ingestion allows "
        f"{max_rejected_fraction:g} of them. Correct the images or the parameters, or raise it. The first:\n{first}"
    )


def _exist(paths: pd.Series) -> list[bool]:
    """Which files exist, by one listing per folder."""
    listings: dict[str, set[str]] = {}
    exist = []
    for folder, name in map(os.path.split, paths):
        if folder not in listings:
            listings[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        exist.append(name in listings[folder])
    return exist


def _explain(images: pd.DataFrame) -> str:
    """Say what is wrong with a field's images: channels that are missing, doubled or named for another field."""
    reasons = []
    for channel in CHANNELS:
        of_channel = images[images["channel"] == channel]
        found = of_channel.loc[of_channel["exists"], "path"]
        if len(found) > 1:
            reasons.append(f"doubled channel {channel}: {', '.join(found)}")
        elif len(found) == 0:
            absent = of_channel["path"].iloc[0] + " does not exist" if len(of_channel) else "no file is named for it"
            reasons.append(f"missing channel {channel}: {absent}")
        elif of_channel["shared"].any():
            reasons.append(f"channel {channel}: {found.iloc[0]} is also named for another field or channel")
    return "; ".join(reasons)
