"""Assay labels of the virtual library: sparse, noisy, some with few actives, as those of real screening centres."""

import numpy as np
import pandas as pd
from rdkit import Chem

from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.effects import RULES
from cloome_kedro.simulation.mechanisms import MECHANISMS
from cloome_kedro.simulation.phenotype import AXES
from cloome_kedro.simulation.plates import generator

MEASURED = (0.1, 0.5)  # share of compounds that an assay measured, from - to
FLIPPED = 0.03  # share of wrong labels


def label_compounds(library: pd.DataFrame, phenotypes: pd.DataFrame, config: ScreenConfig) -> pd.DataFrame:
    """Simulate the assays that the library went through before.

    Three kinds follow each other in turn until there are ``config.assays``: *target* assays (compounds of one mechanism
    with a potency above the mechanism's lower third), *cell* assays (the tenth of the library with the strongest
    effect on one axis) and *liability* assays (compounds with one substructure of
    :data:`cloome_kedro.simulation.effects.RULES`). Each measures a random part of the library and errs on some.

    Returns
    -------
    ``compound_id``, then one column an assay, ``assay_<number>_<kind>_<what>``: 1.0 active, 0.0 inactive, NaN not
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
    kind, turn = number % 3, number // 3
    if kind == 0:
        mechanism = MECHANISMS[turn % len(MECHANISMS)].name
        members = (phenotypes["mechanism"] == mechanism).to_numpy()
        potency = phenotypes["potency"].to_numpy()
        threshold = np.quantile(potency[members], 1 / 3) if members.any() else 0.0
        return "target_" + _slug(mechanism), members & (potency >= threshold)
    if kind == 1:
        axis = AXES[turn % len(AXES)]
        size = phenotypes[f"phenotype_{axis}"].abs().to_numpy()
        return "cell_" + axis, size > np.quantile(size, 0.9)
    rule = RULES[turn % len(RULES)]
    return "liability_" + _slug(rule.name), np.array([rule.strength(molecule) > 0 for molecule in molecules])


def _slug(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name.lower())
