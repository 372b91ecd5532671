"""A screen with salts and metal complexes, from its table of compounds to the report."""

import pandas as pd
import pytest

from cloome_kedro.parameters import StructureParameters
from cloome_kedro.pipelines.featurization.nodes import standardise_compounds
from cloome_kedro.reporting import tables
from cloome_kedro.reporting.report import render
from cloome_kedro.reporting.style import Look
from report_run import cells

#: drug -> its structure
DRUGS = {
    "tafamidis": "OC(=O)c1ccc2nc(oc2c1)-c1cc(Cl)cc(Cl)c1",
    "diatrizoic acid": "CC(=O)Nc1c(I)c(NC(C)=O)c(I)c(C(O)=O)c1I",
    "salicylic acid": "OC(=O)c1ccccc1O",
    "flunixin": "OC(=O)c1cccnc1Nc1cccc(C(F)(F)F)c1C",
    "ketorolac": "OC(=O)C1CCn2c1ccc2C(=O)c1ccccc1",
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(O)=O",
    "perindopril": "CCC[C@H](N[C@@H](C)C(=O)N1[C@H]2CCCC[C@H]2C[C@H]1C(O)=O)C(=O)OCC",
    "pyrantel": r"CN1CCCN=C1/C=C/c1cccs1",
    "hydroxyzine": "OCCOCCN1CCN(CC1)C(c1ccccc1)c1ccc(Cl)cc1",
    "imatinib": "Cc1ccc(cc1Nc1nccc(n1)-c1cccnc1)NC(=O)c1ccc(cc1)CN1CCN(C)CC1",
    "sorafenib": "CNC(=O)c1cc(ccn1)Oc1ccc(cc1)NC(=O)Nc1ccc(Cl)c(c1)C(F)(F)F",
    "amlodipine": "CCOC(=O)C1=C(COCCN)NC(C)=C(C1c1ccccc1Cl)C(=O)OC",
    "enalapril": "CCOC(=O)[C@H](CCc1ccccc1)N[C@@H](C)C(=O)N1CCC[C@H]1C(O)=O",
    "sumatriptan": "CNS(=O)(=O)Cc1ccc2[nH]cc(CCN(C)C)c2c1",
    "tamoxifen": r"CC/C(c1ccccc1)=C(/c1ccccc1)c1ccc(OCCN(C)C)cc1",
    "metoprolol": "COCCc1ccc(OCC(O)CNC(C)C)cc1",
    "nicotine": "CN1CCC[C@H]1c1cccnc1",
    "salmeterol": "OCc1cc(ccc1O)C(O)CNCCCCCCOCCCCc1ccccc1",
    "erythromycin fragment": "CN(C)[C@H]1C[C@@H](C)OC(O)[C@@H]1O",
    "quinidine": "COc1ccc2nccc([C@H](O)[C@H]3C[C@@H]4CCN3C[C@@H]4C=C)c2c1",
}
#: counter-ion of each drug, in the same order
COUNTER_IONS = [
    *["CNC[C@H](O)[C@@H](O)[C@H](O)[C@H](O)CO"] * 4,
    *("NC(CO)(CO)CO", "NCCCC[C@H](N)C(O)=O", "CC(C)(C)N"),
    *["OC(=O)c1cc2ccccc2c(Cc2c(O)c(cc3ccccc23)C(O)=O)c1O"] * 2,
    *("CS(O)(=O)=O", "Cc1ccc(cc1)S(O)(=O)=O", "OS(=O)(=O)c1ccccc1", r"OC(=O)\C=C/C(O)=O", "OC(=O)CCC(O)=O"),
    *("OC(=O)CC(O)(CC(O)=O)C(O)=O", "OC(=O)[C@H](O)[C@@H](O)C(O)=O", "OC(=O)[C@H](O)[C@@H](O)C(O)=O"),
    *("OC(=O)c1ccc2ccccc2c1O", "CCCCCCCCCCCCCCCCCC(O)=O", "OC[C@@H](O)[C@@H](O)[C@H](O)[C@@H](O)C(O)=O"),
]
COMPLEXES = {
    "cisplatin": "N.N.Cl[Pt]Cl",
    "carboplatin": "N.N.O=C1O[Pt]OC(=O)C12CCC2",
    "auranofin": "CCP(CC)(CC)=[Au]SC1OC(COC(C)=O)C(OC(C)=O)C(OC(C)=O)C1OC(C)=O",
    "thimerosal": "CC[Hg]Sc1ccccc1C(=O)[O-].[Na+]",
    "copper salicylate": "[Cu+2].OC(=O)c1ccccc1O",
}
REJECTED = {
    "co-trimoxazole": "Cc1cc(NS(=O)(=O)c2ccc(N)cc2)no1.COc1cc(Cc2cnc(N)nc2N)cc(OC)c1OC",
    "polyethylene": "C" * 1500,
    "misprint": "CC(C",
}


@pytest.fixture(scope="module")
def screen():
    """72 plain compounds, of which 20 are the drugs of salts, 20 salts, 5 complexes, and 3 that cannot be used."""
    plain = DRUGS | {
        f"alkyl {n} {tail}": "C" * n + tail for n in range(1, 14) for tail in ("S", "Br", "c1ccncc1", "C#N")
    }
    salts = {f"{name} salt": f"{ion}.{smiles}" for (name, smiles), ion in zip(DRUGS.items(), COUNTER_IONS, strict=True)}
    rows = [(name, smiles) for part in (plain, salts, COMPLEXES, REJECTED) for name, smiles in part.items()]
    table = pd.DataFrame(rows, columns=["compound_id", "smiles"])
    return table.assign(name=table["compound_id"], moa="mechanism of " + table["compound_id"].str.removesuffix(" salt"))


def test_salts_are_their_drug_and_nothing_else_is_merged(screen, caplog):
    assert len(screen) == 100
    compounds, keys, rejected, merged = standardise_compounds(screen, StructureParameters())
    key = keys.set_index("compound_id")["inchikey"]
    assert len(compounds) == 100 - len(DRUGS) - len(REJECTED)
    for name in DRUGS:
        assert key[f"{name} salt"] == key[name]
    assert key.nunique() == len(key) - len(DRUGS)
    compounds = compounds.set_index("inchikey")
    assert (compounds["moa"].str.count("mechanism") == 1).all(), "no compound has the mechanism of another"
    assert compounds["stripped"].notna().sum() == len(DRUGS)
    assert compounds["stripped"][key[list(COMPLEXES)]].isna().all()
    assert dict(rejected[["compound_id", "reason"]].itertuples(index=False)) == {
        "co-trimoxazole": rejected["reason"][0],
        "polyethylene": "too large: 1500 atoms, but params:structures, max_atoms is 1000",
        "misprint": "not a SMILES",
    }
    assert rejected["reason"][0].startswith("mixture of several compounds: ")
    assert sorted(merged["compound_id"]) == sorted([*DRUGS, *(f"{name} salt" for name in DRUGS)]), "names differ"
    assert "20 compounds unite ids with different names or mechanisms. See merged_compounds" in caplog.text


def test_the_report_says_what_was_stripped_and_rejected(screen):
    compounds, keys, rejected, merged = standardise_compounds(screen, StructureParameters())
    fields = pd.DataFrame({"plate": "p", "well": keys["compound_id"], "control": False})
    pairs = keys.assign(treatment=keys["inchikey"])
    counts = tables.data_summary(fields, fields.iloc[:0], compounds, merged, pairs)
    stripped = tables.stripped_summary(compounds)
    assert dict(stripped.itertuples(index=False))["DiMeglumine"] == "4"
    html = render(
        "data.html.j2",
        Look(),
        counts=counts,
        rejected_fields=fields.iloc[:0],
        rejected_compounds=tables.rejected_summary(rejected, "compound_id"),
        stripped=stripped,
        label_joins=fields.iloc[:0],
        replicates=fields.iloc[:0],
        has_images=True,
        panels_caption="",
    )
    rows = cells(html)
    assert ["compounds without their counter-ions or solvents", "20"] in rows
    assert ["compounds that unite different names or mechanisms", "20"] in rows
    assert ["DiMeglumine", "4"] in rows
    assert ["Pamoate", "2"] in rows
    assert "too large: 1500 atoms" in html
    assert "mixture of several compounds: " in html
