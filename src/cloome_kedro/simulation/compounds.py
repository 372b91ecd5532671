"""The virtual library: structures enumerated from chemotypes, linkers, tail rings and substituents."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from rdkit import Chem
from rdkit.Chem import inchi
from rdkit.rdBase import BlockLogs

from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.mechanisms import INACTIVES, MECHANISMS, Mechanism, Template
from cloome_kedro.simulation.plates import generator

#: between chemotype and tail ring; all begin with carbon, so that they fit on C, N and O
LINKERS = (
    "C{ring}",
    "CC{ring}",
    "CCO{ring}",
    "C(=O)N{ring}",
    "CC(=O)N{ring}",
    "CNC(=O){ring}",
    "CNC(=O)N{ring}",
    "CS(=O)(=O)N{ring}",
    "CCN(C){ring}",
    "CC#C{ring}",
)

#: tail rings with a substituent {S} on aromatic or {A} on aliphatic atoms; ring-closure digits 8 and 9 are theirs
RINGS = (
    "c9ccc({S})cc9",
    "c9cccc({S})c9",
    "c9ccc({S})nc9",
    "c9ncc({S})cn9",
    "c9cc({S})cs9",
    "c9cc({S})co9",
    "c9ccc8cc({S})ccc8c9",
    "c9cc8cc({S})ccc8[nH]9",
    "c9ccc(N8CCOCC8)c({S})c9",
    "C9CCN({A})CC9",
    "C9CN({A})CCO9",
    "C9CCC({A})CC9",
    "C9CC9{A}",
    "c9ccc(N8CCN({A})CC8)cc9",
)

#: on aromatic carbon
AROMATIC_SUBSTITUENTS = (
    "F",
    "Cl",
    "Br",
    "C",
    "C(C)(C)C",
    "OC",
    "O",
    "C#N",
    "C(F)(F)F",
    "OC(F)(F)F",
    "N(C)C",
    "CN(C)C",
    "CO",
    "C(=O)O",
    "C(N)=O",
    "S(C)(=O)=O",
    "S(N)(=O)=O",
    "[N+](=O)[O-]",
    "NC(C)=O",
    "OCCN(C)C",
)

#: acyclic chains on aliphatic carbon, nitrogen or a carbonyl group; all begin with carbon
ALIPHATIC_SUBSTITUENTS = (
    "C",
    "CC",
    "CC(C)C",
    "CCCCCC",
    "CCO",
    "CC(O)CO",
    "CCOC",
    "CCN(C)C",
    "CCCN(CC)CC",
    "CC#N",
    "CCC#N",
    "CCC(F)(F)F",
    "CCCl",
    "CCC(=O)O",
    "CC(=O)OC",
    "CC(N)=O",
    "CCC(=O)NC",
    "CCS(C)(=O)=O",
    "CCS(N)(=O)=O",
    "CCBr",
)

SERIES_SHARE = 0.35  # of a mechanism's compounds come from its one-scaffold series


def build_library(config: ScreenConfig) -> pd.DataFrame:
    """Draw the screen's compounds, distinct in the first block of their InChIKey.

    Mechanisms get equal numbers of compounds; within a mechanism ``SERIES_SHARE`` come from its series (fewer
    where a series is used up), the rest in equal numbers from its other templates.

    Returns
    -------
    One row per compound in random order: ``compound_id`` (VRT-K00000001 ...), ``smiles`` (canonical), ``name``,
    ``mechanism``, ``template``.

    Raises
    ------
    ValueError
        If more compounds are asked for than the templates can give.
    """
    inactive = round(config.compounds * config.inactive_fraction)
    active = _shares(config.compounds - inactive, len(MECHANISMS))
    counts = [*zip(MECHANISMS, active, strict=True), (INACTIVES, inactive)]
    blocks: set[str] = set()
    rows: list[dict] = []
    with BlockLogs():  # InChI warns about tautomers and open stereo centres
        for mechanism, n in counts:
            rows += _draw_mechanism(mechanism, n, blocks, config.seed)
    library = pd.DataFrame(rows, columns=["smiles", "name", "mechanism", "template"])
    library = library.iloc[generator(config.seed, "library").permutation(len(library))].reset_index(drop=True)
    library.insert(0, "compound_id", [f"VRT-K{i + 1:08d}" for i in range(len(library))])
    return library


def tails(template: Template) -> list[str]:
    """Everything that fits into a template's slot, as SMILES fragments."""
    if template.slot == "S":
        return list(AROMATIC_SUBSTITUENTS)
    if template.slot == "A":
        return list(ALIPHATIC_SUBSTITUENTS)
    rings = [ring.format(S=s) for ring in RINGS if "{S}" in ring for s in AROMATIC_SUBSTITUENTS]
    rings += [ring.format(A=a) for ring in RINGS if "{A}" in ring for a in ALIPHATIC_SUBSTITUENTS]
    return [linker.format(ring=ring) for linker in LINKERS for ring in rings]


def _draw_mechanism(mechanism: Mechanism, n: int, blocks: set[str], seed: int) -> list[dict]:
    series = [template for template in mechanism.templates if template.is_series]
    varied = [template for template in mechanism.templates if not template.is_series]
    rows: list[dict] = []
    for template, wanted in zip(series, _shares(round(n * SERIES_SHARE), len(series)), strict=True):
        rows += _take(template, mechanism, wanted, blocks, seed)
    for template, wanted in zip(varied, _shares(n - len(rows), len(varied)), strict=True):
        rows += _take(template, mechanism, wanted, blocks, seed)
    if len(rows) < n:
        raise ValueError(f"compounds: the templates of '{mechanism.name}' give {len(rows)} structures, {n} asked for")
    return rows


def _take(template: Template, mechanism: Mechanism, wanted: int, blocks: set[str], seed: int) -> list[dict]:
    rows: list[dict] = []
    candidates = _structures(template, generator(seed, "template", template.name))
    while len(rows) < wanted and (candidate := next(candidates, None)):
        smiles, block = candidate
        if block not in blocks:
            blocks.add(block)
            name = f"{template.name} {len(rows) + 1}"
            rows.append({"smiles": smiles, "name": name, "mechanism": mechanism.name, "template": template.name})
    return rows


def _structures(template: Template, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Canonical SMILES and first InChIKey block of a template's compounds, in random order."""
    fragments = tails(template)
    for i in rng.permutation(len(fragments)):
        molecule = Chem.MolFromSmiles(template.smiles.format(**{template.slot: fragments[i]}))
        yield Chem.MolToSmiles(molecule), inchi.MolToInchiKey(molecule)[:14]


def _shares(n: int, parts: int) -> list[int]:
    return [n // parts + (i < n % parts) for i in range(parts)] if parts else []
