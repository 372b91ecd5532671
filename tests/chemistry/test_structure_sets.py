"""Sets of structural features, against RDKit's older functions and against what is known of a molecule."""

import json

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from rdkit import Chem
from rdkit.Chem import Descriptors, MACCSkeys, rdMolDescriptors

from cloome_kedro.chemistry.fingerprints import morgan
from cloome_kedro.chemistry.structure_config import StructureSet
from cloome_kedro.chemistry.structure_sets import compute_sets, describe, set_of

SMILES = ["CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "Cn1c(=O)c2c(ncn2C)n(C)c1=O", "CCCCCCCCCCCC"]
MOLECULES = [Chem.MolFromSmiles(smiles) for smiles in SMILES]


def computed(kind, **settings):
    return compute_sets(SMILES, {"set": StructureSet(kind, **settings)})["set"]


def dense(fingerprint):
    values = np.zeros(fingerprint.GetLength(), int)
    for position, count in fingerprint.GetNonzeroElements().items():
        values[position] = count
    return values


def test_morgan_bits_are_those_of_the_view_morgan():
    for chirality in (True, False):
        found = computed("morgan", size=256, radius=3, chirality=chirality)
        np.testing.assert_array_equal(found, morgan(SMILES, 256, 3, chirality))
    assert (found[1] == found[2]).all(), "without chirality, enantiomers are the same"
    assert not np.array_equal(*computed("morgan")[1:3])


@pytest.mark.parametrize(
    ("kind", "settings", "reference"),
    [
        ("morgan", {"radius": 2}, lambda mol: rdMolDescriptors.GetHashedMorganFingerprint(mol, 2, 512)),
        (
            "feature_morgan",
            {"radius": 2},
            lambda mol: rdMolDescriptors.GetHashedMorganFingerprint(mol, 2, 512, useFeatures=True),
        ),
        ("atom_pairs", {}, lambda mol: rdMolDescriptors.GetHashedAtomPairFingerprint(mol, 512)),
        ("topological_torsions", {}, lambda mol: rdMolDescriptors.GetHashedTopologicalTorsionFingerprint(mol, 512)),
    ],
    ids=["morgan", "feature_morgan", "atom_pairs", "topological_torsions"],
)
def test_counts_are_those_of_the_older_functions(kind, settings, reference):
    """Sums and sorted counts of each molecule, since the two hash to other places."""
    found = computed(kind, counts=True, size=512, chirality=False, **settings)
    assert found.dtype == np.uint16
    for row, mol in zip(found, MOLECULES, strict=True):
        assert row.sum() == dense(reference(mol)).sum()
    dodecane = MOLECULES[4]
    if kind == "atom_pairs":
        assert found[4].sum() == dodecane.GetNumAtoms() * (dodecane.GetNumAtoms() - 1) / 2
    if kind == "topological_torsions":
        assert found[4].sum() == 9, "paths of four atoms in a chain of twelve"


def test_bits_say_where_counts_are_above_zero():
    for kind in ("morgan", "feature_morgan", "rdkit"):
        np.testing.assert_array_equal(computed(kind, size=512), computed(kind, counts=True, size=512) > 0)


def test_paths_have_a_longest_length():
    """A chain of twelve carbons has 12 - k paths of k bonds, and each path sets two features."""
    assert computed("rdkit", counts=True, max_path=6)[4].sum() == 2 * sum(12 - bonds for bonds in range(1, 7))
    assert computed("rdkit", counts=True)[4].sum() == 2 * sum(12 - bonds for bonds in range(1, 8))


def test_keys_and_descriptors_are_those_of_rdkit():
    keys = computed("maccs")
    np.testing.assert_array_equal(keys, [list(MACCSkeys.GenMACCSKeys(mol)) for mol in MOLECULES])
    found, names = computed("descriptors"), describe(StructureSet("descriptors"))["names"]
    assert found.dtype == np.float32
    for name in ("MolWt", "TPSA", "NumHDonors"):
        expected = [getattr(Descriptors, name)(mol) for mol in MOLECULES]
        np.testing.assert_allclose(found[:, names.index(name)], expected, rtol=1e-6)


def test_a_descriptor_that_fails_or_is_too_large_is_unknown(monkeypatch):
    def fail(mol):
        raise RuntimeError("no such atom")

    broken = [("fails", fail), ("huge", lambda mol: 1e300), ("fine", lambda mol: 2.5), ("nan", lambda mol: np.nan)]
    monkeypatch.setattr(Descriptors, "descList", broken)
    np.testing.assert_array_equal(computed("descriptors"), [[np.nan, np.nan, 2.5, np.nan]] * 5)


def test_parts_and_processes_change_nothing(monkeypatch):
    sets = {"a": StructureSet("morgan", counts=True, size=64), "b": StructureSet("maccs")}
    whole = compute_sets(SMILES, sets)
    monkeypatch.setattr("cloome_kedro.chemistry.structure_sets._STRUCTURES", 2)
    for n_jobs in (1, 2):
        parts = compute_sets(SMILES, sets, n_jobs)
        for name in sets:
            np.testing.assert_array_equal(parts[name], whole[name])


def test_a_bad_structure_is_named_with_its_row(monkeypatch):
    monkeypatch.setattr("cloome_kedro.chemistry.structure_sets._STRUCTURES", 2)
    with pytest.raises(ValueError, match=r"row 3: RDKit cannot read the SMILES 'C1CC'. Standardise the compounds"):
        compute_sets(["C", "CC", "CCC", "C1CC"], {"a": StructureSet("maccs")})


@pytest.mark.parametrize(
    "structures",
    [
        StructureSet("morgan", counts=True, radius=3),
        StructureSet("atom_pairs", size=128, chirality=False),
        StructureSet("rdkit", max_path=6),
        StructureSet("maccs"),
        StructureSet("descriptors"),
    ],
    ids=lambda structures: structures.kind,
)
def test_a_description_gives_the_same_set_again(structures):
    description = json.loads(json.dumps(describe(structures)))
    assert describe(set_of(description)) == description
    again = compute_sets(SMILES, {"a": set_of(description)})["a"]
    np.testing.assert_array_equal(again, compute_sets(SMILES, {"a": structures})["a"])
    assert again.shape[1] == description["size"]


def test_descriptors_of_another_version_are_refused(monkeypatch):
    description = describe(StructureSet("descriptors"))
    with pytest.raises(ValueError, match="has other descriptors, such as Newest: use the version of the training"):
        set_of(description | {"names": [*description["names"], "Newest"]})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "maccs", "counts": True}, "maccs has no counts"),
        ({"kind": "descriptors", "size": 5}, "descriptors has no setting size"),
        ({"kind": "rdkit", "chirality": True}, "rdkit has no setting chirality"),
        ({"kind": "atom_pairs", "radius": 2}, "atom_pairs has no setting radius"),
        ({"kind": "morgan", "max_path": 5}, "morgan has no setting max_path"),
        ({"kind": "rdkit", "max_path": 0}, "max_path must be at least 1"),
        ({"kind": "morgan", "radius": 0}, "radius must be at least 1"),
        ({"kind": "ecfp"}, "morgan"),
        ({"kind": "morgan", "bits": 5}, "[Uu]nexpected"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_settings_that_a_set_does_not_have_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(StructureSet).validate_python(settings)
