"""Sets of structural features: several kinds of fingerprints, as bits or counts, and physico-chemical descriptors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors, rdFingerprintGenerator, rdMolDescriptors

from cloome_kedro.chemistry.structure_config import OF_FIXED_SIZE, WITH_RADIUS, WITHOUT_CHIRALITY, StructureSet
from cloome_kedro.parallel import Bar, run_tasks

_MACCS_BITS = 167  # RDKit's first bit is always 0
#: structures per task of a process; descriptors take about 50 times as long as a fingerprint
_STRUCTURES, _STRUCTURES_OF_DESCRIPTORS = 8192, 500


def describe(structures: StructureSet) -> dict[str, Any]:
    """All settings of a set with their values, its ``size``, and for descriptors their ``names``: JSON values."""
    settings = asdict(structures)
    if structures.kind in WITH_RADIUS:
        settings["radius"] = structures.radius or 2
    if structures.kind not in WITHOUT_CHIRALITY:
        settings["chirality"] = True if structures.chirality is None else structures.chirality
    sizes = {"maccs": _MACCS_BITS, "descriptors": len(Descriptors.descList)}
    settings["size"] = sizes.get(structures.kind, structures.size or 2048)
    if structures.kind == "descriptors":
        settings["names"] = [name for name, _ in Descriptors.descList]
    return {name: value for name, value in settings.items() if value is not None}


def set_of(description: Mapping[str, Any]) -> StructureSet:
    """Make a set from its description by :func:`describe`.

    Raises
    ------
    ValueError
        If this version of RDKit has other descriptors.
    """
    known = dict(description)
    names, kind = known.pop("names", None), known["kind"]
    if kind in OF_FIXED_SIZE:
        known.pop("size")
    made = StructureSet(**known)
    if names is not None and names != (present := describe(made)["names"]):
        other = next(iter({*names} ^ {*present}), names[0])
        raise ValueError(
            f"this version of RDKit has other descriptors, such as {other}: use the version of the training"
        )
    return made


def compute_sets(smiles: Sequence[str], sets: Mapping[str, StructureSet], n_jobs: int = 1) -> dict[str, np.ndarray]:
    """Compute sets of structural features.

    Parameters
    ----------
    smiles
        N SMILES that RDKit can read, for example standardised ones.
    sets
        Name -> set.
    n_jobs
        Number of processes; -1 is one per core.

    Returns
    -------
    Name -> (N, size): uint8 of 0 and 1, uint16 counts (at most 65,535), or float32 descriptors. A descriptor that
    cannot be computed, or that is beyond the range of float32, is NaN.

    Raises
    ------
    ValueError
        If a SMILES cannot be read. The message names it and its row.

    Examples
    --------
    >>> sets = {"ecfp": StructureSet("morgan", counts=True, size=64), "keys": StructureSet("maccs")}
    >>> {name: values.shape for name, values in compute_sets(["CCO", "CCN"], sets).items()}
    {'ecfp': (2, 64), 'keys': (2, 167)}
    """
    tasks = []
    for name, structures in sets.items():
        size = _STRUCTURES_OF_DESCRIPTORS if structures.kind == "descriptors" else _STRUCTURES
        tasks += [(name, structures, start, smiles[start : start + size]) for start in range(0, len(smiles), size)]
    bar = Bar("structural features", "compound", [len(task[3]) for task in tasks], delay=2)
    values = {
        name: np.empty((len(smiles), describe(structures)["size"]), _type_of(structures))
        for name, structures in sets.items()
    }
    for number, part in run_tasks(_compute, tasks, bar, n_jobs):
        name, _, start, _ = tasks[number]
        values[name][start : start + len(part)] = part
    return values


def _type_of(structures: StructureSet) -> type:
    if structures.kind == "descriptors":
        return np.float32
    return np.uint16 if structures.counts else np.uint8


def _compute(name: str, structures: StructureSet, start: int, smiles: Sequence[str]) -> np.ndarray:
    compute = _function_of(structures)
    values = np.empty((len(smiles), describe(structures)["size"]), _type_of(structures))
    with rdBase.BlockLogs(), np.errstate(over="ignore"):
        for row, text in enumerate(smiles):
            mol = Chem.MolFromSmiles(text)
            if mol is None:
                raise ValueError(
                    f"row {start + row}: RDKit cannot read the SMILES {text!r}. Standardise the compounds first"
                )
            numbers = compute(mol)
            values[row] = np.minimum(numbers, 65_535) if structures.counts else numbers
    if structures.kind == "descriptors":
        values[~np.isfinite(values)] = np.nan
    return values


@cache
def _function_of(structures: StructureSet) -> Callable[[Any], np.ndarray]:
    """Function from a molecule to the features of a set."""
    settings = describe(structures)
    size, chirality = settings["size"], bool(settings.get("chirality"))
    if structures.kind == "descriptors":
        return _descriptors
    if structures.kind == "maccs":
        return lambda mol: np.array(rdMolDescriptors.GetMACCSKeysFingerprint(mol), np.uint8)
    if structures.kind in WITH_RADIUS:
        atoms = None
        if structures.kind == "feature_morgan":
            atoms = rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
        generator = rdFingerprintGenerator.GetMorganGenerator(
            radius=settings["radius"], fpSize=size, includeChirality=chirality, atomInvariantsGenerator=atoms
        )
    elif structures.kind == "atom_pairs":
        generator = rdFingerprintGenerator.GetAtomPairGenerator(fpSize=size, includeChirality=chirality)
    elif structures.kind == "topological_torsions":
        generator = rdFingerprintGenerator.GetTopologicalTorsionGenerator(fpSize=size, includeChirality=chirality)
    else:
        generator = rdFingerprintGenerator.GetRDKitFPGenerator(fpSize=size, maxPath=settings.get("max_path", 7))
    return generator.GetCountFingerprintAsNumPy if structures.counts else generator.GetFingerprintAsNumPy


def _descriptors(mol: Any) -> np.ndarray:
    values = np.empty(len(Descriptors.descList))
    for column, (_, function) in enumerate(Descriptors.descList):
        try:
            values[column] = function(mol)
        except Exception:  # RDKit raises several types
            values[column] = np.nan
    return values
