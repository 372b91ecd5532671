import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

from cloome_kedro.simulation.compounds import tails
from cloome_kedro.simulation.mechanisms import INACTIVES, MECHANISMS, axis_vector
from cloome_kedro.simulation.phenotype import AXES, ONE_SIDED

TEMPLATES = [template for mechanism in (*MECHANISMS, INACTIVES) for template in mechanism.templates]
SERIES = [template for template in TEMPLATES if template.is_series]


def fill(template, tail):
    return template.smiles.format(**{template.slot: tail})


def test_there_are_twenty_mechanisms_with_distinct_names_and_phenotypes():
    assert len({mechanism.name for mechanism in MECHANISMS}) == len(MECHANISMS) >= 20
    assert len({template.name for template in TEMPLATES}) == len(TEMPLATES)
    vectors = np.array([mechanism.vector for mechanism in MECHANISMS])
    distances = np.linalg.norm(vectors[:, None] - vectors, axis=2)[~np.eye(len(vectors), dtype=bool)]
    assert distances.min() > 1
    assert not INACTIVES.vector.any()


def test_mechanisms_move_one_sided_axes_upwards_only():
    one_sided = np.isin(AXES, list(ONE_SIDED))
    assert all((mechanism.vector[one_sided] >= 0).all() for mechanism in MECHANISMS)


def test_axis_vector_refuses_an_unknown_axis():
    assert axis_vector({AXES[2]: -0.5})[2] == -0.5
    with pytest.raises(KeyError, match="no_such_axis"):
        axis_vector({"no_such_axis": 1.0})


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_templates_give_valid_neutral_single_molecules(template):
    for tail in tails(template)[::7]:
        molecule = Chem.MolFromSmiles(fill(template, tail))
        assert molecule is not None, fill(template, tail)
        assert Chem.GetFormalCharge(molecule) == 0
        assert len(Chem.GetMolFrags(molecule)) == 1


@pytest.mark.parametrize("template", SERIES, ids=lambda template: template.name)
def test_a_series_has_one_scaffold(template):
    """So that a scaffold split puts the whole series into one fold."""
    assert len({MurckoScaffoldSmiles(fill(template, tail)) for tail in tails(template)}) == 1


def test_scaffolds_of_series_are_their_own():
    scaffolds = [MurckoScaffoldSmiles(fill(template, tails(template)[0])) for template in SERIES]
    assert len(set(scaffolds)) == len(SERIES) >= 18
