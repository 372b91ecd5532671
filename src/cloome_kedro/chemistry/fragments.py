"""Find the compound among the parts of a structure: separate it from counter-ions and solvents."""

from collections.abc import Mapping, Sequence
from functools import cache, reduce
from importlib.resources import files
from typing import NamedTuple

from chembl_structure_pipeline.exclude_flag import METAL_LIST
from rdkit import Chem
from rdkit.Chem.MolStandardize import rdMolStandardize

#: counter-ions that the lists of ChEMBL do not have, as SMILES
COUNTER_IONS = {
    "Cyclohexylamine": "NC1CCCCC1",
    "Dibenzoyltartrate": "c1ccc(cc1)C(=O)OC(C(=O)O)C(C(=O)O)OC(=O)c1ccccc1",
    "Docusate": "CCCCC(CC)COC(=O)CC(C(=O)OCC(CC)CCCC)S(=O)(=O)O",
    "Teoclate": "Cn1c(=O)c2[nH]c(Cl)nc2n(C)c1=O",
    "Tetraphenylborate": "[B-](c1ccccc1)(c1ccccc1)(c1ccccc1)c1ccccc1",
    "Toluoyltartrate": "Cc1ccc(cc1)C(=O)OC(C(=O)O)C(C(=O)O)OC(=O)c1ccc(C)cc1",
}
#: metals that are counter-ions in most salts: those in ChEMBL's list of salts that are not in its list of metals
_COUNTER_METALS = {"Ag", "Al", "Ba", "Be", "Ca", "Cs", "Fr", "K", "Li", "Mg", "Na", "Ra", "Rb", "Sr", "Zn"}
_INACTIVE_METALS = {"K", "Na"}
_CHELATED_METALS = {"Ag", "Al", "Be", "Mg", "Zn"}  # salts of Ca, Sr and Ba are sometimes drawn as rings, too
_HALOGENS = {"F", "Cl", "Br", "I"}
# Carbonates, cyanides and thiocyanates are inorganic; urea and guanidine are organic.
_ORGANIC_CARBON = Chem.MolFromSmarts("[#6;!H0,$([#6]~[#6]),$([#6]-[#7])]")


class Parent(NamedTuple):
    """The compound of a structure.

    Attributes
    ----------
    mol
        The compound.
    stripped
        Names of the parts that are stripped, sorted. A part without a name is given by its SMILES.
    """

    mol: Chem.Mol
    stripped: tuple[str, ...] = ()


class _Part(NamedTuple):
    """A part of a structure, which has no bond to the others."""

    mol: Chem.Mol
    smiles: str  # canonical and neutral
    name: str | None  # None: in no list
    is_solvent: bool
    is_organic: bool

    @property
    def label(self) -> str:
        return self.name or Chem.MolToSmiles(self.mol)


def is_metal_complex(mol: Chem.Mol) -> bool:
    """Tell whether a metal of a structure is more than a counter-ion.

    This is so for all metals that ChEMBL excludes from the stripping of salts (Pt, Fe, Cu, Hg, Gd, Bi, ...). Of the
    others, it is so for those that are bound to carbon, and for Ag, Al, Be, Mg and Zn in a ring, as in a chelate.

    Examples
    --------
    >>> [is_metal_complex(Chem.MolFromSmiles(smiles)) for smiles in ("N.N.Cl[Pt]Cl", "CC(=O)O[Na]", "CC[Zn]CC")]
    [True, False, True]
    """
    for atom in mol.GetAtoms():
        symbol = atom.GetSymbol()
        if symbol in METAL_LIST or (symbol in _CHELATED_METALS and atom.IsInRing()):
            return True
        if symbol in _COUNTER_METALS and any(neighbour.GetSymbol() == "C" for neighbour in atom.GetNeighbors()):
            return True
    return False


def find_parent(mol: Chem.Mol, counter_ions: Mapping[str, str] | None = None) -> Parent:
    """Find the compound among the parts of a structure.

    The lists of counter-ions and solvents are those of the ChEMBL structure pipeline (Bento et al. 2020,
    doi:10.1186/s13321-020-00456-1), RDKit's list of solvents, :data:`COUNTER_IONS`, and ``counter_ions``. The rules:

    1. Parts that are in a list or are inorganic are stripped.
    2. If one organic part is left, it is the compound. Parts that differ only in their stereochemistry count as one:
       the first by SMILES represents the mixture of stereoisomers.
    3. If different organic parts are left, the structure is a mixture of compounds or a co-crystal, which is an error.
    4. If no part is left, all organic parts are in a list. If there is one, it is the compound: acetic acid of sodium
       acetate. If exactly one of several has a ring, it is the compound: salicylic acid of meglumine salicylate.
    5. Otherwise, the whole salt without solvents is the compound: sodium chloride, choline tartrate. This is also so if
       no part is left and a metal is not Na or K, because the metal can be the active part: lithium citrate.

    Parameters
    ----------
    mol
        A structure after clean-up that is no metal complex.
    counter_ions
        Name -> SMILES of further parts that are stripped. Their charges and stereochemistry do not matter.

    Raises
    ------
    ValueError
        If the structure is a mixture. The message has the SMILES of its compounds.

    Examples
    --------
    >>> parent = find_parent(Chem.MolFromSmiles("NNC(=O)c1ccncc1.CNCC(O)C(O)C(O)C(O)CO.O"))
    >>> Chem.MolToSmiles(parent.mol), parent.stripped
    ('NNC(=O)c1ccncc1', ('DiMeglumine', 'WATER'))
    """
    fragments = Chem.GetMolFrags(mol, asMols=True)
    if len(fragments) == 1:
        return Parent(mol)
    further = tuple(sorted((counter_ions or {}).items()))
    parts = sorted((_part(fragment, further) for fragment in fragments), key=lambda part: part.smiles)
    compounds = _compounds(parts)
    if not compounds:
        kept = [part for part in parts if not part.is_solvent] or parts
        return Parent(_balanced(reduce(Chem.CombineMols, (part.mol for part in kept))), _names(parts, kept))
    if len({_flat(compound.smiles) for compound in compounds}) > 1:
        names = " and ".join(dict.fromkeys(compound.smiles for compound in compounds))
        raise ValueError(
            f"mixture of several compounds: {names}. If one of them is a counter-ion, add it to params:structures, "
            "counter_ions"
        )
    return Parent(compounds[0].mol, _names(parts, compounds[:1]))


def _compounds(parts: Sequence[_Part]) -> list[_Part]:
    """Parts that can be the compound. None if it is the whole salt."""
    organic = [part for part in parts if part.is_organic]
    if compounds := [part for part in organic if part.name is None]:
        return compounds
    metals = {part.mol.GetAtomWithIdx(0).GetSymbol() for part in parts} & _COUNTER_METALS
    if metals - _INACTIVE_METALS:
        return []
    listed = [part for part in organic if not part.is_solvent] or organic
    with_ring = [part for part in listed if part.mol.GetRingInfo().NumRings()]
    for candidates in (listed, with_ring):
        if len({part.smiles for part in candidates}) == 1:
            return candidates
    return []


def _balanced(salt: Chem.Mol) -> Chem.Mol:
    """Give hydrogen halides a charge while the salt is positive: some tables write NaCl as Na and HCl."""
    charge = Chem.GetFormalCharge(salt)
    for atom in salt.GetAtoms():
        if charge > 0 and atom.GetSymbol() in _HALOGENS and not atom.GetDegree() and not atom.GetFormalCharge():
            atom.SetFormalCharge(-1)
            atom.SetNumExplicitHs(0)
            atom.SetNoImplicit(True)
            charge -= 1
    Chem.SanitizeMol(salt)
    return salt


def _names(parts: Sequence[_Part], kept: Sequence[_Part]) -> tuple[str, ...]:
    """Names of the parts that are not kept."""
    left = {part.smiles for part in kept}
    flat = {_flat(smiles) for smiles in left}
    stripped = [part for part in parts if part.smiles not in left]
    return tuple(sorted({"stereoisomer" if _flat(part.smiles) in flat else part.label for part in stripped}))


def _part(fragment: Chem.Mol, further: tuple[tuple[str, str], ...]) -> _Part:
    smiles = Chem.MolToSmiles(rdMolStandardize.Uncharger().uncharge(fragment))
    size = fragment.GetNumAtoms(), fragment.GetNumBonds()
    is_neutral = Chem.GetFormalCharge(fragment) == 0
    is_organic = fragment.HasSubstructMatch(_ORGANIC_CARBON)
    for name, pattern, is_solvent in _patterns(further).get(size, ()):
        if (is_neutral or not is_solvent) and fragment.HasSubstructMatch(pattern):
            return _Part(fragment, smiles, name, is_solvent, is_organic)
    if is_organic and is_neutral and not _solvent_remover().remove(fragment).GetNumAtoms():
        return _Part(fragment, smiles, smiles, True, True)
    return _Part(fragment, smiles, None, False, is_organic)


def _flat(smiles: str) -> str:
    """SMILES without stereochemistry."""
    mol = Chem.MolFromSmiles(smiles)
    return smiles if mol is None else Chem.MolToSmiles(mol, isomericSmiles=False)


@cache
def _patterns(further: tuple[tuple[str, str], ...]) -> dict[tuple[int, int], list[tuple[str, Chem.Mol, bool]]]:
    """Lists of counter-ions and solvents: (atoms, bonds) -> (name, pattern without charges, whether a solvent)."""
    entries = [(name, pattern_of(smiles), True) for name, smiles in _chembl("solvents.smi")]
    entries += [(name, Chem.MolFromSmarts(smarts), False) for name, smarts in _chembl("salts.smi")]
    entries += [(name, pattern_of(smiles), False) for name, smiles in (*COUNTER_IONS.items(), *further)]
    patterns: dict[tuple[int, int], list[tuple[str, Chem.Mol, bool]]] = {}
    for name, pattern, is_solvent in entries:
        patterns.setdefault((pattern.GetNumAtoms(), pattern.GetNumBonds()), []).append((name, pattern, is_solvent))
    return patterns


def _chembl(name: str) -> list[list[str]]:
    lines = (files("chembl_structure_pipeline") / "data" / name).read_text().splitlines()
    return [line.split("\t") for line in lines if line.count("\t") == 1]


@cache
def _solvent_remover() -> rdMolStandardize.FragmentRemover:
    return rdMolStandardize.FragmentRemover("", False, False)  # remove the last part, too


def pattern_of(smiles: str) -> Chem.Mol:
    """Make a pattern that matches a structure without regard to charges, hydrogens and stereochemistry.

    Raises
    ------
    ValueError
        If RDKit cannot read the SMILES, or if it has several parts.
    """
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or not mol.GetNumAtoms() or "." in smiles:
        raise ValueError(f"{smiles!r} is not a SMILES of one counter-ion")
    mol = rdMolStandardize.Normalize(mol)  # as structures are
    for atom in mol.GetAtoms():
        atom.SetFormalCharge(0)  # matches any charge
    return mol
