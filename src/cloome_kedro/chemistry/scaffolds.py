"""Bemis-Murcko scaffolds."""

from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold


def murcko_scaffold(mol: Chem.Mol) -> str:
    """SMILES of a molecule's Bemis-Murcko scaffold, without stereochemistry.

    The scaffold is the rings and what links them (Bemis & Murcko 1996), with the atoms that are double-bonded to
    either, as RDKit draws it. An acyclic molecule has no rings, so its own SMILES stands in: a common "no scaffold"
    would tie all acyclic compounds together. Stereochemistry is dropped, so that stereoisomers share a scaffold.
    """
    flat = Chem.Mol(mol)
    Chem.RemoveStereochemistry(flat)
    core = MurckoScaffold.GetScaffoldForMol(flat)
    return Chem.MolToSmiles(core if core.GetNumAtoms() else flat)
