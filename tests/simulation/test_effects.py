import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rdkit.Chem import MolFromSmiles

from cloome_kedro.simulation.compounds import build_library
from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.effects import LIMIT, RULES, off_target, phenotypes, potency, properties, saturate
from cloome_kedro.simulation.mechanisms import MECHANISMS
from cloome_kedro.simulation.phenotype import AXES, ONE_SIDED

COLUMNS = [f"phenotype_{axis}" for axis in AXES]


@pytest.fixture(scope="module")
def library():
    return build_library(ScreenConfig(compounds=400))


def rule(name):
    return next(rule for rule in RULES if rule.name == name)


@pytest.mark.parametrize(
    ("name", "smiles", "strength"),
    [
        ("basic amine", "CCN(CC)CC", 1),
        ("basic amine", "CC(=O)NC", 0),  # amide
        ("basic amine", "CNc1ccccc1", 0),  # aniline
        ("aryl chloride or bromide", "Clc1ccc(Br)cc1", 1.5),
        ("aryl chloride or bromide", "ClCC", 0),
        ("carboxylic acid", "CC(=O)O", 1),
        ("carboxylic acid", "CC(=O)OC", 0),
        ("ester", "CC(=O)OC", 1),
        ("sulphonamide", "CS(=O)(=O)N", 1),
        ("phenol", "Oc1ccccc1", 1),
        ("phenol", "OCc1ccccc1", 0),
        ("urea", "CNC(=O)NC", 1),
        ("morpholine", "C1COCCN1", 1),
        ("tert-butyl", "CC(C)(C)c1ccccc1", 1),
        ("naphthalene", "c1ccc2ccccc2c1", 1),
    ],
)
def test_rules_find_their_substructure(name, smiles, strength):
    assert rule(name).strength(MolFromSmiles(smiles)) == strength


def test_amine_groups_count_once_a_nitrogen():
    assert rule("basic amine").strength(MolFromSmiles("CN1CCN(C)CC1")) == 1.5


def test_no_rule_is_dead_or_universal(library):
    molecules = [MolFromSmiles(smiles) for smiles in library["smiles"]]
    for item in RULES:
        share = np.mean([item.strength(molecule) > 0 for molecule in molecules])
        assert 0.005 < share < 0.75, item.name


def test_methane_does_nothing_and_a_fluorescent_dye_glows():
    assert np.abs(off_target(MolFromSmiles("C"))).max() < 0.02
    glow = AXES.index("dna_background")
    assert off_target(MolFromSmiles("c1ccc2cc3ccccc3cc2c1"))[glow] > 0.5


def test_properties_of_known_molecules():
    aspirin = properties(MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    assert aspirin["tpsa"] == pytest.approx(63.6)
    assert aspirin["logp"] == pytest.approx(1.3101)
    assert properties(MolFromSmiles("c1ccc2ccccc2c1"))["fused_aromatic_atoms"] == 2


def test_potency_depends_on_structure_within_its_range(library):
    values = np.array([potency(MolFromSmiles(smiles)) for smiles in library["smiles"]])
    assert values.min() >= 0.5
    assert values.max() <= 1.1
    assert values.std() > 0.1


@given(arrays(float, len(AXES), elements=st.floats(-50, 50)))
def test_saturate_bounds_keeps_order_and_cuts_one_sided_axes(effects):
    bent = saturate(effects)
    one_sided = np.isin(AXES, list(ONE_SIDED))
    assert np.abs(bent).max() <= LIMIT
    assert (bent[one_sided] >= 0).all()
    assert (saturate(effects + 0.5) >= bent).all()
    assert (np.abs(bent) <= np.abs(effects) * (1 + 1e-9) + 1e-300).all()


def test_without_off_target_effects_only_mechanism_and_potency_are_left(library):
    table = phenotypes(library, effect_strength=0.0)
    vectors = {mechanism.name: mechanism.vector for mechanism in MECHANISMS}
    for compound in table.itertuples():
        expected = compound.potency * vectors.get(compound.mechanism, np.zeros(len(AXES)))
        np.testing.assert_allclose(table.loc[compound.Index, COLUMNS].astype(float), saturate(expected))
    assert (table.loc[table["mechanism"] == "inactive", "potency"] == 0).all()


def test_effect_strength_scales_what_inactive_compounds_do(library):
    inactive = library[library["mechanism"] == "inactive"]
    half, full = (phenotypes(inactive, strength)[COLUMNS].abs().to_numpy().mean() for strength in (0.5, 1.0))
    assert 0.4 * full < half < 0.7 * full
    assert full > 0.05


def test_phenotype_is_a_function_of_structure_and_mechanism_alone(library):
    table = phenotypes(library, 1.0)
    shuffled = phenotypes(library.sample(frac=1, random_state=0), 1.0)
    pd.testing.assert_frame_equal(table, shuffled.loc[table.index])
