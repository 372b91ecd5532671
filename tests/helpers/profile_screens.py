"""Screens that are known by tables of profiles alone: invented compounds whose profiles follow their mechanisms."""

from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro.imaging.wells import well_name
from cloome_kedro.simulation.compounds import build_library
from cloome_kedro.simulation.config import ScreenConfig

FEATURES = [f"{part}_Texture_{number}" for part in ("Cells", "Cytoplasm", "Nuclei") for number in range(8)]


def invented_profiles(compounds=60, plates=3, controls=8, seed=0) -> tuple[pd.DataFrame, np.ndarray]:
    """Wells of several plates in the columns of the published table, and their raw features (wells, 24) float32.

    Each plate has every compound once and ``controls`` wells with DMSO. A plate shifts and stretches all features.
    """
    rng = np.random.default_rng(seed)
    library = build_library(ScreenConfig(seed=seed, compounds=compounds))
    effects = {name: rng.normal(0, 2, len(FEATURES)) for name in library["mechanism"].unique()}
    means = np.array([*library["mechanism"].map(effects), *np.zeros((controls, len(FEATURES)))])
    wells, values = [], []
    for plate in range(plates):
        rows = pd.DataFrame(
            {
                "broad_sample": [*library["compound_id"], *["DMSO"] * controls],
                "mmoles_per_liter": [*[0.005] * compounds, *[np.nan] * controls],
                "solvent": "DMSO",
                "Plate": str(24277 + plate),
                "Well": [well_name(1 + i // 24, 1 + i % 24) for i in rng.permutation(compounds + controls)],
                "pert_type": [*["trt"] * compounds, *["control"] * controls],
                "smiles": [*library["smiles"], *[None] * controls],
                "batch": plate // 2,
            }
        )
        measured = means + rng.normal(0, 1, means.shape)
        values.append(measured * rng.uniform(0.5, 2, len(FEATURES)) + rng.normal(0, 5, len(FEATURES)))
        wells.append(rows)
    return pd.concat(wells, ignore_index=True), np.concatenate(values).astype(np.float32)


def write_anndata(path: Path, wells: pd.DataFrame, values: np.ndarray) -> None:
    """Write wells and features as AnnData, whose texts are categories."""
    import anndata

    observations = wells.copy()
    observations.index = pd.Index([str(i) for i in range(len(wells))], dtype=object)
    for name in observations.select_dtypes(exclude="number"):  # this version of AnnData cannot write text of Arrow
        texts = observations[name].astype(object)
        observations[name] = pd.Categorical(texts, pd.Index(sorted(texts.dropna().unique()), dtype=object))
    variables = pd.DataFrame(index=pd.Index([f"feature {i}" for i in range(values.shape[1])], dtype=object))
    data = anndata.AnnData(values, observations, variables)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.write_h5ad(path)


def write_labels(folder: Path, wells: pd.DataFrame, assays=6, seed=0) -> None:
    """Write a label matrix in the form of the published one, with random labels of most compounds."""
    from scipy.io import mmwrite
    from scipy.sparse import coo_array

    from cloome_kedro.chemistry.standardise import identify

    rng = np.random.default_rng(seed)
    keys = sorted({identify(smiles) for smiles in wells["smiles"].dropna().unique()})
    labels = rng.choice([-1, 0, 1], (len(keys), assays), p=[0.4, 0.2, 0.4])
    folder.mkdir(parents=True, exist_ok=True)
    mmwrite(folder / "label-matrix.mtx", coo_array(labels))
    rows = pd.DataFrame({"INDEX": np.arange(len(keys)), "INCHIKEY": keys})
    rows.to_csv(folder / "row-compound-index.csv", index=False)
    pd.DataFrame({"ASSAY_ID": [f"assay {i}" for i in range(assays)]}).to_csv(
        folder / "column-assay-index.csv", index=False
    )
