"""Standardisation against structures whose parents are known, and against InChIKeys that others computed."""

import pandas as pd
import pytest
from rdkit import Chem

from cloome_kedro import schemas
from cloome_kedro.chemistry import standardise as module
from cloome_kedro.chemistry.standardise import identify, standardise, standardise_smiles


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
        ("BSYNRYMUTXBXSQ-UHFFFAOYSA-N", "an InChIKey, which does not give the structure"),
        ("InChI=1S/C2H6O/c1-2-3/h3H,2H2,1H4", "not an InChI that RDKit can read"),
        ("InChI=", "not an InChI that RDKit can read"),
        ("C" * 1001, "too large: 1001 atoms, but params:structures, max_atoms is 1000"),
        ("C" * 20_000, "too large: 20000 atoms"),
        ("C(" * 20_000 + ")" * 20_000, "too large: 20000 atoms"),
        ("[13CH2]" * 20_000, "too large: 20000 atoms"),
        ("[" * 100_000, "not a SMILES"),
        ("(" * 100_000, "not a SMILES"),
        ("C" + "=" * 100_000, "not a SMILES"),
    ],
)
def test_rejections(smiles, reason, capfd):
    with pytest.raises(ValueError, match=reason):
        standardise_smiles(smiles)
    assert capfd.readouterr().err == ""  # RDKit's own log is silent


@pytest.mark.parametrize(
    "text",
    [
        "InChI=1S/C9H8O4/c1-6(10)13-8-5-3-2-4-7(8)9(11)12/h2-5H,1H3,(H,11,12)",
        "InChI=1S/C9H8O4.Na/c1-6(10)13-8-5-3-2-4-7(8)9(11)12;/h2-5H,1H3,(H,11,12);/q;+1/p-1",
        "  InChI=1/C9H8O4/c1-6(10)13-8-5-3-2-4-7(8)9(11)12/h2-5H,1H3,(H,11,12)/f/h11H ",
    ],
)
def test_an_inchi_is_read_like_a_smiles(text):
    expected = standardise_smiles("CC(=O)Oc1ccccc1C(=O)O")
    assert standardise_smiles(text).inchikey == expected.inchikey
    assert standardise_smiles(text).smiles == expected.smiles


@pytest.mark.parametrize("length", [1, 30, 400])
def test_the_limit_of_atoms_is_a_setting(length):
    assert standardise_smiles("C" * length, max_atoms=length).inchikey
    with pytest.raises(ValueError, match=f"too large: {length + 1} atoms"):
        standardise_smiles("C" * length + "O", max_atoms=length)


def test_an_inchi_has_the_limit_too():
    with pytest.raises(ValueError, match="too large: 13 atoms, but params:structures, max_atoms is 12"):
        standardise_smiles("InChI=1S/C9H8O4/c1-6(10)13-8-5-3-2-4-7(8)9(11)12/h2-5H,1H3,(H,11,12)", max_atoms=12)


def test_spellings_of_a_structure_have_one_identity():
    aspirin = ["CC(=O)Oc1ccccc1C(=O)O", "OC(=O)C1=CC=CC=C1OC(C)=O", "[Na+].CC(=O)Oc1ccccc1C(=O)[O-]"]
    assert len({identify(text) for text in aspirin}) == 1
    assert identify("CCO") != identify("CCN")
    assert (identify("unknown"), identify("??")) == ("unknown", "??")


def test_tables():
    table = compound_table(
        ("salt", "CC(=O)Oc1ccccc1C(=O)[O-].[Na+]", None, "b inhibitor|a agonist"),
        ("bad", "xyz", "broken", None),
        ("acid", "OC(=O)c1ccccc1OC(C)=O", "aspirin", "c | a agonist"),
        ("other", "CCO", None, None),
        ("empty", None, "nothing", "x"),
    )
    compounds, keys, rejected, merged = standardise(table)
    for name, result in zip(
        ("compounds", "compound_keys", "rejected_compounds", "merged_compounds"),
        (
            compounds,
            keys,
            rejected,
            merged,
        ),
        strict=True,
    ):
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
    assert compounds["stripped"].dropna().to_dict() == {0: "Sodium"}
    assert merged["compound_id"].tolist() == ["salt", "acid"], "their mechanisms differ"
    assert merged["smiles"].tolist() == table["smiles"][[0, 2]].tolist()


@pytest.mark.parametrize(
    ("names", "moas", "is_merged"),
    [
        (("aspirin", "aspirin"), ("a|b", "b | a"), False),
        (("aspirin", " Aspirin"), (None, None), False),
        (("aspirin", None), ("a", None), False),
        ((None, None), (None, None), False),
        (("aspirin", "lysine aspirin"), (None, None), True),
        ((None, None), ("a", "a|b"), True),
    ],
)
def test_compounds_with_different_names_or_mechanisms_are_listed(names, moas, is_merged):
    smiles = ("CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Oc1ccccc1C(=O)O.NCCCCC(N)C(=O)O")
    rows = [(str(i), *row) for i, row in enumerate(zip(smiles, names, moas, strict=True))]
    found = standardise(compound_table(*rows, ("other", "CCO", "ethanol", "c")))
    assert found.merged["compound_id"].tolist() == (["0", "1"] if is_merged else [])
    assert found.compounds["stripped"].dropna().tolist() == ["Lysine"]
    schemas.merged_compounds.validate(found.merged)


def test_order_of_rows_changes_no_structure():
    table = compound_table(
        *[(f"c{i}", smiles, None, None) for i, smiles in enumerate(["O=c1cccc[nH]1", "Oc1ccccn1", "CCO", "CCC", "CCN"])]
    )
    forward, backward = standardise(table)[0], standardise(table[::-1])[0]
    pd.testing.assert_frame_equal(forward, backward)
    assert len(forward) == 4  # the two tautomers share an InChIKey


@pytest.mark.parametrize("rows", [[], [("a", "??", None, None)]])
def test_nothing_left(rows):
    compounds, keys, rejected, merged = standardise(compound_table(*rows))
    assert (len(compounds), len(keys), len(rejected), len(merged)) == (0, 0, len(rows), 0)
    schemas.compounds.validate(compounds)
    schemas.merged_compounds.validate(merged)


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
    compounds, keys, rejected, _ = standardise(table[["compound_id", "smiles", "name", "moa"]])
    assert rejected.empty
    matched = keys.merge(table)
    assert (matched["inchikey"].str[:14] == matched["InChIKey"].str[:14]).mean() > 0.97
    again = standardise(compounds.assign(compound_id=compounds["inchikey"])).compound_keys
    assert (again["compound_id"] == again["inchikey"]).mean() > 0.995  # standardising twice changes nothing
