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
from cloome_kedro.simulation.plates import _DIGEST, drop_stale_plates, write_plate

#: file that marks a folder into which the virtual screen may be written
MARK = ".virtual_screen"
#: everything that the simulation writes into its folder
_WRITTEN = {
    *("images", "load_data_csv", "platemaps", "barcode_platemap.csv", "compounds.csv"),
    *("manifest.csv", "truth.parquet", "assay_labels.parquet"),
}

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


def claim(folder: Path) -> None:
    """Mark a folder as that of the virtual screen, so that its files may be replaced.

    An empty folder is marked. A folder without the mark is also accepted if it contains nothing but a virtual screen,
    which an earlier version wrote without a mark.

    Raises
    ------
    ValueError
        If the folder contains other files, which may be a screen of the user.
    """
    if (folder / MARK).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    entries = _visible(folder)
    plates = [folder / "load_data_csv" / name for name in _visible(folder / "load_data_csv")]
    is_virtual_screen = set(entries) <= _WRITTEN and bool(plates) and all((path / _DIGEST).is_file() for path in plates)
    if entries and not is_virtual_screen:
        raise ValueError(
            f"{folder} contains files that are not of the virtual screen, such as {entries[0]}, so nothing is "
            "simulated into it. For a screen of your own, set simulate: false in globals.yml of the environment. For a "
            "virtual screen, give it another name there (screen), or empty the folder"
        )
    (folder / MARK).write_text("The simulation of the virtual screen replaces files in this folder.\n")


def _visible(folder: Path) -> list[str]:
    """Names of the entries of a folder that do not begin with a dot; none if it is no folder."""
    return sorted(path.name for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []


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

    Raises
    ------
    ValueError
        If the folder contains files of another origin, see :func:`claim`.
    """
    claim(folder)
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
