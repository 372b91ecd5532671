"""Platemaps and plates of the virtual screen, and the phenotype in each well."""

import numpy as np
import pandas as pd

from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.phenotype import AXES
from cloome_kedro.simulation.plates import generator

ROWS, COLUMNS = "ABCDEFGHIJKLMNOP", range(1, 25)
WELLS = tuple(f"{row}{column:02d}" for row in ROWS for column in COLUMNS)
EDGE = tuple(well for well in WELLS if well[0] in "AP" or well[1:] in ("01", "24"))

CONTROL = "DMSO"
#: standard deviations of the biological noise on each axis, between wells and between plates
WELL_NOISE, PLATE_NOISE = 0.3, 0.1


def lay_out(compound_ids: np.ndarray, config: ScreenConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Distribute compounds and controls at random over platemaps and wells.

    Each compound is in one well of one platemap. There are ``config.replicates`` plates per platemap. A quarter of the
    controls are at the edge of the plate, so that edge effects are visible.

    Returns
    -------
    platemaps
        One row per well that is used: ``platemap``, ``well``, ``compound_id`` (None for a control).
    barcodes
        One row per plate: ``plate``, ``platemap``.

    Raises
    ------
    ValueError
        If a platemap has too few wells.
    """
    rng = generator(config.seed, "layout")
    parts = np.array_split(rng.permutation(np.asarray(compound_ids, object)), config.platemaps)
    if (needed := len(parts[0]) + config.control_wells) > len(WELLS):
        raise ValueError(
            f"screen: {config.compounds} compounds on {config.platemaps} platemaps with {config.control_wells} control "
            f"wells need {needed} wells per plate, but a plate has {len(WELLS)}; raise platemaps"
        )
    names = [f"VRT-MAP-{i + 1:02d}" for i in range(config.platemaps)]
    maps = []
    for name, compounds in zip(names, parts, strict=True):
        on_edge = rng.choice(EDGE, min(config.control_wells // 4, len(EDGE)), replace=False)
        inner = rng.choice(np.setdiff1d(WELLS, EDGE), config.control_wells - len(on_edge), replace=False)
        controls = np.concatenate([on_edge, inner])
        wells = rng.choice(np.setdiff1d(WELLS, controls), len(compounds), replace=False)
        table = pd.DataFrame({"well": [*controls, *wells], "compound_id": [None] * len(controls) + list(compounds)})
        table.insert(0, "platemap", name)
        maps.append(table.sort_values("well"))
    barcodes = [
        (f"VRT{1000 + i * config.replicates + replicate}", name)
        for i, name in enumerate(names)
        for replicate in range(config.replicates)
    ]
    return pd.concat(maps, ignore_index=True), pd.DataFrame(barcodes, columns=["plate", "platemap"])


def realise(platemaps: pd.DataFrame, barcodes: pd.DataFrame, phenotypes: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw the phenotype in each well of each plate: the phenotype of the compound plus biological noise.

    The wells of a plate depend only on the seed, the name of the plate, its platemap and the phenotypes.

    Parameters
    ----------
    platemaps, barcodes
        Tables of :func:`lay_out`.
    phenotypes
        Table of :func:`cloome_kedro.simulation.effects.phenotypes`.
    seed
        Seed of the noise.

    Returns
    -------
    One row per well: ``plate``, ``well``, ``compound_id`` (missing for a control), ``mechanism`` ("DMSO" for a
    control), ``potency``, ``phenotype_<axis>`` (without noise), ``realised_<axis>`` (with noise).
    """
    without_noise = [f"phenotype_{axis}" for axis in AXES]
    plates = []
    for plate, platemap in barcodes.itertuples(index=False):
        wells = platemaps.loc[platemaps["platemap"] == platemap, ["well", "compound_id"]]
        wells = wells.sort_values("well").reset_index(drop=True)
        wells.insert(0, "plate", plate)
        expected = phenotypes.reindex(wells["compound_id"]).reset_index(drop=True)
        expected = expected.fillna({"mechanism": CONTROL}).fillna(0.0)
        rng = generator(seed, "biology", plate)
        noise = PLATE_NOISE * rng.standard_normal(len(AXES)) + WELL_NOISE * rng.standard_normal((len(wells), len(AXES)))
        with_noise = expected[without_noise].to_numpy(float) + noise
        realised = pd.DataFrame(with_noise, columns=[f"realised_{axis}" for axis in AXES])
        plates.append(pd.concat([wells, expected, realised], axis=1))
    return pd.concat(plates, ignore_index=True)
