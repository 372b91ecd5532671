"""Standardise the structures of a screen's tables to one compound per InChIKey."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from cloome_kedro.chemistry.scaffolds import murcko_scaffold
from cloome_kedro.parallel import Bar, run_tasks

CHUNK = 500  # compounds per task
# number of compounds, at about 2 ms each; with fewer, starting processes takes longer than the time that they save
PARALLEL_FROM = 5_000


@dataclass(frozen=True)
class Structure:
    """A standardised structure."""

    inchikey: str
    smiles: str
    scaffold: str

    @property
    def block(self) -> str:
        """First block (14 characters) of the InChIKey, which stereoisomers share."""
        return self.inchikey[:14]


def standardise_smiles(smiles: str | None) -> Structure:
    """Standardise a structure with RDKit's MolStandardize.

    The steps are clean-up, choice of the largest fragment, and neutralisation of charges. An organic fragment is
    preferred. The clean-up disconnects metals, so that a metal complex becomes its largest ligand.

    Raises
    ------
    ValueError
        If there is no SMILES, if RDKit cannot read it, or if the result has no InChIKey. The message says which.
    """
    if not isinstance(smiles, str) or not smiles.strip():
        raise ValueError("no SMILES")
    with rdBase.BlockLogs():
        mol = _read(smiles)
        if mol is None:
            raise ValueError(_why_unreadable(smiles))
        parameters = rdMolStandardize.CleanupParameters()
        parameters.preferOrganic = True  # type: ignore[assignment]
        mol = rdMolStandardize.Uncharger().uncharge(rdMolStandardize.FragmentParent(mol, parameters))
        # Fingerprints are made from this SMILES, so the InChIKey must belong to it: read it again.
        canonical = Chem.MolToSmiles(mol)
        mol = Chem.MolFromSmiles(canonical)
        inchikey = Chem.MolToInchiKey(mol) if mol is not None and mol.GetNumAtoms() else ""
        if not inchikey:
            raise ValueError(f"no InChIKey for the standardised structure {canonical!r}")
        return Structure(inchikey, canonical, murcko_scaffold(mol))


def standardise(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Standardise a compound table. Rows with the same InChIKey become one compound.

    Parameters
    ----------
    table
        Columns ``compound_id``, ``smiles``, ``name``, ``moa``. The last three may be null. Mechanisms of action in
        ``moa`` are separated by ``|``.

    Returns
    -------
    compounds
        Columns ``inchikey``, ``block``, ``smiles``, ``scaffold``, ``name`` (the first that is not null), ``moa`` (all
        mechanisms of the rows), sorted by InChIKey.
    compound_keys
        Columns ``compound_id``, ``inchikey``, in the order of ``table``.
    rejected
        Columns ``compound_id``, ``smiles``, ``reason``.
    """
    outcomes = _standardise_all(table["smiles"].tolist())
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
    )
    # Tautomers can have the same InChIKey but different SMILES. The alphabetically first one is kept, so that the
    # result does not depend on the order of the rows.
    compounds = (
        accepted.sort_values(["inchikey", "smiles"], kind="stable")
        .groupby("inchikey", as_index=False)
        .agg({"block": "first", "smiles": "first", "scaffold": "first", "moa": _union})
    )
    names = accepted.groupby("inchikey")["name"].first()  # the first name that is not null
    compounds.insert(4, "name", compounds["inchikey"].map(names))
    return (
        compounds,
        accepted[["compound_id", "inchikey"]].reset_index(drop=True),
        rejected.reset_index(drop=True),
    )


def _standardise_all(smiles: list) -> list[Structure | str]:
    """Structure of each SMILES, or the reason why there is none."""
    chunks = [smiles[start : start + CHUNK] for start in range(0, len(smiles), CHUNK)]
    bar = Bar("standardise", "compound", sizes=[len(chunk) for chunk in chunks], delay=2)
    n_jobs = 1 if len(smiles) < PARALLEL_FROM else -1
    tasks = [(chunk,) for chunk in chunks]
    return [outcome for _, outcomes in run_tasks(_standardise_chunk, tasks, bar, n_jobs) for outcome in outcomes]


def _standardise_chunk(smiles: list) -> list[Structure | str]:
    outcomes: list[Structure | str] = []
    for text in smiles:
        try:
            outcomes.append(standardise_smiles(text))
        except (ValueError, RuntimeError) as error:  # RDKit raises both
            outcomes.append(str(error).strip() or type(error).__name__)
    return outcomes


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
