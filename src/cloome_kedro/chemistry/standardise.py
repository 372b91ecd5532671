"""Standardise the structures of a screen's tables to one compound per InChIKey."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from cloome_kedro.chemistry.fragments import Parent, find_parent, is_metal_complex
from cloome_kedro.chemistry.scaffolds import murcko_scaffold
from cloome_kedro.parallel import Bar, run_tasks

CHUNK = 500  # compounds per task
# number of compounds, at about 2 ms each; with fewer, starting processes takes longer than the time that they save
PARALLEL_FROM = 5_000


#: heavy atoms of the largest structure that is read. InChI has a limit of 1,023
MAX_ATOMS = 1000
_SMILES_ATOM = re.compile(r"\[[^\[\]]*\]|Br|Cl|[BCNOPSFIbcnops*]")
_INCHIKEY = re.compile(r"[A-Z]{14}-[A-Z]{10}-[A-Z]")


@dataclass(frozen=True)
class Structure:
    """A standardised structure.

    Attributes
    ----------
    stripped
        Names of the counter-ions and solvents that were stripped, sorted.
    """

    inchikey: str
    smiles: str
    scaffold: str
    stripped: tuple[str, ...] = ()

    @property
    def block(self) -> str:
        """First block (14 characters) of the InChIKey, which stereoisomers share."""
        return self.inchikey[:14]


class Standardised(NamedTuple):
    """The compounds of a table.

    Attributes
    ----------
    compounds
        Columns ``inchikey``, ``block``, ``smiles``, ``scaffold``, ``name`` (the first that is not null), ``moa`` (all
        mechanisms of the rows), ``stripped`` (all counter-ions and solvents that were stripped from a row), sorted by
        InChIKey.
    compound_keys
        Columns ``compound_id``, ``inchikey``, in the order of the table.
    rejected
        Columns ``compound_id``, ``smiles``, ``reason``.
    merged
        Rows of the table whose compound unites different names or mechanisms: ``inchikey``, ``compound_id``, ``name``,
        ``moa``, ``smiles`` (as given), ``stripped``, sorted by InChIKey.
    """

    compounds: pd.DataFrame
    compound_keys: pd.DataFrame
    rejected: pd.DataFrame
    merged: pd.DataFrame


def standardise_smiles(
    smiles: str | None, max_atoms: int = MAX_ATOMS, counter_ions: Mapping[str, str] | None = None
) -> Structure:
    """Standardise a structure with RDKit's MolStandardize.

    The steps are clean-up, stripping of counter-ions and solvents, and neutralisation of charges. A metal complex is
    not changed. The rules are those of :func:`~cloome_kedro.chemistry.fragments.find_parent`.

    Parameters
    ----------
    smiles
        A SMILES or an InChI.
    max_atoms
        Largest number of heavy atoms.
    counter_ions
        Name -> SMILES of parts that are stripped, in addition to the lists.

    Raises
    ------
    ValueError
        If there is no structure, if RDKit cannot read it, if it is too large or a mixture of several compounds, or if
        the result has no InChIKey. The message says which.
    """
    if not isinstance(smiles, str) or not smiles.strip():
        raise ValueError("no SMILES")
    with rdBase.BlockLogs():
        mol = _read_checked(smiles.strip(), max_atoms)
        parent = Parent(mol) if is_metal_complex(mol) else _parent(mol, counter_ions)
        # Fingerprints are made from this SMILES, so the InChIKey must belong to it: read it again.
        canonical = Chem.MolToSmiles(parent.mol)
        mol = Chem.MolFromSmiles(canonical)
        inchikey = Chem.MolToInchiKey(mol) if mol is not None and mol.GetNumAtoms() else ""
        if not inchikey:
            raise ValueError(f"no InChIKey for the standardised structure {canonical!r}")
        return Structure(inchikey, canonical, murcko_scaffold(mol), parent.stripped)


def identify(smiles: str) -> str:
    """Return the InChIKey of the standardised structure; if there is none, the text itself.

    Two spellings of a structure have the same identity.
    """
    try:
        return standardise_smiles(smiles).inchikey
    except (ValueError, RuntimeError):  # RDKit raises both
        return smiles


def standardise(
    table: pd.DataFrame, max_atoms: int = MAX_ATOMS, counter_ions: Mapping[str, str] | None = None
) -> Standardised:
    """Standardise a compound table. Rows with the same InChIKey become one compound.

    Parameters
    ----------
    table
        Columns ``compound_id``, ``smiles``, ``name``, ``moa``. The last three may be null. Mechanisms of action in
        ``moa`` are separated by ``|``.
    max_atoms, counter_ions
        As for :func:`standardise_smiles`.
    """
    outcomes = _standardise_all(table["smiles"].tolist(), (max_atoms, dict(counter_ions or {})))
    is_accepted = np.array([isinstance(outcome, Structure) for outcome in outcomes], dtype=bool)
    structures = [outcome for outcome in outcomes if isinstance(outcome, Structure)]
    rejected = table.loc[~is_accepted, ["compound_id", "smiles"]].assign(
        reason=[outcome for outcome in outcomes if isinstance(outcome, str)]
    )
    accepted = table.loc[is_accepted, ["compound_id", "name", "moa"]].assign(
        inchikey=[structure.inchikey for structure in structures],
        block=[structure.block for structure in structures],
        smiles=[structure.smiles for structure in structures],
        scaffold=[structure.scaffold for structure in structures],
        stripped=pd.Series(["|".join(structure.stripped) or None for structure in structures], dtype=object).to_numpy(),
    )
    # Tautomers can have the same InChIKey but different SMILES. The alphabetically first one is kept, so that the
    # result does not depend on the order of the rows.
    compounds = (
        accepted.sort_values(["inchikey", "smiles"], kind="stable")
        .groupby("inchikey", as_index=False)
        .agg({"block": "first", "smiles": "first", "scaffold": "first", "moa": _union, "stripped": _union})
    )
    names = accepted.groupby("inchikey")["name"].first()  # the first name that is not null
    compounds.insert(4, "name", compounds["inchikey"].map(names))
    return Standardised(
        compounds,
        accepted[["compound_id", "inchikey"]].reset_index(drop=True),
        rejected.reset_index(drop=True),
        _merged(accepted.assign(smiles=table.loc[is_accepted, "smiles"])),
    )


def _merged(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of compounds that have several names or several sets of mechanisms."""
    rows = rows[rows["inchikey"].duplicated(keep=False)]
    described = pd.DataFrame(
        {
            "inchikey": rows["inchikey"],
            "name": rows["name"].map(lambda name: name.strip().casefold(), na_action="ignore"),
            "moa": rows["moa"].map(lambda moa: _union(pd.Series([moa])), na_action="ignore"),
        }
    )
    different = described.groupby("inchikey")[["name", "moa"]].nunique().gt(1).any(axis=1)
    merged = rows[rows["inchikey"].isin(different.index[different])]
    columns = ["inchikey", "compound_id", "name", "moa", "smiles", "stripped"]
    return merged.sort_values("inchikey", kind="stable")[columns].reset_index(drop=True)


def _parent(mol: Chem.Mol, counter_ions: Mapping[str, str] | None) -> Parent:
    parent = find_parent(rdMolStandardize.Cleanup(mol), counter_ions)
    return parent._replace(mol=rdMolStandardize.Uncharger().uncharge(parent.mol))


def _standardise_all(smiles: list, settings: tuple) -> list[Structure | str]:
    """Structure of each SMILES, or the reason why there is none."""
    chunks = [smiles[start : start + CHUNK] for start in range(0, len(smiles), CHUNK)]
    bar = Bar("standardise", "compound", sizes=[len(chunk) for chunk in chunks], delay=2)
    n_jobs = 1 if len(smiles) < PARALLEL_FROM else -1
    tasks = [(chunk, *settings) for chunk in chunks]
    return [outcome for _, outcomes in run_tasks(_standardise_chunk, tasks, bar, n_jobs) for outcome in outcomes]


def _standardise_chunk(smiles: list, max_atoms: int, counter_ions: dict[str, str]) -> list[Structure | str]:
    outcomes: list[Structure | str] = []
    for text in smiles:
        try:
            outcomes.append(standardise_smiles(text, max_atoms, counter_ions))
        except (ValueError, RuntimeError) as error:  # RDKit raises both
            outcomes.append(str(error).strip() or type(error).__name__)
    return outcomes


def _read_checked(text: str, max_atoms: int) -> Chem.Mol:
    """Read a SMILES or an InChI. A long SMILES is refused unread: RDKit can end the process at 20,000 atoms."""
    if _INCHIKEY.fullmatch(text):
        raise ValueError("an InChIKey, which does not give the structure. Use a SMILES or an InChI")
    if text.startswith("InChI="):
        mol = Chem.MolFromInchi(text)
        if mol is None:
            raise ValueError("not an InChI that RDKit can read")
        n_atoms = mol.GetNumHeavyAtoms()
    else:
        n_atoms = len(_SMILES_ATOM.findall(text.split()[0]))
        mol = _read(text) if n_atoms <= max_atoms else None
    if n_atoms > max_atoms:
        raise ValueError(f"too large: {n_atoms} atoms, but params:structures, max_atoms is {max_atoms}")
    if mol is None:
        raise ValueError(_why_unreadable(text))
    return mol


def _read(smiles: str, sanitize: bool = True) -> Chem.Mol | None:
    parameters = Chem.SmilesParserParams()
    parameters.sanitize = parameters.removeHs = sanitize  # type: ignore[assignment]
    # Vendors' tables contain ChemAxon extensions of SMILES, which RDKit can read only in part.
    parameters.strictCXSMILES = False  # type: ignore[assignment]
    return Chem.MolFromSmiles(smiles, parameters)


def _why_unreadable(smiles: str) -> str:
    mol = _read(smiles, sanitize=False)
    if mol is None:
        return "not a SMILES"
    problems = [problem.Message() for problem in Chem.DetectChemistryProblems(mol)]
    return f"impossible structure: {'; '.join(problems) or 'RDKit cannot read it'}"


def _union(moas: pd.Series) -> str | None:
    parts = {part.strip() for moa in moas.dropna() for part in moa.split("|")} - {""}
    return "|".join(sorted(parts)) or None
