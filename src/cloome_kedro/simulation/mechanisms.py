"""Mechanisms of action: their chemotypes and their effects on cells.

A :class:`Template` is a SMILES string with one slot:

- ``{R}`` takes a linker and a tail ring with a substituent. The compounds of such a template have many Bemis-Murcko
  scaffolds.
- ``{S}`` (on an aromatic carbon) and ``{A}`` (an acyclic chain) take a substituent without a ring. All compounds of
  such a template, a *series*, have the same scaffold. A scaffold split puts a series as a whole into one fold, so
  training never sees some series.

The cores use the ring-closure digits 1 to 6.

The chemotypes are those of known inhibitors. The kinds of effects are textbook cell biology. Gustafsdottir et al.
(2013, doi:10.1371/journal.pone.0080999) report which mechanisms Cell Painting detects. The sizes of the effects were
chosen for this simulation.
"""

from dataclasses import dataclass

import numpy as np

from cloome_kedro.simulation.phenotype import AXES

INACTIVE = "inactive"


@dataclass(frozen=True)
class Template:
    """A chemotype: its name and a SMILES string with one of the slots ``{R}``, ``{S}`` and ``{A}``."""

    name: str
    smiles: str

    @property
    def slot(self) -> str:
        """Letter of the slot."""
        return next(slot for slot in "RSA" if f"{{{slot}}}" in self.smiles)

    @property
    def is_series(self) -> bool:
        """Whether all compounds of the template share one Bemis-Murcko scaffold."""
        return self.slot != "R"


@dataclass(frozen=True)
class Mechanism:
    """A mechanism of action: its name, its effects on the axes of the phenotype at potency 1, and its chemotypes."""

    name: str
    effects: dict[str, float]
    templates: tuple[Template, ...]

    @property
    def vector(self) -> np.ndarray:
        """Phenotype at potency 1, float (len(AXES),)."""
        return axis_vector(self.effects)


def axis_vector(effects: dict[str, float]) -> np.ndarray:
    """Convert ``{axis: effect}`` to a vector, float (len(AXES),).

    Raises
    ------
    KeyError
        If a name is not an axis.
    """
    vector = np.zeros(len(AXES))
    index = {axis: i for i, axis in enumerate(AXES)}
    for axis, effect in effects.items():
        vector[index[axis]] = effect
    return vector


def _mechanism(name: str, effects: dict[str, float], **templates: str) -> Mechanism:
    named = (Template(key.replace("_", " "), smiles) for key, smiles in templates.items())
    return Mechanism(name, effects, tuple(named))


MECHANISMS: tuple[Mechanism, ...] = (
    _mechanism(
        "tubulin inhibitor",
        {
            "multinucleation": 1.2,
            "mitotic": 0.9,
            "cell_count": -0.6,
            "nucleus_irregularity": 0.9,
            "golgi_dispersal": 0.8,
        },
        combretastatin=r"COc1cc(/C=C\c2ccc({R})cc2)cc(OC)c1OC",
        phenstatin="COc1cc(C(=O)c2ccc({R})cc2)cc(OC)c1OC",
        benzimidazole_carbamate="COC(=O)Nc1nc2cc({S})ccc2[nH]1",
    ),
    _mechanism(
        "HDAC inhibitor",
        {"nucleus_size": 0.9, "chromatin_texture": -0.9, "cell_size": 0.8, "elongation": 0.9, "actin_fibres": 0.8},
        cinnamic_hydroxamate="ONC(=O)/C=C/c1ccc({R})cc1",
        benzamide="Nc1ccccc1NC(=O)c1ccc({R})cc1",
        indole_hydroxamate="ONC(=O)/C=C/c1ccc(Cn2ccc3cc({S})ccc32)cc1",
    ),
    _mechanism(
        "proteasome inhibitor",
        {"cell_count": -0.9, "rounding": 0.9, "er_intensity": 0.9, "vacuoles": 0.6, "nucleoli_size": 0.8},
        dipeptide_boronate="CC(C)C[C@@H](B(O)O)NC(=O)[C@H](Cc1ccccc1)N{R}",
        epoxyketone="CC(C)C[C@H](NC(=O)[C@H](Cc1ccccc1)N{R})C(=O)[C@@]1(C)CO1",
        pyrazine_boronate="CC(C)C[C@@H](B(O)O)NC(=O)[C@H]({A})NC(=O)c1cnccn1",
    ),
    _mechanism(
        "topoisomerase inhibitor",
        {"nucleus_size": 1.1, "cell_count": -1.0, "cell_size": 0.8, "nucleoli_count": -0.8, "nucleus_intensity": -0.5},
        camptothecin="CC[C@@]1(O)C(=O)OCc2c1cc1-c3nc4ccc({R})cc4cc3Cn1c2=O",
        amsacrine="COc1cc(NS(C)(=O)=O)ccc1Nc1c2ccc({S})cc2nc2ccccc12",
    ),
    _mechanism(
        "Aurora kinase inhibitor",
        {"multinucleation": 1.4, "nucleus_size": 1.2, "cell_count": -0.8, "cell_size": 1.0, "chromatin_texture": 0.5},
        aminopyrazole_pyrimidine="Cc1cc(Nc2ccnc({R})n2)n[nH]1",
        quinazoline_anilide="COc1cc2c(Nc3ccc({R})cc3)ncnc2cc1OC",
        pyrimidobenzazepine="OC(=O)c1ccc(Nc2ncc3CN=C(c4ccccc4F)c4cc({S})ccc4-c3n2)cc1",
    ),
    _mechanism(
        "HSP90 inhibitor",
        {"cell_count": -0.7, "elongation": 1.1, "actin_fibres": -0.8, "er_texture": 0.7, "nucleoli_size": -0.6},
        resorcinol_pyrazole="Oc1cc(O)c(Cl)cc1-c1[nH]ncc1{R}",
        purine="Nc1ncnc2c1nc(Sc1cc3OCOc3cc1I)n2{R}",
        resorcinol_isoindoline="CC(C)c1cc(C(=O)N2Cc3ccc({S})cc3C2)c(O)cc1O",
    ),
    _mechanism(
        "Na+/K+-ATPase inhibitor",
        {"cell_count": -1.1, "rna_intensity": -1.2, "nucleoli_size": -0.9, "rounding": 0.7, "er_intensity": -0.6},
        cardenolide="C[C@]12CC[C@H](O{R})C[C@H]1CC[C@@H]1[C@@H]2CC[C@]2(C)[C@@H](C3=CC(=O)OC3)CC[C@]12O",
        bufadienolide="C[C@]12CC[C@H](OC(=O){A})C[C@H]1CC[C@@H]1[C@@H]2CC[C@]2(C)[C@@H](c3ccc(=O)oc3)CC[C@]12O",
    ),
    _mechanism(
        "mitochondrial uncoupler",
        {"mito_intensity": -1.4, "mito_fragmentation": 1.2, "mito_perinuclear": 0.8, "actin_intensity": -0.5},
        phenylhydrazone="N#CC(C#N)=NNc1ccc({R})cc1",
        diarylamine="O=[N+]([O-])c1cc(C(F)(F)F)cc([N+](=O)[O-])c1Nc1ccc({R})cc1",
        salicylanilide="O=C(Nc1ccc({S})cc1Cl)c1cc(Cl)ccc1O",
    ),
    _mechanism(
        "HMG-CoA reductase inhibitor",
        {"elongation": 1.5, "rounding": 0.5, "actin_fibres": -1.2, "cell_size": -0.6, "golgi_intensity": 0.6},
        indole_statin="CC(C)n1c(/C=C/[C@@H](O)C[C@@H](O)CC(=O)O)c(-c2ccc(F)cc2)c2cc({R})ccc21",
        decalin_statin="C[C@H]1C=C2C=C[C@H](C)[C@H](CC[C@@H]3C[C@@H](O)CC(=O)O3)[C@H]2[C@@H](OC(=O){A})C1",
    ),
    _mechanism(
        "glucocorticoid receptor agonist",
        {"cell_size": 0.9, "actin_fibres": 1.0, "actin_intensity": 0.8, "er_intensity": 0.6, "nucleus_size": -0.6},
        prednisolone="C[C@]12C[C@H](O)[C@H]3[C@@H](CCC4=CC(=O)C=C[C@]34C)[C@@H]1CC[C@]2(O)C(=O)C{R}",
        corticoid_ester="C[C@]12C[C@H](O)[C@@]3(F)[C@@H](CCC4=CC(=O)C=C[C@]34C)[C@@H]1C[C@@H](C)[C@]2(O)C(=O)COC(=O){A}",
    ),
    _mechanism(
        "PI3K/mTOR inhibitor",
        {"cell_size": -1.2, "rna_intensity": -0.8, "nucleoli_size": -1.0, "mito_fragmentation": -0.9, "vacuoles": 0.4},
        morpholinotriazine="c1({R})nc(N2CCOCC2)nc(N2CCOCC2)n1",
        morpholinochromone="O=c1cc(N2CCOCC2)oc2c({R})cccc12",
        thienopyrimidine="Nc1ncc(cn1)-c1nc(N2CCOCC2)c2sc(C(=O)N{A})cc2n1",
    ),
    _mechanism(
        "BET inhibitor",
        {
            "nucleoli_size": 1.2,
            "nucleoli_count": -1.0,
            "chromatin_texture": 0.9,
            "cell_size": 0.5,
            "rna_intensity": -0.4,
        },
        dimethylisoxazole="Cc1noc(C)c1-c1ccc({R})cc1",
        thienotriazolodiazepine="Cc1sc2c(c1C)C(c1ccc(Cl)cc1)=N[C@@H](CC(=O)N{A})c1nnc(C)n1-2",
    ),
    _mechanism(
        "DNA synthesis inhibitor",
        {
            "nucleus_size": 1.0,
            "cell_count": -0.7,
            "nucleoli_size": 0.8,
            "nucleus_irregularity": 0.5,
            "rna_intensity": 0.7,
        },
        diaminopteridine="Nc1nc(N)c2nc(CNc3ccc({R})cc3)cnc2n1",
        arabinosylcytosine="O=C(N{R})c1ccn([C@@H]2O[C@H](CO)[C@@H](O)[C@@H]2O)c(=O)n1",
        deoxyuridine="OC[C@H]1O[C@@H](n2cc({S})c(=O)[nH]c2=O)C[C@@H]1O",
    ),
    _mechanism(
        "SERCA inhibitor",
        {"er_intensity": 1.3, "er_texture": 1.3, "cell_size": -0.5, "mito_perinuclear": 0.7, "golgi_intensity": -0.5},
        diarylpyrazole="Cc1ccc(cc1)-c1cc(C(F)(F)F)nn1-c1ccc({R})cc1",
        quinolinyl_thiourea="ClC(Cl)(Cl)C(NC(=O)/C=C/c1ccc({S})cc1)NC(=S)Nc1cccc2cccnc12",
    ),
    _mechanism(
        "actin polymerization inhibitor",
        {"actin_fibres": -1.4, "actin_intensity": 0.9, "multinucleation": 0.7, "rounding": 0.6, "elongation": -0.7},
        latrunculin_pyran="O=C1N[C@H](CS1)[C@@]1(O)C[C@@H](O{R})C[C@H](C)O1",
        cytochalasin_isoindolone="CC1=C(C)[C@H](OC(=O){A})[C@@H]2C(=O)N[C@@H](Cc3ccccc3)[C@@H]2[C@@H]1O",
    ),
    _mechanism(
        "CDK inhibitor",
        {"nucleoli_count": 1.2, "nucleoli_size": -1.1, "rna_intensity": -1.0, "cell_count": -0.8, "nucleus_size": -0.5},
        trisubstituted_purine="CC[C@H](CO)Nc1nc(NCc2ccc({R})cc2)c2ncn(C(C)C)c2n1",
        pyridopyrimidinone="CC(=O)c1c(C)c2cnc(Nc3ccc({R})cn3)nc2n(C2CCCC2)c1=O",
        aminothiazole="CC(C)(C)c1cnc(CSc2cnc(NC(=O){A})s2)o1",
    ),
    _mechanism(
        "EGFR inhibitor",
        {"cell_count": -0.4, "cell_size": 0.6, "actin_intensity": -1.0, "golgi_intensity": -0.8, "mito_intensity": 0.9},
        ethynylanilinoquinazoline="C#Cc1cccc(Nc2ncnc3cc(OC)c({R})cc23)c1",
        acrylamide_quinazoline="C=CC(=O)Nc1cc2c(Nc3ccc({S})c(Cl)c3)ncnc2cc1OC",
    ),
    _mechanism(
        "V-ATPase inhibitor",
        {
            "vacuoles": 1.5,
            "golgi_dispersal": 0.9,
            "golgi_intensity": 0.9,
            "rna_intensity": 0.5,
            "mito_perinuclear": -0.5,
        },
        indole_dienamide=r"CO/C(=C\C=C\c1cc2cc(Cl)c(Cl)cc2[nH]1)C(=O)N{R}",
        benzolactone_enamide="O=C1O[C@@H](C/C=C/NC(=O){A})C[C@@H](O)C/C=C/Cc2cccc(O)c21",
    ),
    _mechanism(
        "protein synthesis inhibitor",
        {"rna_intensity": -1.1, "nucleoli_size": 0.9, "er_intensity": -1.0, "golgi_intensity": -0.9, "cell_size": -0.5},
        glutarimide="C[C@H]1C[C@H](C)C(=O)[C@@H](C1)[C@H](O{R})CC1CC(=O)NC(=O)C1",
        pyrrolidine="COc1ccc(C[C@H]2NC[C@H](O{R})[C@H]2OC(C)=O)cc1",
        aminonucleoside="CN(C)c1ncnc2c1ncn2[C@@H]1O[C@H](CO)[C@@H](NC(=O)[C@@H](N){A})[C@H]1O",
    ),
    _mechanism(
        "Eg5 inhibitor",
        {"mitotic": 1.6, "rounding": 0.9, "cell_count": -0.9, "nucleus_intensity": 0.9},
        dihydropyrimidinethione="CCOC(=O)C1=C(C)NC(=S)NC1c1cccc({R})c1",
        quinazolinone="CC(C)[C@H](N)c1nc2cc(Cl)ccc2c(=O)n1Cc1ccc({S})cc1",
    ),
    _mechanism(
        "retinoid receptor agonist",
        {"cell_size": -0.8, "cell_count": 0.7, "golgi_intensity": 1.0, "actin_fibres": 0.6, "nucleus_intensity": 0.7},
        tetramethyltetralin="CC1(C)CCC(C)(C)c2cc({R})ccc12",
        retinamide="CC1=C(C(C)(C)CCC1)/C=C/C(C)=C/C=C/C(C)=C/C(=O)N{A}",
    ),
)

#: drug-like cores without a mechanism that shows
INACTIVES = _mechanism(
    INACTIVE,
    {},
    benzoxazole="c1ccc2oc({R})nc2c1",
    oxadiazole="Cc1noc({R})n1",
    pyrimidine="Cc1cc(C)nc({R})n1",
    triazole="Cn1cc({R})nn1",
    tetrahydroisoquinoline="c1ccc2c(c1)CCN({R})C2",
    azaindole="c1cc2c({R})c[nH]c2nc1",
    biphenyl="c1ccc(cc1)-c1ccc({R})cc1",
    thiazole="Cc1nc({R})cs1",
    pyrrolidinone="O=C1CC({R})CN1C",
    imidazopyridine="c1ccn2cc({R})nc2c1",
    benzodioxole="c1cc2OCOc2cc1{R}",
    oxindole="O=C1Cc2cc({R})ccc2N1",
    tetrahydropyran="C1CC({R})CCO1",
    indazole="Cn1nc({R})c2ccccc12",
    phenethylbenzamide="O=C(NCCc1ccccc1)c1ccc({S})cc1",
    phenylpyrazole="Cc1cc(C)n(-c2ccc({S})cc2)n1",
)
