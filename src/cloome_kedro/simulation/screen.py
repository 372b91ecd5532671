"""The virtual screen: its design, and its files, which are those of a real screen."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cloome_kedro.atomic import replace_file
from cloome_kedro.parallel import Bar, run_tasks
from cloome_kedro.simulation.compounds import build_library
from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.effects import phenotypes
from cloome_kedro.simulation.labels import label_compounds
from cloome_kedro.simulation.layout import lay_out, realise
from cloome_kedro.simulation.mechanisms import INACTIVE
from cloome_kedro.simulation.plates import drop_stale_plates, write_plate

CONCENTRATION_MM = 0.01  # concentration of each compound in mmol/l


@dataclass(frozen=True)
class ScreenDesign:
    """Everything that is drawn before the fields are rendered.

    Attributes
    ----------
    compounds
        One row per compound: ``compound_id``, ``smiles``, ``name``, ``mechanism``, ``template``.
    platemaps
        One row per well of a platemap: ``platemap``, ``well``, ``compound_id`` (None for a control).
    barcodes
        One row per plate: ``plate``, ``platemap``.
    truth
        One row per well of a plate, see :func:`cloome_kedro.simulation.layout.realise`.
    labels
        One row per compound: ``compound_id``, and one column per assay.
    """

    compounds: pd.DataFrame
    platemaps: pd.DataFrame
    barcodes: pd.DataFrame
    truth: pd.DataFrame
    labels: pd.DataFrame


def design_screen(config: ScreenConfig) -> ScreenDesign:
    """Draw compounds, layout, phenotypes and labels. The same settings give the same design."""
    compounds = build_library(config)
    compound_phenotypes = phenotypes(compounds, config.effect_strength)
    platemaps, barcodes = lay_out(compounds["compound_id"].to_numpy(), config)
    truth = realise(platemaps, barcodes, compound_phenotypes, config.seed)
    return ScreenDesign(compounds, platemaps, barcodes, truth, label_compounds(compounds, compound_phenotypes, config))


def write_screen(folder: Path, design: ScreenDesign, config: ScreenConfig, n_jobs: int = -1) -> pd.DataFrame:
    """Render all plates, and write the tables of platemaps and compounds.

    The files are ``images/`` and ``load_data_csv/`` (see :func:`cloome_kedro.simulation.plates.write_plate`),
    ``platemaps/<platemap>.tsv``, ``barcode_platemap.csv`` and ``compounds.csv``. Plates of an earlier design are
    removed first. Plates of this design that exist already are kept.

    Parameters
    ----------
    folder
        Folder of the screen.
    design, config
        Design of the screen, and the settings from which it was made.
    n_jobs
        Number of processes; -1 uses all cores.

    Returns
    -------
    One row per plate: ``plate``, ``platemap``, ``fields``.
    """
    wells = {str(plate): table for plate, table in design.truth.groupby("plate")}
    drop_stale_plates(folder, wells, config)
    _write_tables(folder, design)
    tasks = [(folder, plate, wells[plate], config) for plate in design.barcodes["plate"]]
    counts = [count for _, count in run_tasks(write_plate, tasks, Bar("rendering", "plate"), n_jobs)]
    return design.barcodes.assign(fields=counts)


def _write_tables(folder: Path, design: ScreenDesign) -> None:
    for name, platemap in design.platemaps.groupby("platemap"):
        is_treated = platemap["compound_id"].notna()
        table = pd.DataFrame(
            {
                "well_position": platemap["well"],
                "broad_sample": platemap["compound_id"],
                "mmoles_per_liter": is_treated.map({True: CONCENTRATION_MM}),
                "solvent": "DMSO",
            }
        )
        _save(table, folder / "platemaps" / f"{name}.tsv", sep="\t")
    barcodes = design.barcodes.rename(columns={"plate": "Assay_Plate_Barcode", "platemap": "Plate_Map_Name"})
    _save(barcodes, folder / "barcode_platemap.csv")
    compounds = pd.DataFrame(
        {
            "broad_sample": design.compounds["compound_id"],
            "smiles": design.compounds["smiles"],
            "pert_iname": design.compounds["name"],
            "moa": design.compounds["mechanism"].where(design.compounds["mechanism"] != INACTIVE),
        }
    )
    _save(compounds, folder / "compounds.csv")


def _save(table: pd.DataFrame, path: Path, sep: str = ",") -> None:
    with replace_file(path) as part:
        table.to_csv(part, sep=sep, index=False)
