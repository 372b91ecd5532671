import pytest
from rdkit import Chem

from cloome_kedro.chemistry.scaffolds import murcko_scaffold


@pytest.mark.parametrize(
    ("smiles", "scaffold"),
    [
        ("CC(=O)Oc1ccccc1C(=O)O", "c1ccccc1"),  # side chains go
        ("Cc1ccc(cc1)CCOc1ccncc1F", "c1ccc(CCOc2ccncc2)cc1"),  # the linker stays
        ("CC1CCCC(=O)C1", "O=C1CCCCC1"),  # so do atoms double-bonded to a ring
        ("CCCC(N)C(=O)O", "CCCC(N)C(=O)O"),  # acyclic: itself
    ],
)
def test_scaffold(smiles, scaffold):
    assert murcko_scaffold(Chem.MolFromSmiles(smiles)) == Chem.CanonSmiles(scaffold)


@pytest.mark.parametrize(
    "isomers",
    [
        ("C[C@H]1CC[C@@H](c2ccccc2)CC1", "C[C@H]1CC[C@H](c2ccccc2)CC1"),  # ring
        ("C/C=C/CO", "C/C=C\\CO"),  # acyclic double bond
        ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"),  # acyclic centre
        ("c1ccccc1/C=C/c1ccncc1", "c1ccccc1/C=C\\c1ccncc1"),  # linker
    ],
)
def test_stereoisomers_share_it(isomers):
    assert len({murcko_scaffold(Chem.MolFromSmiles(smiles)) for smiles in isomers}) == 1


def test_argument_is_left_alone():
    mol = Chem.MolFromSmiles("C[C@H](N)C(=O)O")
    murcko_scaffold(mol)
    assert Chem.MolToSmiles(mol) == "C[C@H](N)C(=O)O"
