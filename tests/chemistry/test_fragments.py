"""The compound of salts, hydrates, mixtures and metal complexes."""

from itertools import product

import pytest
from rdkit import Chem

from cloome_kedro.chemistry.fragments import pattern_of
from cloome_kedro.chemistry.standardise import standardise_smiles

DRUGS = {
    "isoniazid": "NNC(=O)c1ccncc1",
    "metformin": "CN(C)C(=N)NC(=N)N",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "tafamidis": "O=C(O)c1ccc2nc(oc2c1)-c1cc(Cl)cc(Cl)c1",
}
COUNTER_IONS = {
    "chloride": ".Cl",
    "sulfate": ".OS(=O)(=O)O",
    "nitrate": ".O[N+](=O)[O-]",
    "phosphate": ".OP(=O)(O)O",
    "sodium": ".[Na+]",
    "potassium": ".[K]",
    "calcium": ".[Ca+2]",
    "meglumine": ".CNC[C@H](O)[C@@H](O)[C@H](O)[C@H](O)CO",
    "charged meglumine": ".C[NH2+]C[C@H](O)[C@@H](O)[C@H](O)[C@H](O)CO",
    "tromethamine": ".NC(CO)(CO)CO",
    "lysine": ".NCCCC[C@H](N)C(=O)O",
    "arginine": ".N[C@@H](CCCNC(=N)N)C(=O)O",
    "choline": ".C[N+](C)(C)CCO",
    "benzathine": ".C(CNCc1ccccc1)NCc1ccccc1",
    "ethylenediamine": ".NCCN",
    "cyclohexylamine": ".NC1CCCCC1",
    "pamoate": ".OC(=O)c1cc2ccccc2c(Cc2c(O)c(cc3ccccc23)C(=O)O)c1O",
    "tartrate": ".OC(=O)[C@H](O)[C@@H](O)C(=O)O",
    "citrate": ".OC(=O)CC(O)(CC(=O)O)C(=O)O",
    "charged citrate": ".OC(=O)CC(O)(CC(=O)[O-])C(=O)O",
    "maleate": r".OC(=O)\C=C/C(=O)O",
    "fumarate": r".OC(=O)\C=C\C(=O)O",
    "succinate": ".OC(=O)CCC(=O)O",
    "mesylate": ".CS(=O)(=O)O",
    "tosylate": ".Cc1ccc(cc1)S(=O)(=O)O",
    "besylate": ".OS(=O)(=O)c1ccccc1",
    "camphorsulfonate": ".CC1(C)C2CCC1(CS(=O)(=O)O)C(=O)C2",
    "napsylate": ".OS(=O)(=O)c1ccc2ccccc2c1",
    "xinafoate": ".OC(=O)c1ccc2ccccc2c1O",
    "gluconate": ".OC[C@@H](O)[C@@H](O)[C@H](O)[C@@H](O)C(=O)O",
    "lactobionate": ".OC[C@@H](O)[C@@H](O[C@@H]1O[C@H](CO)[C@H](O)[C@H](O)[C@H]1O)[C@H](O)[C@@H](O)C(=O)O",
    "stearate": ".CCCCCCCCCCCCCCCCCC(=O)O",
    "trifluoroacetate": ".OC(=O)C(F)(F)F",
    "tetrafluoroborate": ".F[B-](F)(F)F",
    "tetraphenylborate": ".[B-](c1ccccc1)(c1ccccc1)(c1ccccc1)c1ccccc1",
    "water": ".O.O",
    "DMSO": ".CS(C)=O",
    "acetonitrile": ".CC#N",
    "toluene and water": ".Cc1ccccc1.O",
    "itself": None,
}


@pytest.mark.parametrize(("drug", "ion"), [*product(DRUGS, COUNTER_IONS)])
def test_a_salt_is_its_drug(drug, ion):
    smiles = DRUGS[drug]
    other = COUNTER_IONS[ion] if COUNTER_IONS[ion] is not None else f".{smiles}"
    for text in (smiles + other, f"{other[1:]}.{smiles}"):
        structure = standardise_smiles(text)
        assert structure.smiles == Chem.CanonSmiles(smiles)
        assert bool(structure.stripped) == (ion != "itself")


@pytest.mark.parametrize(
    ("given", "parent", "stripped"),
    [
        # all parts are in the lists of counter-ions and solvents
        ("OC(=O)c1ccccc1O.CNCC(O)C(O)C(O)C(O)CO", "O=C(O)c1ccccc1O", ("DiMeglumine",)),
        ("OC(=O)c1ccccc1O.C[N+](C)(C)CCO", "O=C(O)c1ccccc1O", ("Choline",)),
        ("OC(=O)c1ccccc1O.OCCN(CCO)CCO", "O=C(O)c1ccccc1O", ("Trolamine",)),
        ("[Na]OC(=O)c1ccccc1O", "O=C(O)c1ccccc1O", ("Sodium",)),
        ("OC(=O)c1cccnc1.NCCCC[C@H](N)C(=O)O", "O=C(O)c1cccnc1", ("Lysine",)),
        ("C1CNCCN1.OC(=O)CC(O)(CC(=O)O)C(=O)O", "C1CNCCN1", ("Citrate",)),
        ("CC(=O)[O-].[Na+]", "CC(=O)O", ("Sodium",)),
        ("C[C@@H](O)C(O)=O.N", "C[C@@H](O)C(=O)O", ("Ammonium",)),
        ("C[N+](C)(C)CCO.[Cl-]", "C[N+](C)(C)CCO", ("Chloride",)),
        ("c1ccncc1.Cl", "c1ccncc1", ("Chloride",)),
        ("C[N+](C)(C)CCO.OC(=O)C(O)C(O)C(=O)[O-]", "C[N+](C)(C)CCO.O=C([O-])C(O)C(O)C(=O)O", ()),
        ("NCCO.CCCCCCCCCCCCCCCCCC(=O)O.O", "CCCCCCCCCCCCCCCCCC(=O)O.NCCO", ("WATER",)),
        # a salt that is drawn with bonds
        (
            "OC1=CN(C=C(O)O[Sr]O1)c1sc2c(CC(=O)O[Sr]OC2=O)c1C#N",
            "N#Cc1c(N(C=C(O)O)C=C(O)O)sc(C(=O)O)c1CC(=O)O",
            ("Strontium",),
        ),
        # a metal can be the active part
        ("[Li+].[Li+].[O-]C(=O)[O-]", "O=C([O-])[O-].[Li+].[Li+]", ()),
        ("[Zn+2].CC(=O)[O-].CC(=O)[O-].O.O", "CC(=O)[O-].CC(=O)[O-].[Zn+2]", ("WATER",)),
        # no organic part
        ("[Na+].[Cl-]", "[Cl-].[Na+]", ()),
        ("[Na].Cl", "[Cl-].[Na+]", ()),
        ("[K].I.O", "[I-].[K+]", ("WATER",)),
        ("Cl.N", "Cl.N", ()),
        ("Cl", "Cl", ()),
        ("[Na+].[S-]C#N", "N#C[S-].[Na+]", ()),
        # stereoisomers are one compound, which the first by SMILES represents
        ("C[C@H](N)c1ccccc1.C[C@@H](N)c1ccccc1", "C[C@@H](N)c1ccccc1", ("stereoisomer",)),
        (r"C/C=C\CCN(C)C.C/C=C/CCN(C)C.Cl", "C/C=C/CCN(C)C", ("Chloride", "stereoisomer")),
        # inorganic parts that are in no list
        ("CCN.[N-]=[N+]=[N-].[Na+]", "CCN", ("Sodium", "[N-]=[N+]=[N-]")),
        ("CC[NH+](CC)CC.I[I-]I", "CCN(CC)CC", ("I[I-]I",)),
    ],
)
def test_parents(given, parent, stripped):
    structure = standardise_smiles(given)
    assert (structure.smiles, structure.stripped) == (Chem.CanonSmiles(parent), stripped)
    again = standardise_smiles(structure.smiles)
    assert (again.inchikey, again.smiles) == (structure.inchikey, structure.smiles)


def test_salts_of_listed_ions_stay_different_compounds():
    """Each was merged with the others by its largest part, or by its base."""
    texts = ["[Na+].[Cl-]", "Cl", "[Li+].[Cl-]", "N.Cl", "N", "N.N.Cl[Pt]Cl", "CNCC(O)C(O)C(O)C(O)CO"]
    texts += [f"CNCC(O)C(O)C(O)C(O)CO.{acid}" for acid in ("O=C(O)c1ccccc1O", DRUGS["tafamidis"], DRUGS["aspirin"])]
    assert len({standardise_smiles(text).inchikey for text in texts}) == len(texts)


@pytest.mark.parametrize(
    "smiles",
    [
        "Cc1cc(NS(=O)(=O)c2ccc(N)cc2)no1.COc1cc(Cc2cnc(N)nc2N)cc(OC)c1OC",  # co-trimoxazole
        "CC(=O)Nc1ccc(O)cc1.CN1CCC23C4C1CC5=C2C(=C(C=C5)OC)OC3C(C=C4)O",  # paracetamol and codeine
        "CN(C)C(=N)NC(=N)N.N[C@@H](CC(=O)N1CCn2c(C1)nnc2C(F)(F)F)Cc1cc(F)c(F)cc1F.Cl",  # with sitagliptin
        "CN1C=NC2=C1C(=O)N(C(=O)N2C)C.CC(=O)Oc1ccccc1C(=O)O",  # a co-crystal
        "Nc1c2ccccc2nc2ccccc12.CCCCCCc1ccc(O)cc1O",  # acrisorcin
    ],
)
def test_mixtures_are_no_compound(smiles):
    with pytest.raises(ValueError, match=r"mixture of several compounds: \S+ and \S+\. If one of them"):
        standardise_smiles(smiles)


def test_counter_ions_of_the_user_are_stripped():
    smiles = "Nc1c2ccccc2nc2ccccc12.CCCCCCc1ccc([O-])cc1O"
    structure = standardise_smiles(smiles, counter_ions={"Hexylresorcinol": "CCCCCCc1ccc(O)cc1O"})
    assert structure.smiles == "Nc1c2ccccc2nc2ccccc12"
    assert structure.stripped == ("Hexylresorcinol",)


@pytest.mark.parametrize("smiles", ["", "C(C", "C.C", "hello"])
def test_counter_ions_are_single_structures(smiles):
    with pytest.raises(ValueError, match="is not a SMILES of one counter-ion"):
        pattern_of(smiles)


@pytest.mark.parametrize(
    "smiles",
    [
        "N.N.Cl[Pt]Cl",  # cisplatin
        "[NH3+][Pt-2]([NH3+])(Cl)Cl",
        "N.N.[Cl-].[Cl-].[Pt+2]",
        "C1CC[C@H]([C@@H](C1)N)N.C(=O)(C(=O)[O-])[O-].[Pt+2]",  # oxaliplatin
        "CCP(CC)(CC)=[Au]SC1OC(COC(C)=O)C(OC(C)=O)C(OC(C)=O)C1OC(C)=O",  # auranofin
        "CC[Hg]Sc1ccccc1C(=O)[O-].[Na+]",  # thimerosal
        "[Fe+2].c1cc[cH-]c1.c1cc[cH-]c1",  # ferrocene
        "[Fe+2].[O-]C(=O)/C=C/C(=O)[O-]",  # ferrous fumarate
        "[Bi].OC(=O)c1ccccc1O.O",  # bismuth salicylate
        "CCCC[Sn](CCCC)(CCCC)O",
        "[Na+].[Na+].O=N[Fe-2](C#N)(C#N)(C#N)(C#N)C#N",  # nitroprusside
        "CNCC(O)C(O)C(O)C(O)CO.OC(=O)CN(CCN(CC(=O)O)CC(=O)O)CC(=O)O.[Gd+3]",
        "C1=CC=[N+]2C(=C1)S[Zn-2]1([O]2)[O][N+]2=CC=CC=C2S1",  # zinc pyrithione
    ],
)
def test_metal_complexes_are_not_changed(smiles):
    structure = standardise_smiles(smiles)
    given = Chem.MolFromSmiles(smiles)
    assert structure.smiles == Chem.MolToSmiles(given)
    assert structure.inchikey == Chem.MolToInchiKey(given)
    assert structure.stripped == ()
    assert standardise_smiles(structure.smiles) == structure
