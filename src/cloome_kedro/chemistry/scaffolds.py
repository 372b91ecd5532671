"""Bemis-Murcko scaffolds."""

from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold


def murcko_scaffold(mol: Chem.Mol) -> str:
    """SMILES of a molecule's Bemis-Murcko scaffold, without stereochemistry.

    The scaffold consists of the rings and their linkers (Bemis & Murcko 1996). As RDKit defines it, it includes atoms
    that are double-bonded to a ring or linker. For a molecule without rings, the result is the SMILES of the molecule.
    If all molecules without rings had the same scaffold, a scaffold split would put them all into one fold.
    Stereochemistry is removed, so that stereoisomers have the same scaffold.

    Examples
    --------
    >>> murcko_scaffold(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    'c1ccccc1'
    >>> murcko_scaffold(Chem.MolFromSmiles("C[C@H](N)C(=O)O"))
    'CC(N)C(=O)O'
    """
    flat = Chem.Mol(mol)
    Chem.RemoveStereochemistry(flat)
    core = MurckoScaffold.GetScaffoldForMol(flat)
    return Chem.MolToSmiles(core if core.GetNumAtoms() else flat)
