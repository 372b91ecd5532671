"""Rendering of single fields, and of whole plates as TIFF files with a LoadData table, as a microscope writes them."""

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro.atomic import replace_folder
from cloome_kedro.simulation import cells, drawing, microscope, phenotype, stains
from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.phenotype import AXES
from cloome_kedro.simulation.stains import CHANNELS

_TABLE, _DIGEST = "load_data.csv", "inputs.sha256"
# Source code of the modules that draw. It is read at import: if the files are edited during a run, plates of the old
# code must not get the digest of the new code.
_CODE = b"".join(
    Path(file).read_bytes()
    for file in (phenotype.__file__, drawing.__file__, cells.__file__, stains.__file__, microscope.__file__, __file__)
)


def generator(seed: int, *names: object) -> np.random.Generator:
    """Make a random generator that depends only on the seed and the names, not on the process or the order of calls.

    >>> generator(0, "P1", "A01", 1).integers(100) == generator(0, "P1", "A01", 1).integers(100)
    np.True_
    """
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence([seed, *np.frombuffer(digest[:16], "<u4").tolist()]))


def render_fields(
    phenotypes: np.ndarray,
    size: int,
    seed: int,
    plate: str = "",
    wells: Sequence[str] | None = None,
    sites: Sequence[int] | None = None,
    plate_effect_strength: float = 1.0,
) -> np.ndarray:
    """Render one field per phenotype.

    The draws of a field depend only on the seed, its plate, its well and its site. Therefore a field that is rendered
    alone is the same as in a batch.

    Parameters
    ----------
    phenotypes
        (N, len(AXES)) float, see :mod:`cloome_kedro.simulation.phenotype`.
    size
        Side of a field in pixels. It does not change the region that is shown, which is 125 um wide.
    seed
        Seed of all draws.
    plate
        Name of the plate.
    wells, sites
        Well and site of each field. By default, the fields are different sites of one well far from the edge of the
        plate.
    plate_effect_strength
        Factor on plate effects. With 0, there is only noise of photons and camera.

    Returns
    -------
    uint16 (N, 5, size, size), from 0 to 4095. Channels are in the order of ``stains.CHANNELS``.

    Raises
    ------
    ValueError
        If phenotypes have another shape or are not finite.
    """
    phenotypes = np.atleast_2d(np.asarray(phenotypes, float))
    if phenotypes.shape[1] != len(AXES) or not np.isfinite(phenotypes).all():
        raise ValueError(f"phenotypes must be finite and of shape (N, {len(AXES)}), not {phenotypes.shape}")
    n_fields = len(phenotypes)
    wells = ["H12"] * n_fields if wells is None else wells
    sites = range(1, n_fields + 1) if sites is None else sites
    plate_effects = microscope.Plate.draw(plate_effect_strength, generator(seed, plate))
    canvas = drawing.canvas(size)
    images = np.empty((n_fields, len(CHANNELS), size, size), np.uint16)
    for i, (vector, well, site) in enumerate(zip(phenotypes, wells, sites, strict=True)):
        rng = generator(seed, plate, well, site)
        light = stains.stain(vector, plate_effects.crowding(well), canvas, rng)
        images[i] = microscope.photograph(light, plate_effects, well, canvas, rng)
    return images


def write_plate(folder: Path, plate: str, wells: pd.DataFrame, config: ScreenConfig) -> int:
    """Render one plate into the folder of a screen, unless it exists already.

    The files are ``images/<plate>/<plate>_<well>_s<site>_<channel>.tiff`` (uint16, deflate) and
    ``load_data_csv/<plate>/load_data.csv``. Each folder gets its final name when it is complete. The folder of the
    table comes last, so a plate that has a table is complete. A plate is kept if the digest beside its table shows that
    it was made by the same code from the same inputs, and if no image is missing.

    Parameters
    ----------
    folder
        Folder of the screen.
    plate
        Name of the plate.
    wells
        One row per well: ``well``, and ``realised_<axis>`` for every axis.
    config
        Settings of the screen.

    Returns
    -------
    Number of fields of the plate.
    """
    wells = _rendered_columns(wells)
    images, table = folder / "images" / plate, folder / "load_data_csv" / plate
    fields = len(wells) * config.sites
    digest = _digest(plate, wells, config)
    digest_file = table / _DIGEST
    is_current = digest_file.is_file() and digest_file.read_text() == digest and (table / _TABLE).is_file()
    if is_current and _count(images) == fields * len(CHANNELS):
        return fields

    for stale in (table, images):
        shutil.rmtree(stale, ignore_errors=True)
    with replace_folder(images) as draft:
        rows = _write_images(draft, plate, wells, config)
    with replace_folder(table) as draft:
        (draft / _DIGEST).write_text(digest)
        pd.DataFrame(rows).to_csv(draft / _TABLE, index=False)
    return fields


def drop_stale_plates(folder: Path, plates: Mapping[str, pd.DataFrame], config: ScreenConfig) -> None:
    """Remove plates that :func:`write_plate` rendered for another design, and incomplete folders of a killed run.

    Otherwise, ingestion could join images of the old design to compounds of the new one. Plates without a digest were
    not rendered by this module and are kept.

    Parameters
    ----------
    folder
        Folder of the screen.
    plates
        Plate -> its wells, as in :func:`write_plate`.
    config
        Settings of the screen.
    """
    for draft in folder.glob("images/.*.part"):
        shutil.rmtree(draft)
    for digest_file in sorted(folder.glob(f"load_data_csv/*/{_DIGEST}")):
        plate = digest_file.parent.name
        if plate not in plates or digest_file.read_text() != _digest(plate, _rendered_columns(plates[plate]), config):
            shutil.rmtree(digest_file.parent)
            shutil.rmtree(folder / "images" / plate, ignore_errors=True)


def _rendered_columns(wells: pd.DataFrame) -> pd.DataFrame:
    """Select the columns that the images of a plate depend on, with the wells in sorted order."""
    return wells[["well", *(f"realised_{axis}" for axis in AXES)]].sort_values("well")


def _count(folder: Path) -> int:
    """Number of files in a folder; 0 if there is no folder."""
    return len(os.listdir(folder)) if folder.is_dir() else 0


def _write_images(draft: Path, plate: str, wells: pd.DataFrame, config: ScreenConfig) -> list[dict]:
    """Render all fields of a plate, write their images into the folder ``draft``, and return the rows of LoadData."""
    import tifffile

    rows = []
    for well, *vector in wells.itertuples(index=False):
        sites = range(1, config.sites + 1)
        images = render_fields(
            np.tile(vector, (config.sites, 1)),
            config.field_size,
            config.seed,
            plate,
            [well] * config.sites,
            sites,
            config.plate_effect_strength,
        )
        for site, image in zip(sites, images, strict=True):
            row = {"Metadata_Plate": plate, "Metadata_Well": well, "Metadata_Site": site}
            for channel, counts in zip(CHANNELS, image, strict=True):
                name = f"{plate}_{well}_s{site}_{channel}.tiff"
                tifffile.imwrite(
                    draft / name,
                    counts,
                    compression="zlib",
                    compressionargs={"level": 1},
                    predictor=True,
                    metadata=None,
                )
                row |= {f"FileName_Orig{channel}": name, f"PathName_Orig{channel}": f"images/{plate}"}
            rows.append(row)
    return rows


def _digest(plate: str, wells: pd.DataFrame, config: ScreenConfig) -> str:
    """Digest of everything that the files of a plate depend on, including the code that draws."""
    settings = (plate, config.seed, config.sites, config.field_size, config.plate_effect_strength)
    digest = hashlib.sha256(repr(settings).encode())
    digest.update("\0".join(wells["well"]).encode())
    digest.update(wells.drop(columns="well").to_numpy(np.float64).tobytes())
    digest.update(_CODE)
    return digest.hexdigest()
