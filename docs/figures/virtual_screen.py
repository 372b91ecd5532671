"""Draw one field of each mechanism of the virtual screen beside a real one, and print what both look like in numbers.

    CLOOME_DATA=<folder of real fields> python docs/figures/virtual_screen.py

writes ``virtual_screen.png`` beside this file. Without CLOOME_DATA the real row and columns are left out. Real fields
are binned twice, so that cells have the same size in pixels as the simulated ones.
"""

import io
import os
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import tifffile
from PIL import Image
from scipy import ndimage

from cloome_kedro.simulation.mechanisms import MECHANISMS
from cloome_kedro.simulation.phenotype import AXES
from cloome_kedro.simulation.plates import render_fields
from cloome_kedro.simulation.stains import CHANNELS

SIZE, SEED = 96, 0
CLOOME_FILES = ("Mito", "ERSyto", "ERSytoBleed", "Ph_golgi", "Hoechst")
JUMP_CHANNELS = (1, 4, 3, 2, 5)  # Opera Phenix numbers in the order of CHANNELS
COMPOSITE = np.array([[0.6, 0.2, 0], [0, 0.5, 0], [0, 0.35, 0.2], [0.8, 0.25, 0], [0.1, 0.2, 1.0]])


def main() -> None:
    real = real_fields(os.environ.get("CLOOME_DATA"))
    nothing = np.zeros((8, len(AXES)))
    untreated = np.concatenate([render_fields(nothing, SIZE, SEED, plate=f"P{i}") for i in range(8)])
    print(describe({"simulated": untreated, **real}).to_string(float_format="{:.2f}".format))

    rows = {"untreated": untreated[2]}
    if real:
        rows = {"real, Bray et al. 2017": real["cloome_field"][5], **rows}
    fields = render_fields(
        np.stack([mechanism.vector for mechanism in MECHANISMS]),
        SIZE,
        SEED,
        plate="P0",
        sites=range(20, 20 + len(MECHANISMS)),
    )
    rows |= {mechanism.name: field for mechanism, field in zip(MECHANISMS, fields, strict=True)}
    draw(
        rows, np.percentile(untreated, [0.5, 99.9], axis=(0, 2, 3)) * [[1], [1.15]], Path(__file__).with_suffix(".png")
    )


def real_fields(folder: str | None) -> dict[str, np.ndarray]:
    """Name -> tiles (N, 5, SIZE, SIZE) of the real fields, binned twice."""
    if not folder:
        return {}
    root = Path(folder)
    found = {"cloome_field": [[root / "cloome_field" / f"{name}.tif" for name in CLOOME_FILES]], "jump_fields": []}
    for compound in sorted((root / "jump_fields").iterdir()):
        found["jump_fields"].append([next(compound.glob(f"*-ch{channel}sk*")) for channel in JUMP_CHANNELS])
    return {
        name: np.concatenate([tiles(np.stack([tifffile.imread(path) for path in paths])) for paths in stacks])
        for name, stacks in found.items()
    }


def tiles(field: np.ndarray) -> np.ndarray:
    channels, height, width = field.shape
    binned = field[:, : height // 2 * 2, : width // 2 * 2].reshape(channels, height // 2, 2, width // 2, 2).mean((2, 4))
    corners = [(y, x) for y in range(0, height // 2 - SIZE + 1, 82) for x in range(0, width // 2 - SIZE + 1, 84)]
    return np.stack([binned[:, y : y + SIZE, x : x + SIZE] for y, x in corners])


def describe(sets: dict[str, np.ndarray]) -> pd.DataFrame:
    """Mean foreground share, nuclei per field, percentiles and channel correlations of each set of fields."""
    table = {}
    for name, fields in sets.items():
        column = {"fields": len(fields)}
        rna = ndimage.gaussian_filter(fields[:, 2].astype(float), (0, 1, 1))
        low, high = np.percentile(rna, [0.5, 95])
        column["foreground share"] = (rna > low + 0.15 * (high - low)).mean()
        column["nuclei per field"] = np.mean([nuclei(field[4]) for field in fields])
        for c, channel in enumerate(CHANNELS):
            for q in (1, 50, 99):
                column[f"{channel} {q} %"] = np.percentile(fields[:, c], q)
        correlation = np.mean([np.corrcoef(field.reshape(5, -1)) for field in fields], axis=0)
        for a, b in zip(*np.triu_indices(5, 1), strict=True):
            column[f"r {CHANNELS[a]}-{CHANNELS[b]}"] = correlation[a, b]
        table[name] = column
    return pd.DataFrame(table)


def nuclei(dna: np.ndarray) -> int:
    smooth = ndimage.gaussian_filter(dna.astype(float), 1)
    low, high = np.percentile(smooth, [20, 98])
    objects, count = ndimage.label(smooth > (low + high) / 2)
    return int((ndimage.sum(objects > 0, objects, range(1, count + 1)) >= 25).sum())


def draw(rows: dict[str, np.ndarray], limits: np.ndarray, path: Path) -> None:
    """Two blocks of rows, five grey panels and a composite each.

    ``limits`` (2, 5): the counts drawn black and white in simulated fields; a real field has limits of its own.
    """
    sns.set_theme(style="white", font_scale=0.7)
    half = -(-len(rows) // 2)
    figure, axes = plt.subplots(half, 13, figsize=(14.6, 1.0 * half), width_ratios=[1] * 6 + [1.35] + [1] * 6)
    for axis in axes.flat:
        axis.set_axis_off()
    for i, (name, field) in enumerate(rows.items()):
        block = axes[i % half][7 * (i // half) : 7 * (i // half) + 6]
        low, high = np.percentile(field, [0.5, 99.8], axis=(1, 2)) if name.startswith("real") else limits
        panels = np.clip((field - low[:, None, None]) / (high - low)[:, None, None], 0, 1)
        composite = np.clip(np.tensordot(panels, COMPOSITE, (0, 0)), 0, 1)
        for axis, panel in zip(block, [*panels, composite], strict=True):
            axis.imshow(panel, cmap="gray", vmin=0, vmax=1)
        block[0].text(-0.06, 0.5, fill(name, 16), transform=block[0].transAxes, ha="right", va="center")
        if i % half == 0:
            for axis, title in zip(block, [*CHANNELS, "all"], strict=True):
                axis.set_title(title)
    figure.subplots_adjust(left=0.092, right=0.997, top=0.975, bottom=0.005, wspace=0.04, hspace=0.04)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100)
    Image.open(buffer).convert("RGB").quantize(256).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
