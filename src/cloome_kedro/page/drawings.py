"""Structures as SVG."""

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=4096)
def draw(smiles: str, width: int = 240, height: int = 170) -> str:
    """Draw a structure as SVG, with a transparent background.

    Raises
    ------
    ValueError
        If RDKit cannot read the SMILES.
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem.Draw import rdMolDraw2D

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or not molecule.GetNumAtoms():
        raise ValueError(f"RDKit cannot read the SMILES {smiles[:100]!r}")
    canvas = rdMolDraw2D.MolDraw2DSVG(width, height)
    options: Any = canvas.drawOptions()
    options.clearBackground = False
    options.padding = 0.06
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule)
    canvas.FinishDrawing()
    return canvas.GetDrawingText()
