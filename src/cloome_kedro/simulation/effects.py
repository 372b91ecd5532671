"""Phenotype of a compound, computed from its structure: mechanism x potency + off-target effects.

Off-target effects distinguish compounds with the same mechanism. Each rule is a substructure or a property, with its
effects on the axes of the phenotype. Some rules are textbook knowledge: basic amines swell lysosomes, acidic phenols
uncouple mitochondria, flat fused aromatics are fluorescent or intercalate, lipophilic compounds kill cells. The other
rules stand for the many unknown activities of a real compound. Their effects were chosen for this simulation.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from cloome_kedro.simulation.mechanisms import INACTIVES, MECHANISMS, axis_vector
from cloome_kedro.simulation.phenotype import AXES, LIMIT, ONE_SIDED


@cache
def _pattern(smarts: str) -> Chem.Mol:
    return Chem.MolFromSmarts(smarts)


@dataclass(frozen=True)
class Rule:
    """Off-target effects of a substructure.

    Each further match of the substructure adds half as much as the match before.
    """

    name: str
    smarts: str
    effects: dict[str, float]

    def strength(self, molecule: Chem.Mol) -> float:
        """Factor of the effects: 0 without a match, 1 with one match, 1.5 with two, always below 2."""
        matches = len(molecule.GetSubstructMatches(_pattern(self.smarts)))
        return 2 * (1 - 0.5**matches)


RULES: tuple[Rule, ...] = (
    Rule(
        "basic amine",
        "[NX3;$(N-[CX4]);!$(N-C=[O,S,N]);!$(N-[#7,#8,#16]);!$(N-a);!$(N-C#N)]",
        {"vacuoles": 0.8, "golgi_intensity": 0.5},
    ),
    Rule("aryl chloride or bromide", "c[Cl,Br]", {"cell_count": -0.45, "rounding": 0.4}),
    Rule("aryl fluoride", "cF", {"nucleus_size": -0.5, "er_intensity": 0.4}),
    Rule("fluoroalkyl", "C(F)(F)F", {"mito_intensity": -0.6, "mito_fragmentation": 0.5}),
    Rule("haloalkyl", "[CX4][Cl,Br]", {"nucleus_irregularity": 0.7, "nucleus_intensity": 0.5}),
    Rule("carboxylic acid", "C(=O)[OX2H1]", {"er_intensity": -0.6, "cell_size": 0.5}),
    Rule("ester", "C(=O)[OX2;!R][CX4]", {"golgi_dispersal": 0.6, "er_texture": 0.4}),
    Rule("primary amide", "C(=O)[NX3H2]", {"rna_intensity": 0.7, "elongation": -0.5}),
    Rule("acetamide", "[CX4;H3]C(=O)N", {"nucleoli_count": 0.7, "mito_intensity": 0.4}),
    Rule("nitrile", "C#N", {"er_texture": 0.7, "actin_intensity": -0.5}),
    Rule("nitroarene", "c[N+](=O)[O-]", {"dna_background": 0.7, "mito_intensity": -0.5}),
    Rule("phenol", "c[OX2H1]", {"mito_fragmentation": 0.6, "actin_intensity": 0.4}),
    Rule("alcohol", "[CX4][OX2H1]", {"rna_intensity": 0.4, "actin_intensity": 0.3}),
    Rule("aryl methyl ether", "c[OX2][CX4;H3]", {"elongation": 0.6, "mito_perinuclear": 0.4}),
    Rule("alkyl ether", "[CX4][OX2;!R][CX4]", {"golgi_intensity": 0.6, "cell_count": 0.4}),
    Rule("aryl alkyl ether chain", "[CX4;H2][OX2;!R][a]", {"actin_intensity": 0.7, "actin_fibres": 0.5}),
    Rule("sulphonamide", "S(=O)(=O)[NX3]", {"rna_intensity": -0.7, "nucleoli_size": -0.4}),
    Rule("methyl sulphone", "[CX4]S(=O)(=O)[CX4]", {"nucleus_intensity": -0.6, "golgi_intensity": -0.5}),
    Rule("dialkylaniline", "c[NX3;!R]([CX4;H3])[CX4;H3]", {"chromatin_texture": 0.8, "dna_background": 0.5}),
    Rule("urea", "[NX3]C(=O)[NX3]", {"actin_fibres": -0.7, "elongation": 0.5}),
    Rule("anilide", "C(=O)[NX3;H1]c", {"er_intensity": 0.5, "mito_perinuclear": 0.5}),
    Rule("benzamide", "c-C(=O)[NX3]", {"nucleus_size": 0.5, "golgi_intensity": -0.4}),
    Rule("alkyne", "[CX2]#[CX2]", {"mito_intensity": 0.8, "cell_size": -0.5}),
    Rule("tert-butyl", "[CX4]([CX4;H3])([CX4;H3])[CX4;H3]", {"actin_intensity": -0.6, "er_texture": 0.5}),
    Rule("isobutyl", "[CX4;H1;!R]([CX4;H3])[CX4;H3]", {"nucleoli_size": 0.5, "cell_size": 0.4}),
    Rule("long chain", "[CX4;H2;!R][CX4;H2;!R][CX4;H2;!R]", {"golgi_dispersal": 0.4, "rounding": 0.4}),
    Rule("pyridine or pyrimidine", "[nX2]1aaaaa1", {"mito_perinuclear": 0.5, "nucleoli_size": -0.4}),
    Rule("thiophene or thiazole", "[sX2]1aaaa1", {"nucleoli_size": 0.7, "er_intensity": -0.5}),
    Rule("furan", "[oX2]1aaaa1", {"nucleus_irregularity": 0.6, "mito_perinuclear": -0.6}),
    Rule("indole", "c1ccc2[nH]ccc2c1", {"dna_background": 0.6, "nucleoli_count": -0.6}),
    Rule("naphthalene", "c1ccc2ccccc2c1", {"dna_background": 0.9, "nucleus_intensity": 0.4}),
    Rule("piperazine", "N1CCNCC1", {"golgi_intensity": 0.6, "nucleus_size": 0.4}),
    Rule("piperidine", "N1CCCCC1", {"mito_fragmentation": -0.6, "er_intensity": 0.5}),
    Rule("morpholine", "N1CCOCC1", {"mito_intensity": 0.7, "rna_intensity": -0.4}),
    Rule("cyclohexane", "[CX4;H2]1[CX4;H2][CX4;H1][CX4;H2][CX4;H2][CX4]1", {"cell_size": 0.7, "actin_fibres": 0.5}),
    Rule("cyclopropane", "C1CC1", {"rna_intensity": 0.6, "nucleus_intensity": -0.5}),
)

#: property -> (value with half of the effect, width of the transition, effects)
PROPERTIES: dict[str, tuple[float, float, dict[str, float]]] = {
    "logp": (4.5, 0.5, {"cell_count": -0.6, "mito_intensity": -0.4}),
    "tpsa": (130.0, 15.0, {"rna_intensity": 0.5, "golgi_dispersal": -0.5}),
    "fused_aromatic_atoms": (3.0, 0.5, {"dna_background": 0.6}),
    "rotatable_bonds": (8.0, 1.0, {"elongation": -0.4, "golgi_dispersal": 0.4}),
}


def properties(molecule: Chem.Mol) -> dict[str, float]:
    """Crippen logP, polar surface area (Å²), number of aromatic carbons shared by two rings, and of rotatable bonds."""
    return {
        "logp": rdMolDescriptors.CalcCrippenDescriptors(molecule)[0],
        "tpsa": rdMolDescriptors.CalcTPSA(molecule),
        "fused_aromatic_atoms": len(molecule.GetSubstructMatches(_pattern("[c;R2]"))),
        "rotatable_bonds": rdMolDescriptors.CalcNumRotatableBonds(molecule),
    }


def potency(molecule: Chem.Mol) -> float:
    """Strength of the mechanism, 0.5 to 1.1. It is highest for a logP near 3 and few H-bond donors (cell entry)."""
    lipophilicity = np.exp(-(((rdMolDescriptors.CalcCrippenDescriptors(molecule)[0] - 3) / 3) ** 2))
    donors = min(rdMolDescriptors.CalcNumHBD(molecule), 6)
    return float(np.clip(0.65 + 0.5 * lipophilicity - 0.04 * donors, 0.5, 1.1))


def off_target(molecule: Chem.Mol) -> np.ndarray:
    """Off-target effects of a molecule for effect strength 1, float (len(AXES),)."""
    total = sum((rule.strength(molecule) * axis_vector(rule.effects) for rule in RULES), np.zeros(len(AXES)))
    for name, value in properties(molecule).items():
        middle, width, effects = PROPERTIES[name]
        total += axis_vector(effects) / (1 + np.exp(-(value - middle) / width))
    return total


def saturate(effects: np.ndarray) -> np.ndarray:
    """Limit effects smoothly to +-``LIMIT``, and set negative values to 0 on the axes in ``ONE_SIDED``."""
    limited = LIMIT * np.tanh(effects / LIMIT)
    is_one_sided = np.isin(AXES, list(ONE_SIDED))
    return np.where(is_one_sided, np.maximum(limited, 0), limited)


def phenotypes(library: pd.DataFrame, effect_strength: float) -> pd.DataFrame:
    """Compute potency and phenotype of each compound.

    Parameters
    ----------
    library
        Table of :func:`cloome_kedro.simulation.compounds.build_library`.
    effect_strength
        Factor of the off-target effects, usually 1. With 0.5, compounds are hard to distinguish.

    Returns
    -------
    One row per compound, with the index ``compound_id``: ``mechanism``, ``potency`` (0 for inactive compounds),
    ``phenotype_<axis>``.
    """
    vectors = {mechanism.name: mechanism.vector for mechanism in MECHANISMS}
    rows = []
    for smiles, mechanism in zip(library["smiles"], library["mechanism"], strict=True):
        molecule = Chem.MolFromSmiles(smiles)
        strength = 0.0 if mechanism == INACTIVES.name else potency(molecule)
        on_target = strength * vectors.get(mechanism, np.zeros(len(AXES)))
        rows.append([strength, *saturate(on_target + effect_strength * off_target(molecule))])
    table = pd.DataFrame(rows, columns=["potency", *(f"phenotype_{axis}" for axis in AXES)])
    table.insert(0, "mechanism", library["mechanism"].to_numpy())
    return table.set_index(pd.Index(library["compound_id"], name="compound_id"))
