"""Folders of new plates: prepare their images as in training, and embed them plate by plate."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloome_kedro.cli.chunks import Chunks, Part, with_vectors

if TYPE_CHECKING:
    from cloome_kedro.asking import Asker
    from cloome_kedro.imaging.config import Storage

logger = logging.getLogger(__name__)


def index_folders(
    folders: Sequence[Path], screen: str, layout: str | None, bit_depth: int, controls: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the fields of new plates.

    Parameters
    ----------
    folders
        Folders of images, each with one layout.
    screen
        First part of the keys of the fields.
    layout
        Name of the layout. None: the one that explains most files.
    bit_depth
        8, 12 or 16.
    controls
        Wells of controls, such as A01.

    Returns
    -------
    index, rejected
        Tables with the columns of ``field_index`` and ``rejected_fields``.

    Raises
    ------
    ValueError, FileNotFoundError
        If a folder is missing, has no images of a known layout, or lacks a channel; or if two folders have one plate.
    """
    from cloome_kedro.imaging.index import index_source

    annotate = partial(_wells, controls=set(controls))
    indexes, rejected = [], []
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"there is no folder {folder}")
        source = _source(folder, layout, bit_depth)
        index, _, bad = index_source(folder, screen, source, annotate=annotate)
        indexes.append(index)
        rejected.append(bad)
    joined = pd.concat(indexes, ignore_index=True)
    if (twice := joined["field_id"].duplicated()).any():
        raise ValueError(f"the field {joined.loc[twice, 'field_id'].iloc[0]} is in two of the folders")
    return joined, pd.concat(rejected, ignore_index=True)


def _source(folder: Path, layout: str | None, bit_depth: int) -> Any:
    """Source with the settings that the names of the files propose."""
    from cloome_kedro.imaging.layouts.recognition import recognise_layouts
    from cloome_kedro.imaging.sources import Platemap, Source

    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    recognised = [found for found in recognise_layouts(names) if layout in (None, found.layout)]
    if not layout and not recognised:
        raise ValueError(f"{folder} has no images of a known layout: name the layout by --layout")
    settings: dict[str, Any] = {"layout": layout, "bit_depth": bit_depth}
    if recognised:
        settings |= {"layout": recognised[0].layout} | recognised[0].settings
        channels = ", ".join(f"{name} is {channel}" for name, channel in settings.get("channels", {}).items())
        for note in (*recognised[0].notes, *([f"by the order of the publication, {channels}"] if channels else [])):
            logger.warning("%s: %s", folder, note)
    return Source(name=folder.name, platemap=Platemap(platemaps=""), **settings)


def _wells(wells: pd.DataFrame, *_: Any, controls: set[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    known = wells.assign(compound_id=None, concentration_um=np.nan, control=wells["well"].isin(controls), reason=None)
    return known, pd.DataFrame()


def find_illumination(
    storage: "Storage", folders: Sequence[Path], index: pd.DataFrame, pattern: str | None
) -> tuple["Storage", dict[str, list[str]] | None]:
    """Find the illumination functions of new plates, if those of the training fields were provided.

    Parameters
    ----------
    storage
        How the training fields were stored.
    folders, index
        Folders of the plates, and their fields.
    pattern
        Files of the functions in each folder. None: the pattern of the training fields.

    Returns
    -------
    storage, functions
        How the new fields are stored, and their functions. If there is no pattern, they are not corrected, and a
        warning says so.

    Raises
    ------
    ValueError, FileNotFoundError
        If a pattern is given although no functions are needed, or functions are missing.
    """
    from cloome_kedro.imaging.channels import CHANNELS
    from cloome_kedro.imaging.illumination.provided import find_functions
    from cloome_kedro.imaging.illumination.settings import ProvidedIllumination
    from cloome_kedro.imaging.sources import Platemap, Source

    if not isinstance(storage.illumination, ProvidedIllumination):
        if pattern is not None:
            how = "not corrected" if storage.illumination is None else "estimated from the images, as it is here"
            raise ValueError(f"leave out --illumination: the illumination of the training fields was {how}")
        return storage, None
    if (files := pattern or storage.illumination.files) is None:
        logger.warning(
            "the illumination of the training fields was corrected by functions of the screen, but that of these "
            "plates is not: give their functions by --illumination, such as 'illum/{plate}/{plate}_Illum{channel}.npy'"
        )
        return replace(storage, illumination=None), None
    functions: dict[str, list[str]] = {}
    paths = index[f"path_{CHANNELS[0]}"].astype(str)
    for folder in folders:
        plates = index.loc[paths.str.startswith(f"{folder}{os.sep}"), "plate"].unique().tolist()
        source = Source(name=folder.name, layout="", platemap=Platemap(platemaps=""))
        functions |= find_functions(folder, [source], {folder.name: plates}, ProvidedIllumination("provided", files))
    return storage, functions


def embed_plates(
    asker: "Asker",
    index: pd.DataFrame,
    rejected: pd.DataFrame,
    out: Path,
    minimum_control_wells: int,
    n_jobs: int,
    *,
    folders: Sequence[Path] = (),
    illumination: str | None = None,
) -> tuple[Chunks, int]:
    """Convert the images of plates as in training, and embed them.

    ``folders`` and ``illumination`` are for :func:`find_illumination`.

    Returns
    -------
    Chunks, one per plate, and their number. Parts have ``field_id``, ``plate``, ``well``, ``site`` and the vector;
    rejected fields have ``field_id`` and ``reason``.
    """
    from cloome_kedro.imaging.plate_statistics import plate_statistics
    from cloome_kedro.imaging.plates import ingest_plates
    from cloome_kedro.imaging.store import PlateStore

    asker.check_accepts("images")
    views = asker.model.image_views
    by_controls = any(view.get("normalisation") == "controls" for view in views)
    chunks = Chunks(
        out, asker.index.info["weights"], views, minimum_control_wells, index[["field_id", "control"]].to_dict("list")
    )
    store = PlateStore(chunks.folder / "plates")
    store.folder.mkdir(parents=True, exist_ok=True)
    storage, functions = find_illumination(asker.model.storage, folders, index, illumination)
    fields, bad = ingest_plates(
        store, index, rejected, storage, functions=functions, max_rejected_fraction=1.0, n_jobs=n_jobs
    )
    statistics = plate_statistics(fields, minimum_control_wells) if by_controls else None
    plates = [plate for _, plate in fields.groupby("plate_file", sort=True)]

    def embed(number: int) -> Part:
        plate = plates[number]
        plate_file = str(plate["plate_file"].iloc[0])
        options: dict[str, Any] = {}
        if statistics is not None:
            rows = statistics[statistics["plate_file"] == plate_file]
            options["statistics"] = {
                name: dict(zip(rows["channel"], rows[name], strict=True)) for name in ("mean", "std")
            }
        images = store.reader(plate["plate_file"].tolist(), plate["row"].to_numpy())(np.arange(len(plate)))
        vectors = asker.model.embed_fields(images, progress=False, **options)
        keys = plate[["field_id", "plate", "well", "site"]]
        lost = bad.loc[bad["plate"].map(store.name) == plate_file, ["field_id", "reason"]]
        return with_vectors(keys, vectors), lost.astype("string")

    chunks.run([len(plate) for plate in plates], "fields", embed)
    return chunks, len(plates)
