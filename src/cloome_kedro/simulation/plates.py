"""Rendering of fields and of whole plates, as a microscope delivers them: TIFF files and a LoadData table."""

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
#: the drawing code as imported: whoever edits it during a run must not get old plates under the new digest
_CODE = b"".join(
    Path(file).read_bytes()
    for file in (phenotype.__file__, drawing.__file__, cells.__file__, stains.__file__, microscope.__file__, __file__)
)


def generator(seed: int, *names: object) -> np.random.Generator:
    """A generator that depends on ``seed`` and the names alone, whatever the machine, process or order of calls."""
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
    """Render one field a phenotype.

    Parameters
    ----------
    phenotypes : float (N, len(AXES)), see :mod:`cloome_kedro.simulation.phenotype`
    size : side of a field in pixels; a field is 125 um wide whatever its size
    seed, plate, wells, sites : what a field's randomness depends on, so that any field can be rendered alone;
        by default every field is another site of one well far from the plate's edge
    plate_effect_strength : 0 leaves photon and camera noise only

    Returns
    -------
    uint16 (N, 5, size, size), 0 to 4095, channels as in ``stains.CHANNELS``
    """
    phenotypes = np.atleast_2d(np.asarray(phenotypes, float))
    if phenotypes.shape[1] != len(AXES) or not np.isfinite(phenotypes).all():
        raise ValueError(f"phenotypes must be finite and of shape (N, {len(AXES)}), not {phenotypes.shape}")
    n = len(phenotypes)
    wells = ["H12"] * n if wells is None else wells
    sites = range(1, n + 1) if sites is None else sites
    effects = microscope.Plate.draw(plate_effect_strength, generator(seed, plate))
    sheet = drawing.canvas(size)
    images = np.empty((n, len(CHANNELS), size, size), np.uint16)
    for i, (vector, well, site) in enumerate(zip(phenotypes, wells, sites, strict=True)):
        rng = generator(seed, plate, well, site)
        light = stains.stain(vector, effects.crowding(well), sheet, rng)
        images[i] = microscope.photograph(light, effects, well, sheet, rng)
    return images


def write_plate(folder: Path, plate: str, wells: pd.DataFrame, config: ScreenConfig) -> int:
    """Render one plate into the folder of a screen, unless it is there already.

    Writes ``images/<plate>/<plate>_<well>_s<site>_<channel>.tiff`` (uint16, deflate) and
    ``load_data_csv/<plate>/load_data.csv``. Both folders appear under their names when complete, the table last:
    without it there is no plate. The plate is left alone where the digest beside the table shows that it was made from
    the same inputs and code.

    Parameters
    ----------
    folder : the screen's folder
    wells : one row a well: ``well`` and ``realised_<axis>`` for every axis

    Returns
    -------
    The number of fields.
    """
    wells = _drawn(wells)
    images, table = folder / "images" / plate, folder / "load_data_csv" / plate
    fields = len(wells) * config.sites
    digest = _digest(plate, wells, config)
    marker = table / _DIGEST
    is_current = marker.is_file() and marker.read_text() == digest and (table / _TABLE).is_file()
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
    """Remove what :func:`write_plate` made for another design, and the drafts of a killed run.

    Otherwise a run killed half-way would leave images of the old design, which ingestion would join to the new
    design's compounds. Plates without a digest were not rendered here and stay.

    Parameters
    ----------
    plates : plate -> the wells that :func:`write_plate` gets
    """
    for draft in folder.glob("images/.*.part"):
        shutil.rmtree(draft)
    for marker in sorted(folder.glob(f"load_data_csv/*/{_DIGEST}")):
        plate = marker.parent.name
        if plate not in plates or marker.read_text() != _digest(plate, _drawn(plates[plate]), config):
            shutil.rmtree(marker.parent)
            shutil.rmtree(folder / "images" / plate, ignore_errors=True)


def _drawn(wells: pd.DataFrame) -> pd.DataFrame:
    """What a plate's images depend on: its wells in their order, and what was drawn in them."""
    return wells[["well", *(f"realised_{axis}" for axis in AXES)]].sort_values("well")


def _count(folder: Path) -> int:
    return len(os.listdir(folder)) if folder.is_dir() else 0


def _write_images(draft: Path, plate: str, wells: pd.DataFrame, config: ScreenConfig) -> list[dict]:
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
    """Fingerprint of all that a plate's files depend on, the drawing code included."""
    settings = (plate, config.seed, config.sites, config.field_size, config.plate_effect_strength)
    digest = hashlib.sha256(repr(settings).encode())
    digest.update("\0".join(wells["well"]).encode())
    digest.update(wells.drop(columns="well").to_numpy(np.float64).tobytes())
    digest.update(_CODE)
    return digest.hexdigest()
