"""Write the fields of a screen as the exports of other microscopes and archives."""

import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from cloome_kedro.imaging.channels import CHANNELS

#: plate, well, site and channel -> file of the image
Images = Mapping[tuple[str, str, int, str], Path]

WAVELENGTHS = {"DNA": "w1", "ER": "w2", "RNA": "w3", "AGP": "w4", "Mito": "w5"}
STAINS = {"DNA": "Hoechst", "ER": "ERSyto", "RNA": "ERSytoBleed", "AGP": "Ph_golgi", "Mito": "Mito"}


def images_of(folder: Path) -> dict[tuple[str, str, int, str], Path]:
    """Images of a screen that `small_screens.write_load_data_screen` has written."""
    images = {}
    for path in sorted((folder / "images").glob("*/*.tiff")):
        well, site, channel = path.stem.split("_")
        images[path.parent.name, well, int(site[1:]), channel] = path
    return images


def unique(path: Path) -> str:
    """A UUID for a file, the same in each run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, path.name + path.parent.name)).upper()


def as_imagexpress(folder: Path, images: Images) -> dict[str, Any]:
    """Write ``PLATE_B02_s1_w1<UUID>.tif`` and thumbnails; give the settings of the source."""
    for (plate, well, site, channel), path in images.items():
        export = folder / f"export/{plate}/TimePoint_1"
        export.mkdir(parents=True, exist_ok=True)
        stem = f"{plate}_{well}_s{site}_{WAVELENGTHS[channel]}"
        (export / f"{stem}{unique(path)}{path.suffix[:4]}").symlink_to(path)
        (export / f"{stem}_thumb{unique(path)}.tif").write_bytes(b"thumbnail")
    return {
        "layout": "imagexpress",
        "folder": "export",
        "channels": {name: channel for channel, name in WAVELENGTHS.items()},
    }


def as_zips(folder: Path, images: Images) -> dict[str, Any]:
    """Write one archive per plate and channel; give the settings of the source."""
    (folder / "zips").mkdir()
    for plate, channel in sorted({(plate, channel) for plate, _, _, channel in images}):
        name = f"{plate}-{STAINS[channel]}"
        with zipfile.ZipFile(folder / f"zips/{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for (of_plate, well, site, of_channel), path in images.items():
                if (of_plate, of_channel) == (plate, channel):
                    stem = f"cdp2bioactives_{well.lower()}_s{site}_{WAVELENGTHS[channel]}"
                    archive.write(path, f"{name}/{stem}{unique(path).lower()}{path.suffix[:4]}")
                    archive.writestr(f"{name}/{stem}_thumb{unique(path).lower()}.tif", b"thumbnail")
                    archive.writestr(f"__MACOSX/{name}/._{stem}.tif", b"of a Mac")
    return {"layout": "zip_per_channel", "folder": "zips"}


def as_npz(folder: Path, images: Images, scale: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    """Write ``PLATE-WELL-SITE.npz`` with (H, W, 5) uint8, scaled by ``scale``; give the settings of the source."""
    (folder / "npz").mkdir()
    for plate, well, site in sorted({key[:3] for key in images}):
        field = np.stack([tifffile.imread(images[plate, well, site, channel]) for channel in CHANNELS])
        np.savez_compressed(folder / f"npz/{plate}-{well}-{site}.npz", sample=scale(field).transpose(1, 2, 0))
    return {"layout": "npz", "folder": "npz", "bit_depth": 8}


def as_named_files(folder: Path, images: Images) -> dict[str, Any]:
    """Write ``plate P1/row 2/col 3/f1.Hoechst.tif``; give the settings of the source."""
    for (plate, well, site, channel), path in images.items():
        path_of_well = folder / f"mine/plate {plate}/row {ord(well[0]) - 64}/col {int(well[1:])}"
        path_of_well.mkdir(parents=True, exist_ok=True)
        (path_of_well / f"f{site}.{STAINS[channel]}{path.suffix}").symlink_to(path)
    pattern = (
        r"plate (?P<plate>[^/]+)/row (?P<row>\d+)/col (?P<column>\d+)/f(?P<site>\d+)\.(?P<channel>\w+)\.(tiff|png)"
    )
    return {"layout": "pattern", "folder": "mine", "pattern": pattern}


def as_opera(folder: Path, images: Images) -> dict[str, Any]:
    """Write ``r02c03f01p01-ch1sk1fk1fl1.tiff``; give the settings of the source."""
    for (plate, well, site, channel), path in images.items():
        (folder / "opera" / plate).mkdir(parents=True, exist_ok=True)
        place = f"r{ord(well[0]) - 64:02d}c{int(well[1:]):02d}f{site:02d}p01"
        name = f"{place}-ch{CHANNELS.index(channel) + 1}sk1fk1fl1{path.suffix}"
        (folder / "opera" / plate / name).symlink_to(path)
    channels = {str(number): channel for number, channel in enumerate(CHANNELS, 1)}
    return {"layout": "opera_phenix", "folder": "opera", "channels": channels}


def relative_names(folder: Path) -> Iterator[str]:
    """Names of the files below a folder, as recognition gets them."""
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
