"""Nodes of the virtual screen."""

from pathlib import Path

from cloome_kedro.parameters import SimulationParameters


def design_virtual_screen(parameters: SimulationParameters):
    """Give the design, the truth (one row a well) and the assay labels (one row a compound)."""
    from cloome_kedro.simulation.screen import design_screen

    design = design_screen(parameters.screen)
    return design, design.truth, design.labels


def write_virtual_screen(folder: Path, design, parameters: SimulationParameters):
    """Render the screen into its folder; give one row a plate."""
    from cloome_kedro.datasets.folder import MANIFEST
    from cloome_kedro.simulation.screen import write_screen

    (folder / MANIFEST).unlink(missing_ok=True)  # until the plates of this design are there
    return write_screen(folder, design, parameters.screen, parameters.n_jobs)
