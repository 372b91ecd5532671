"""Standardisation against structures whose parents are known, and against InChIKeys that others computed."""

import pandas as pd
import pytest
from rdkit import Chem

from cloome_kedro import schemas
from cloome_kedro.chemistry import standardise as module
from cloome_kedro.chemistry.standardise import standardise, standardise_smiles


def compound_table(*rows):
    return pd.DataFrame(rows, columns=["compound_id", "smiles", "name", "moa"])


@pytest.mark.parametrize(
    ("given", "parent"),
    [
        ("CC(=O)[O-].[Na+]", "CC(=O)O"),  # salt
        ("C[NH+](C)CCc1ccccc1.[Cl-]", "CN(C)CCc1ccccc1"),  # charged salt
        ("CN(C)CCc1ccccc1.O.O", "CN(C)CCc1ccccc1"),  # hydrate
        ("CCN.OS(=O)(=O)O", "CCN"),  # the counter-ion is larger, but not organic
        ("C[N+](C)(C)CC(=O)[O-]", "C[N+](C)(C)CC(=O)[O-]"),  # a zwitterion that cannot be neutralised stays
        ("O=N(=O)c1ccccc1", "O=[N+]([O-])c1ccccc1"),  # normalised nitro group
        ("  C[C@H](N)C(=O)O ", "C[C@H](N)C(=O)O"),  # stereochemistry is kept
    ],
)
def test_parent(given, parent):
    structure = standardise_smiles(given)
    expected = Chem.MolFromSmiles(parent)
    assert structure.smiles == Chem.MolToSmiles(expected)
    assert structure.inchikey == Chem.MolToInchiKey(expected)


def test_known_inchikey():
    # aspirin, from PubChem CID 2244
    assert standardise_smiles("CC(=O)Oc1ccccc1C(=O)O").inchikey == "BSYNRYMUTXBXSQ-UHFFFAOYSA-N"


def test_chemaxon_extension_is_read_in_part():
    plain = "CN1[C@H]2CC[C@@H]1C[C@@H](C2)OC(=O)[C@@H](CO)c1ccccc1"
    assert standardise_smiles(f"{plain} |a:2,5,7,&1:12,THB:9:7:1:3.4|") == standardise_smiles(plain)


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        (None, "no SMILES"),
        (float("nan"), "no SMILES"),
        ("  ", "no SMILES"),
        ("hello", "not a SMILES"),
        ("C(C)(C)(C)(C)C", "impossible structure: Explicit valence for atom # 0 C"),
        ("c1cccc1", "impossible structure: .*kekulize"),
        ("*CC", "no InChIKey"),
    ],
)
def test_rejections(smiles, reason, capfd):
    with pytest.raises(ValueError, match=reason):
        standardise_smiles(smiles)
    assert capfd.readouterr().err == ""  # RDKit's own log is silent


def test_tables():
    table = compound_table(
        ("salt", "CC(=O)Oc1ccccc1C(=O)[O-].[Na+]", None, "b inhibitor|a agonist"),
        ("bad", "xyz", "broken", None),
        ("acid", "OC(=O)c1ccccc1OC(C)=O", "aspirin", "c | a agonist"),
        ("other", "CCO", None, None),
        ("empty", None, "nothing", "x"),
    )
    compounds, keys, rejected = standardise(table)
    for name, result in (("compounds", compounds), ("compound_keys", keys), ("rejected_compounds", rejected)):
        assert list(getattr(schemas, name).validate(result).columns) == list(getattr(schemas, name).columns)
    aspirin, ethanol = "BSYNRYMUTXBXSQ-UHFFFAOYSA-N", "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"
    assert compounds["inchikey"].tolist() == [aspirin, ethanol]
    assert compounds["block"].tolist() == [aspirin[:14], ethanol[:14]]
    assert compounds["scaffold"].tolist() == ["c1ccccc1", "CCO"]
    assert compounds.loc[0, "name"] == "aspirin"
    assert compounds.loc[0, "moa"] == "a agonist|b inhibitor|c"
    assert compounds.loc[1, ["name", "moa"]].isna().all()
    assert keys.values.tolist() == [["salt", aspirin], ["acid", aspirin], ["other", ethanol]]
    assert rejected["compound_id"].tolist() == ["bad", "empty"]
    assert rejected["reason"].tolist() == ["not a SMILES", "no SMILES"]


def test_order_of_rows_changes_no_structure():
    table = compound_table(
        *[(f"c{i}", smiles, None, None) for i, smiles in enumerate(["O=c1cccc[nH]1", "Oc1ccccn1", "CCO", "CCC", "CCN"])]
    )
    forward, backward = standardise(table)[0], standardise(table[::-1])[0]
    pd.testing.assert_frame_equal(forward, backward)
    assert len(forward) == 4  # the two tautomers share an InChIKey


@pytest.mark.parametrize("rows", [[], [("a", "??", None, None)]])
def test_nothing_left(rows):
    compounds, keys, rejected = standardise(compound_table(*rows))
    assert (len(compounds), len(keys), len(rejected)) == (0, 0, len(rows))
    schemas.compounds.validate(compounds)


def test_parallel_equals_serial(monkeypatch):
    table = compound_table(*[(str(n), "C" * n + "O" if n % 7 else "bad", None, None) for n in range(1, 40)])
    serial = standardise(table)
    monkeypatch.setattr(module, "PARALLEL_FROM", 1)
    monkeypatch.setattr(module, "CHUNK", 10)
    for one, other in zip(serial, standardise(table), strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_repurposing_hub(cloome_data):
    """The hub's own keys agree, but for metals, and for rings whose stereochemistry is told in an extension."""
    hub = pd.read_csv(cloome_data / "metadata/repurposing_info.tsv", sep="\t").drop_duplicates("smiles")
    hub = hub.dropna(subset=["smiles", "InChIKey"]).sample(600, random_state=0)
    hub = hub[hub["InChIKey"].str.match(r"^[A-Z]{14}-[A-Z]{10}-[A-Z]$")]  # some cells hold the InChI itself
    table = hub.rename(columns={"broad_id": "compound_id", "pert_iname": "name"})
    compounds, keys, rejected = standardise(table[["compound_id", "smiles", "name", "moa"]])
    assert rejected.empty
    matched = keys.merge(table)
    assert (matched["inchikey"].str[:14] == matched["InChIKey"].str[:14]).mean() > 0.97
    again = standardise(compounds.assign(compound_id=compounds["inchikey"]))[1]
    assert (again["compound_id"] == again["inchikey"]).mean() > 0.995  # standardising twice changes nothing
