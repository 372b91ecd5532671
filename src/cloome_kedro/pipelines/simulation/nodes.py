"""Nodes of the pipeline ``simulation``."""

from pathlib import Path

from cloome_kedro.parameters import SimulationParameters


def design_virtual_screen(virtual_screen_folder: Path, simulation: SimulationParameters):
    """Draw the phenotype of each well and the assay labels of each compound.

    The results are saved in the folder of the screen, so it must not be a folder of the user.

    Returns
    -------
    truth
        One row per well.
    assay_labels
        One row per compound.
    """
    from cloome_kedro.simulation.screen import claim, design_screen

    claim(virtual_screen_folder)
    design = design_screen(simulation.screen)
    return design.truth, design.labels


def write_virtual_screen(virtual_screen_folder: Path, simulation: SimulationParameters):
    """Render the screen into its folder, and return ``raw_screen``, one row per plate."""
    from cloome_kedro.datasets.folder import MANIFEST
    from cloome_kedro.simulation.screen import claim, design_screen, write_screen

    claim(virtual_screen_folder)
    # The manifest marks a complete screen. It must not exist while plates are missing.
    (virtual_screen_folder / MANIFEST).unlink(missing_ok=True)
    return write_screen(virtual_screen_folder, design_screen(simulation.screen), simulation.screen, simulation.n_jobs)
