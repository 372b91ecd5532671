"""The index of a screen: one row per field, with its images and the compound in its well."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS, canonical
from cloome_kedro.imaging.layouts import read_layout
from cloome_kedro.imaging.plate_choice import expand_files, keep_plates
from cloome_kedro.imaging.platemaps import annotate_wells, merge_compounds
from cloome_kedro.imaging.readers import locate
from cloome_kedro.imaging.remote import join
from cloome_kedro.imaging.sources import Source
from cloome_kedro.imaging.stacks import MORE, choose, further_images
from cloome_kedro.words import MISSING

logger = logging.getLogger(__name__)

_FIELD = ["plate", "well", "site"]
REJECTED = ["field_id", "screen", *_FIELD, "stage", "reason"]
_INDEX = ["field_id", "screen", *_FIELD, "source", "bit_depth", "compound_id", "concentration_um", "control"]
#: columns of the table ``field_index`` with the file of each channel, and the page in this file
PATHS = [f"path_{channel}" for channel in CHANNELS]
PLANES = [f"plane_{channel}" for channel in CHANNELS]


def index_screen(
    folder: Path,
    screen: str,
    sources: Sequence[Source],
    missing: Sequence[str] = MISSING,
    identify: Callable[[str], str] = str,
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
    missing
        Words for a missing value in the tables, see `cloome_kedro.missing.is_missing`.
    identify
        Function from a structure to its identity, see `cloome_kedro.imaging.platemaps.merge_compounds`.

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
    parts = [index_source(folder, screen, source, missing, identify) for source in sources]
    indexes, compound_tables, rejected_tables = zip(*parts, strict=True)
    index, rejected = _concat(indexes), _concat(rejected_tables)
    sources_of_plate = index.groupby("plate")["source"].unique()
    for plate, names in sources_of_plate[sources_of_plate.map(len) > 1].items():
        raise ValueError(
            f"plate {plate} is in the sources {' and '.join(names)}; correct params:ingestion.sources so that each "
            "plate belongs to one source"
        )
    compounds = merge_compounds(
        ((f"source {source.name}", table) for source, table in zip(sources, compound_tables, strict=True)), identify
    )
    logger.info(
        "index: %d fields of %d plates, %d of them in control wells; %d fields are rejected",
        *(len(index), index["plate"].nunique(), index["control"].sum(), len(rejected)),
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


def index_source(
    screen_folder: Path,
    screen: str,
    source: Source,
    missing: Sequence[str] = MISSING,
    identify: Callable[[str], str] = str,
    annotate: Callable[..., tuple[pd.DataFrame, pd.DataFrame]] = annotate_wells,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Index one source. It returns and raises the same as :func:`index_screen`.

    ``annotate`` joins wells to compounds, as `cloome_kedro.imaging.platemaps.annotate_wells` does.
    """
    root = join(screen_folder, source.folder)
    if not root.is_dir():
        raise FileNotFoundError(
            f"source {source.name}: there is no folder {root}; correct `folder` of this source in params:ingestion"
        )
    source = expand_files(source, screen_folder)
    images = keep_plates(read_layout(source.layout, root, source).drop_duplicates(), source)
    images = choose(images, source)
    bad_rows = images.loc[images["reason"].notna(), [*_FIELD, "reason"]].drop_duplicates()
    channels = images["channel"].unique().tolist()
    images = images[images["reason"].isna()].drop(columns="reason").astype({"site": int})
    if images.empty:
        first = bad_rows["reason"].iloc[0] if len(bad_rows) else "its tables list no image"
        raise ValueError(f"source {source.name}: none of its images can be used: {first}")
    fields = images[_FIELD].drop_duplicates(ignore_index=True)
    wells = fields[["plate", "well"]].drop_duplicates()
    wells, compounds = annotate(wells, screen_folder, source.platemap, missing, identify)
    images = _known_channels(images, source, channels)
    located = pd.Series(locate(images["path"].tolist()), index=images.index, dtype=object)
    images["path"], images["exists"] = located.fillna(images["path"]), located.notna()
    images["shared"] = images.duplicated(["path", "plane"], keep=False)
    if not images["exists"].any():
        raise FileNotFoundError(
            f"source {source.name}: none of its {len(images)} images exists. The first one should be "
            f"{images['path'].iloc[0]}; correct `folder` of this source, or the paths in its tables"
        )
    fields = fields.merge(_files_by_field(images[images["exists"]]), on=_FIELD, how="left")
    fields = fields.merge(wells, on=["plate", "well"], how="left")
    problems = _problems(images, pd.MultiIndex.from_frame(fields[_FIELD])).to_numpy()
    fields["reason"] = np.where(problems == "", fields["reason"].astype(object), problems)
    fields = fields.assign(source=source.name, bit_depth=source.bit_depth)
    good = fields["reason"].isna()
    rejected = _concat([fields.loc[~good, [*_FIELD, "reason"]], bad_rows])
    fields, rejected = (
        table.assign(
            screen=screen,
            field_id=screen + "/" + table["plate"] + "/" + table["well"] + "/" + table["site"].astype(str),
        )
        for table in (fields[good], rejected)
    )
    sites = pd.to_numeric(rejected["site"], errors="coerce").astype("Float64")
    rejected = rejected.assign(stage="index", site=sites.where(sites.mod(1) == 0).astype("Int64"))
    more = [column for column in MORE if column in fields]
    return fields[[*_INDEX, *PATHS, *PLANES, *more]], compounds, rejected[REJECTED]


def _known_channels(images: pd.DataFrame, source: Source, channels: Sequence[str]) -> pd.DataFrame:
    """Keep the rows of known channels, and give them canonical names.

    ``channels`` are the names in all rows, also in those that cannot be used.

    Raises
    ------
    ValueError
        If the source has no image of one of the five channels.
    """
    canonical_names = {name: canonical(name, source.channels) for name in channels}
    if missing := [channel for channel in CHANNELS if channel not in canonical_names.values()]:
        unknown = [name for name, channel in canonical_names.items() if channel is None]
        advice = (
            f'Map them by `channels` of this source, e.g. channels: {{"{unknown[0]}": {missing[0]}}}'
            if unknown
            else "All five channels are needed"
        )
        raise ValueError(
            f"source {source.name} has no channel {', '.join(missing)}: the channels in its files are "
            f"{', '.join(canonical_names)}. {advice}"
        )
    return images.assign(channel=images["channel"].map(canonical_names)).dropna(subset="channel")


def _files_by_field(images: pd.DataFrame) -> pd.DataFrame:
    """File and page of each channel: one row per field, columns `PATHS` and `PLANES`, and `MORE` with stacks."""
    first_images = images.sort_values("z", kind="stable").drop_duplicates([*_FIELD, "channel"])
    files = first_images.pivot(index=_FIELD, columns="channel", values=["path", "plane"])
    files = files.reindex(columns=pd.MultiIndex.from_product([["path", "plane"], CHANNELS]))
    files.columns = ["_".join(pair) for pair in files.columns]
    files = files.astype(dict.fromkeys(PLANES, "Int64")).reset_index()
    more = further_images(images, _FIELD)
    return files if more is None else files.merge(more, on=_FIELD, how="left")


def check_rejected(
    rejected: pd.DataFrame, total: int, max_rejected_fraction: float, group: str = "ingestion", what: str = "images"
) -> None:
    """Stop if more than ``max_rejected_fraction`` of ``total`` fields were rejected, or all of them.

    ``group`` is the group of parameters with the limit, and ``what`` was read, for the message.

    Raises
    ------
    ValueError
        The message gives the number of rejected fields and the first five reasons.
    """
    if len(rejected) <= max_rejected_fraction * total and len(rejected) < total:
        return
    first_reasons = "\n".join(f"  {row.field_id}: {row.reason}" for row in rejected.head(5).itertuples())
    raise ValueError(
        f"{len(rejected)} of {total} fields were rejected; max_rejected_fraction in params:{group} allows a share of "
        f"{max_rejected_fraction:g}. Correct the {what} or the parameters, or raise max_rejected_fraction. The first "
        f"rejected fields:\n{first_reasons}"
    )


def _problems(images: pd.DataFrame, fields: pd.MultiIndex) -> pd.Series:
    """Why fields cannot be used: channels without an image, with several, or with one of another field.

    Returns
    -------
    One text per field, in the order of ``fields``. It is empty if all channels have one image.
    """
    problems = pd.Series("", index=fields, dtype=object)
    for name, listed, expected in _kinds(images, fields):
        existing = listed[listed["exists"]]
        number = existing.groupby(level=_FIELD).size().reindex(fields, fill_value=0)
        first_listed = listed.loc[~listed.index.duplicated(), "path"].reindex(fields)
        first = existing.loc[~existing.index.duplicated(), "path"].reindex(fields)
        repeated = existing[existing.index.duplicated(keep=False)]
        several = repeated.groupby(level=_FIELD)["path"].agg(", ".join).reindex(fields)
        shared = existing.index[existing["shared"]].unique()
        for applies, text in (
            (expected & first_listed.isna(), f"missing {name}: no file is listed"),
            (first_listed.notna() & (number == 0), f"missing {name}: " + first_listed + " does not exist"),
            (number > 1, f"{name} has several images: " + several),
            (
                (number == 1) & fields.isin(shared),
                f"{name}: " + first + " is also listed for another field or channel",
            ),
        ):
            if applies.any():
                texts = text if isinstance(text, str) else text[applies]
                so_far = problems[applies]
                problems[applies] = so_far.where(so_far == "", so_far + "; ") + texts
    return problems


def _kinds(images: pd.DataFrame, fields: pd.MultiIndex) -> Iterator[tuple[str, pd.DataFrame, npt.NDArray[np.bool_]]]:
    """Kinds of images of which a field has one: the channels, or the planes of the channels in stacks.

    Yields
    ------
    Name for messages, images of this kind by field, and for each of ``fields`` whether it needs one. A field needs the
    planes that another field of its plate has.
    """
    for channel in CHANNELS:
        of_channel = images[images["channel"] == channel].set_index(_FIELD)
        planes = sorted(of_channel["z"].dropna().unique().tolist())
        if not planes:
            yield f"channel {channel}", of_channel, np.ones(len(fields), dtype=bool)
            continue
        plates = fields.get_level_values("plate")
        lacks_all = ~plates.isin(of_channel.index.get_level_values("plate"))
        for z in planes:
            listed = of_channel[(of_channel["z"] == z).fillna(False)]
            needed = plates.isin(listed.index.get_level_values("plate").unique()) | (lacks_all & (z == planes[0]))
            yield f"channel {channel}, z {z}", listed, needed
