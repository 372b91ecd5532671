"""The index of a screen: one row per field, with its images and the compound in its well."""

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
#: columns of the table ``field_index`` with the file of each channel, and the page in this file
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
        Name of the screen. It is the first part of every field_id (screen/plate/well/site).
    sources
        Folders of images.

    Returns
    -------
    index, compounds, rejected
        Tables with the columns of ``field_index``, ``compound_table`` (only compounds of treated fields) and
        ``rejected_fields``.

    Raises
    ------
    FileNotFoundError, ValueError
        If a folder, table, column or channel is missing, or if sources contradict each other.
    """
    parts = [index_source(folder, screen, source) for source in sources]
    indexes, compound_tables, rejected_tables = zip(*parts, strict=True)
    index, rejected = _concat(indexes), _concat(rejected_tables)
    sources_of_plate = index.groupby("plate")["source"].unique()
    for plate, names in sources_of_plate[sources_of_plate.map(len) > 1].items():
        raise ValueError(
            f"plate {plate} is in the sources {' and '.join(names)}; correct params:ingestion.sources so that each "
            "plate belongs to one source"
        )
    compounds = merge_compounds(
        (f"source {source.name}", table) for source, table in zip(sources, compound_tables, strict=True)
    )
    used = set(index.loc[~index["control"].astype(bool), "compound_id"])
    return (
        index.sort_values(_FIELD, ignore_index=True),
        compounds[compounds["compound_id"].isin(used)].reset_index(drop=True),
        rejected.sort_values(_FIELD, ignore_index=True),
    )


def _concat(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    # Empty tables would change the types of columns.
    return pd.concat([table for table in tables if len(table)] or [tables[0]], ignore_index=True)


def index_source(screen_folder: Path, screen: str, source: Source) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Index one source. It returns and raises the same as :func:`index_screen`."""
    root = screen_folder / source.folder
    if not root.is_dir():
        raise FileNotFoundError(
            f"source {source.name}: there is no folder {root}; correct `folder` of this source in params:ingestion"
        )
    images = read_layout(source.layout, root, source).drop_duplicates()
    fields = images[_FIELD].drop_duplicates(ignore_index=True)
    wells, compounds = annotate_wells(fields[["plate", "well"]].drop_duplicates(), screen_folder, source.platemap)
    images = _known_channels(images, source)
    images["shared"] = images.duplicated(["path", "plane"], keep=False)
    images["exists"] = _exist(images["path"])
    if not images["exists"].any():
        raise FileNotFoundError(
            f"source {source.name}: none of its {len(images)} images exists. The first one should be "
            f"{images['path'].iloc[0]}; correct `folder` of this source, or the paths in its tables"
        )

    existing = images[images["exists"]]
    fields = fields.merge(_files_by_field(existing), on=_FIELD, how="left")
    fields = fields.merge(wells, on=["plate", "well"], how="left")
    fields["reason"] = fields["reason"].astype(object)
    is_incomplete = fields[PATHS].isna().any(axis=1)
    is_ambiguous = existing["shared"] | existing.duplicated([*_FIELD, "channel"])
    ambiguous_fields = pd.MultiIndex.from_frame(existing.loc[is_ambiguous, _FIELD])
    unusable = fields.index[is_incomplete | pd.MultiIndex.from_frame(fields[_FIELD]).isin(ambiguous_fields)]
    if len(unusable):
        by_field = images.groupby(_FIELD)
        for i in unusable:
            key = tuple(fields.loc[i, _FIELD])
            fields.loc[i, "reason"] = _explain(by_field.get_group(key) if key in by_field.groups else images[:0])

    fields = fields.assign(screen=screen, source=source.name, bit_depth=source.bit_depth, stage="index")
    fields["field_id"] = screen + "/" + fields["plate"] + "/" + fields["well"] + "/" + fields["site"].astype(str)
    good = fields["reason"].isna()
    return fields.loc[good, [*_INDEX, *PATHS, *PLANES]], compounds, fields.loc[~good, REJECTED]


def _known_channels(images: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Keep the rows of known channels, and give them canonical names.

    Raises
    ------
    ValueError
        If the source has no image of one of the five channels.
    """
    canonical_names = {name: canonical(name, source.channels) for name in images["channel"].unique()}
    if missing := [channel for channel in CHANNELS if channel not in canonical_names.values()]:
        unknown = next((name for name, channel in canonical_names.items() if channel is None), "its name")
        raise ValueError(
            f"source {source.name} has no channel {', '.join(missing)}: the channels in its files are "
            f"{', '.join(canonical_names)}. Map them by `channels` of this source, "
            f'e.g. channels: {{"{unknown}": {missing[0]}}}'
        )
    return images.assign(channel=images["channel"].map(canonical_names)).dropna(subset="channel")


def _files_by_field(images: pd.DataFrame) -> pd.DataFrame:
    """File and page of each channel: one row per field, columns `PATHS` and `PLANES`."""
    first_images = images.drop_duplicates([*_FIELD, "channel"])
    files = first_images.pivot(index=_FIELD, columns="channel", values=["path", "plane"])
    files = files.reindex(columns=pd.MultiIndex.from_product([["path", "plane"], CHANNELS]))
    files.columns = ["_".join(pair) for pair in files.columns]
    return files.astype(dict.fromkeys(PLANES, "Int64")).reset_index()


def check_rejected(rejected: pd.DataFrame, total: int, max_rejected_fraction: float) -> None:
    """Stop if more than ``max_rejected_fraction`` of ``total`` fields were rejected, or all of them.

    Raises
    ------
    ValueError
        The message gives the number of rejected fields and the first five reasons.
    """
    if len(rejected) <= max_rejected_fraction * total and len(rejected) < total:
        return
    first_reasons = "\n".join(f"  {row.field_id}: {row.reason}" for row in rejected.head(5).itertuples())
    raise ValueError(
        f"{len(rejected)} of {total} fields were rejected; max_rejected_fraction in params:ingestion allows a share of "
        f"{max_rejected_fraction:g}. Correct the images or the parameters, or raise max_rejected_fraction. The first "
        f"rejected fields:\n{first_reasons}"
    )


def _exist(paths: pd.Series) -> list[bool]:
    """Whether each file exists. Each folder is listed only once, since there are many files."""
    listings: dict[str, set[str]] = {}
    exist = []
    for folder, name in map(os.path.split, paths):
        if folder not in listings:
            listings[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        exist.append(name in listings[folder])
    return exist


def _explain(images: pd.DataFrame) -> str:
    """Explain why a field cannot be used: channels without an image, with several, or with one of another field."""
    reasons = []
    for channel in CHANNELS:
        channel_images = images[images["channel"] == channel]
        paths = channel_images.loc[channel_images["exists"], "path"]
        if len(paths) > 1:
            reasons.append(f"channel {channel} has several images: {', '.join(paths)}")
        elif len(paths) == 0:
            why = channel_images["path"].iloc[0] + " does not exist" if len(channel_images) else "no file is listed"
            reasons.append(f"missing channel {channel}: {why}")
        elif channel_images["shared"].any():
            reasons.append(f"channel {channel}: {paths.iloc[0]} is also listed for another field or channel")
    return "; ".join(reasons)
