"""Assay labels of the virtual compounds: sparse, noisy and sometimes with few actives, like real assay data."""

import numpy as np
import pandas as pd
from rdkit import Chem

from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.effects import RULES
from cloome_kedro.simulation.mechanisms import MECHANISMS
from cloome_kedro.simulation.phenotype import AXES
from cloome_kedro.simulation.plates import generator

MEASURED = (0.1, 0.5)  # smallest and largest share of compounds that an assay measured
FLIPPED = 0.03  # share of wrong labels


def label_compounds(library: pd.DataFrame, phenotypes: pd.DataFrame, config: ScreenConfig) -> pd.DataFrame:
    """Simulate assays in which the compounds were tested before the screen.

    There are ``config.assays`` assays of three kinds, in turn:

    - *target*: the actives are compounds of one mechanism, without the third of them that has the lowest potency.
    - *cell*: the actives are the tenth of all compounds with the strongest effect on one axis.
    - *liability*: the actives are compounds with one substructure of :data:`cloome_kedro.simulation.effects.RULES`.

    Each assay measures a random part of the compounds, and some of its labels are wrong.

    Parameters
    ----------
    library
        Table of :func:`cloome_kedro.simulation.compounds.build_library`.
    phenotypes
        Table of :func:`cloome_kedro.simulation.effects.phenotypes`.
    config
        Number of assays and seed.

    Returns
    -------
    ``compound_id``, then one column per assay, ``assay_<number>_<kind>_<subject>``: 1.0 active, 0.0 inactive, NaN not
    measured.
    """
    table = {"compound_id": library["compound_id"].to_numpy()}
    molecules = [Chem.MolFromSmiles(smiles) for smiles in library["smiles"]]
    phenotypes = phenotypes.loc[library["compound_id"]]
    for number in range(config.assays):
        rng = generator(config.seed, "assay", number)
        name, active = _assay(number, molecules, phenotypes)
        active = active ^ (rng.random(len(active)) < FLIPPED)
        measured = rng.random(len(active)) < rng.uniform(*MEASURED)
        table[f"assay_{number + 1:03d}_{name}"] = np.where(measured, active.astype(float), np.nan)
    return pd.DataFrame(table)


def _assay(number: int, molecules: list[Chem.Mol], phenotypes: pd.DataFrame) -> tuple[str, np.ndarray]:
    """Name of an assay, and which compounds are active in it, bool (N,)."""
    kind, turn = number % 3, number // 3
    if kind == 0:
        mechanism = MECHANISMS[turn % len(MECHANISMS)].name
        has_mechanism = (phenotypes["mechanism"] == mechanism).to_numpy()
        potency = phenotypes["potency"].to_numpy()
        threshold = np.quantile(potency[has_mechanism], 1 / 3) if has_mechanism.any() else 0.0
        return "target_" + _slug(mechanism), has_mechanism & (potency >= threshold)
    if kind == 1:
        axis = AXES[turn % len(AXES)]
        effect = phenotypes[f"phenotype_{axis}"].abs().to_numpy()
        return "cell_" + axis, effect > np.quantile(effect, 0.9)
    rule = RULES[turn % len(RULES)]
    return "liability_" + _slug(rule.name), np.array([rule.strength(molecule) > 0 for molecule in molecules])


def _slug(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name.lower())
