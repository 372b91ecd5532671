"""Structures as a screen's tables give them -> one standardised compound for each InChIKey."""

from dataclasses import dataclass

import pandas as pd
from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from cloome_kedro.chemistry.scaffolds import murcko_scaffold
from cloome_kedro.parallel import Bar, run_tasks

CHUNK = 500
PARALLEL_FROM = 5_000  # compounds: about 2 ms each, so below this worker processes cost more than they save


@dataclass(frozen=True)
class Structure:
    """A standardised structure; `block` is the InChIKey's first 14 characters, shared by stereoisomers."""

    inchikey: str
    smiles: str
    scaffold: str

    @property
    def block(self) -> str:
        return self.inchikey[:14]


def standardise_smiles(smiles: str | None) -> Structure:
    """Clean up, keep the largest (organic, where there is one) fragment, remove charges: RDKit's MolStandardize.

    Metals are disconnected by the clean-up, so a metal complex becomes its largest ligand.

    Raises
    ------
    ValueError
        If there is no SMILES, RDKit cannot read it, or the result has no InChIKey; the message says which.
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
        # read back, so that the InChIKey is that of the SMILES which fingerprints are made from
        canonical = Chem.MolToSmiles(mol)
        mol = Chem.MolFromSmiles(canonical)
        inchikey = Chem.MolToInchiKey(mol) if mol is not None and mol.GetNumAtoms() else ""
        if not inchikey:
            raise ValueError(f"no InChIKey for the standardised structure {canonical!r}")
        return Structure(inchikey, canonical, murcko_scaffold(mol))


def standardise(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Standardise a compound table; rows with one InChIKey become one compound.

    Parameters
    ----------
    table
        Columns `compound_id`, `smiles`, `name`, `moa` (the last three may be null; MoAs are separated by ``|``).

    Returns
    -------
    compounds
        `inchikey`, `block`, `smiles`, `scaffold`, `name` (first one given), `moa` (union), by InChIKey.
    compound_keys
        `compound_id`, `inchikey`, in the order of `table`.
    rejected
        `compound_id`, `smiles`, `reason`.
    """
    outcomes = _standardise_all(table["smiles"].tolist())
    found = [isinstance(outcome, Structure) for outcome in outcomes]
    structures = [outcome for outcome in outcomes if isinstance(outcome, Structure)]
    rejected = table.loc[[not f for f in found], ["compound_id", "smiles"]].assign(
        reason=[outcome for outcome in outcomes if isinstance(outcome, str)]
    )
    accepted = table.loc[found, ["compound_id", "name", "moa"]].assign(
        inchikey=[s.inchikey for s in structures],
        block=[s.block for s in structures],
        smiles=[s.smiles for s in structures],
        scaffold=[s.scaffold for s in structures],
    )
    # tautomers may share an InChIKey and differ in SMILES: the least one, whatever the order of the rows
    compounds = (
        accepted.sort_values(["inchikey", "smiles"], kind="stable")
        .groupby("inchikey", as_index=False)
        .agg({"block": "first", "smiles": "first", "scaffold": "first", "moa": _union})
    )
    names = accepted.groupby("inchikey")["name"].first()  # the first that is not null
    compounds.insert(4, "name", compounds["inchikey"].map(names))
    return (
        compounds,
        accepted[["compound_id", "inchikey"]].reset_index(drop=True),
        rejected.reset_index(drop=True),
    )


def _standardise_all(smiles: list) -> list[Structure | str]:
    chunks = [smiles[start : start + CHUNK] for start in range(0, len(smiles), CHUNK)]
    bar = Bar("standardise", "compound", sizes=[len(chunk) for chunk in chunks], delay=2)
    n_jobs = 1 if len(smiles) < PARALLEL_FROM else -1
    return [outcome for _, part in run_tasks(_chunk, [(chunk,) for chunk in chunks], bar, n_jobs) for outcome in part]


def _chunk(smiles: list) -> list[Structure | str]:
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
    # vendors' tables hold ChemAxon extensions of SMILES that RDKit reads in part only
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
