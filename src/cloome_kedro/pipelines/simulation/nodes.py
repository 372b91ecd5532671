"""Nodes of the virtual screen."""

from pathlib import Path

from cloome_kedro.parameters import SimulationParameters


def design_virtual_screen(simulation: SimulationParameters):
    """Draw what every well shows.

    Returns
    -------
    truth
        One row per well.
    assay_labels
        One row per compound.
    """
    from cloome_kedro.simulation.screen import design_screen

    design = design_screen(simulation.screen)
    return design.truth, design.labels


def write_virtual_screen(virtual_screen_folder: Path, simulation: SimulationParameters):
    """Render the screen into its folder: ``raw_screen``, one row per plate."""
    from cloome_kedro.datasets.folder import MANIFEST
    from cloome_kedro.simulation.screen import design_screen, write_screen

    (virtual_screen_folder / MANIFEST).unlink(missing_ok=True)  # until all plates of this design are there
    return write_screen(virtual_screen_folder, design_screen(simulation.screen), simulation.screen, simulation.n_jobs)
