"""The compounds of the virtual screen: structures made of chemotypes, linkers, tail rings and substituents."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from rdkit import Chem
from rdkit.Chem import inchi
from rdkit.rdBase import BlockLogs

from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.mechanisms import INACTIVES, MECHANISMS, Mechanism, Template
from cloome_kedro.simulation.plates import generator

#: links between chemotype and tail ring; all begin with carbon, which can be bound to C, N and O
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

#: tail rings with a substituent {S} on aromatic or {A} on aliphatic atoms; their ring-closure digits are 8 and 9
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

#: substituents of aromatic carbon
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

#: acyclic substituents of aliphatic carbon, nitrogen or a carbonyl group; all begin with carbon
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

SERIES_SHARE = 0.35  # share of a mechanism's compounds that come from its series, which have one scaffold each


def build_library(config: ScreenConfig) -> pd.DataFrame:
    """Draw the compounds of the screen. The first block of each InChIKey is unique.

    ``config.inactive_fraction`` of the compounds have no mechanism. The others are divided equally among the
    mechanisms. In a mechanism, ``SERIES_SHARE`` of the compounds come from its series, or fewer if a series has too few
    structures. The remaining compounds are divided equally among its other templates.

    Returns
    -------
    One row per compound in random order: ``compound_id`` (VRT-K00000001 ...), ``smiles`` (canonical), ``name``,
    ``mechanism``, ``template``.

    Raises
    ------
    ValueError
        If the templates of a mechanism have too few structures.
    """
    inactive = round(config.compounds * config.inactive_fraction)
    active = _shares(config.compounds - inactive, len(MECHANISMS))
    counts = [*zip(MECHANISMS, active, strict=True), (INACTIVES, inactive)]
    used_blocks: set[str] = set()
    rows: list[dict] = []
    with BlockLogs():  # InChI warns about tautomers and undefined stereo centres
        for mechanism, n in counts:
            rows += _draw_mechanism(mechanism, n, used_blocks, config.seed)
    library = pd.DataFrame(rows, columns=["smiles", "name", "mechanism", "template"])
    library = library.iloc[generator(config.seed, "library").permutation(len(library))].reset_index(drop=True)
    library.insert(0, "compound_id", [f"VRT-K{i + 1:08d}" for i in range(len(library))])
    return library


def tails(template: Template) -> list[str]:
    """Return all SMILES fragments that fit into the slot of a template."""
    if template.slot == "S":
        return list(AROMATIC_SUBSTITUENTS)
    if template.slot == "A":
        return list(ALIPHATIC_SUBSTITUENTS)
    rings = [ring.format(S=s) for ring in RINGS if "{S}" in ring for s in AROMATIC_SUBSTITUENTS]
    rings += [ring.format(A=a) for ring in RINGS if "{A}" in ring for a in ALIPHATIC_SUBSTITUENTS]
    return [linker.format(ring=ring) for linker in LINKERS for ring in rings]


def _draw_mechanism(mechanism: Mechanism, n: int, used_blocks: set[str], seed: int) -> list[dict]:
    """Draw n compounds of a mechanism."""
    series = [template for template in mechanism.templates if template.is_series]
    varied = [template for template in mechanism.templates if not template.is_series]
    rows: list[dict] = []
    for template, count in zip(series, _shares(round(n * SERIES_SHARE), len(series)), strict=True):
        rows += _draw_template(template, mechanism, count, used_blocks, seed)
    for template, count in zip(varied, _shares(n - len(rows), len(varied)), strict=True):
        rows += _draw_template(template, mechanism, count, used_blocks, seed)
    if len(rows) < n:
        raise ValueError(
            f"compounds: {n} structures of '{mechanism.name}' are needed, but its templates give only {len(rows)}; "
            "reduce compounds in params:simulation.screen"
        )
    return rows


def _draw_template(
    template: Template, mechanism: Mechanism, count: int, used_blocks: set[str], seed: int
) -> list[dict]:
    """Draw up to ``count`` compounds of a template whose InChIKey blocks are new, and add these blocks."""
    rows: list[dict] = []
    structures = _structures(template, generator(seed, "template", template.name))
    while len(rows) < count and (structure := next(structures, None)):
        smiles, block = structure
        if block not in used_blocks:
            used_blocks.add(block)
            name = f"{template.name} {len(rows) + 1}"
            rows.append({"smiles": smiles, "name": name, "mechanism": mechanism.name, "template": template.name})
    return rows


def _structures(template: Template, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Yield canonical SMILES and first InChIKey block of all compounds of a template, in random order."""
    fragments = tails(template)
    for i in rng.permutation(len(fragments)):
        molecule = Chem.MolFromSmiles(template.smiles.format(**{template.slot: fragments[i]}))
        yield Chem.MolToSmiles(molecule), inchi.MolToInchiKey(molecule)[:14]


def _shares(n: int, parts: int) -> list[int]:
    """Split n into parts that differ by at most 1."""
    return [n // parts + (i < n % parts) for i in range(parts)] if parts else []
