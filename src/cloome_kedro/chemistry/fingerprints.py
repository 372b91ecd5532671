"""Morgan fingerprints, and how they are packed for storage."""

from collections.abc import Sequence

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from cloome_kedro.parallel import Bar, run_tasks

_STRUCTURES = 2000  # per task
# number of structures, at about 0.2 ms each; with fewer, starting processes takes longer than the time that they save
_PARALLEL_FROM = 20_000
_BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)


def morgan(smiles: Sequence[str], bits: int, radius: int = 3, chirality: bool = True) -> np.ndarray:
    """Compute binary Morgan fingerprints.

    Parameters
    ----------
    smiles
        N SMILES that RDKit can read, for example standardised ones.
    bits
        Length of a fingerprint.
    radius
        Radius of the atom environments in bonds; 3 corresponds to ECFP6.
    chirality
        Whether the fingerprints depend on chirality. Otherwise R and S enantiomers get the same bits.

    Returns
    -------
    uint8 array (N, bits) of 0 and 1.

    Raises
    ------
    ValueError
        If a SMILES cannot be read. The message names it and its row.

    Examples
    --------
    >>> morgan(["CCO", "OCC"], bits=64).sum(axis=1).tolist()
    [6, 6]
    """
    return _morgan(smiles, bits, radius, chirality)


def packed_morgan(smiles: Sequence[str], bits: int, radius: int = 3, chirality: bool = True) -> np.ndarray:
    """Compute Morgan fingerprints as `morgan` does, and pack them as `pack` does, part by part.

    Memory grows by ``bits`` / 8 bytes per structure. Many structures are divided among all cores.

    Returns
    -------
    uint8 array (N, bits / 8).

    Raises
    ------
    ValueError
        If ``bits`` is not a multiple of 8, or a SMILES cannot be read. The message names it and its row.

    Examples
    --------
    >>> packed_morgan(["CCO", "CCN"], bits=64).shape
    (2, 8)
    """
    _check_packable(bits)
    packed = np.empty((len(smiles), bits // 8), np.uint8)
    tasks = [
        (smiles[start : start + _STRUCTURES], bits, radius, chirality, start)
        for start in range(0, len(smiles), _STRUCTURES)
    ]
    bar = Bar("fingerprints", "compound", sizes=[len(task[0]) for task in tasks], delay=2)
    n_jobs = 1 if len(smiles) < _PARALLEL_FROM else -1
    for number, part in run_tasks(_packed_part, tasks, bar, n_jobs):
        start = tasks[number][-1]
        packed[start : start + len(part)] = part
    return packed


def _packed_part(smiles: Sequence[str], bits: int, radius: int, chirality: bool, first_row: int) -> np.ndarray:
    return pack(_morgan(smiles, bits, radius, chirality, first_row))


def _morgan(smiles: Sequence[str], bits: int, radius: int, chirality: bool, first_row: int = 0) -> np.ndarray:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits, includeChirality=chirality)
    fingerprints = np.zeros((len(smiles), bits), dtype=np.uint8)
    for row, text in enumerate(smiles):
        mol = Chem.MolFromSmiles(text)
        if mol is None:
            raise ValueError(
                f"row {first_row + row}: RDKit cannot read the SMILES {text!r}. Standardise the compounds first"
            )
        fingerprints[row] = generator.GetFingerprintAsNumPy(mol)
    return fingerprints


def pack(fingerprints: np.ndarray) -> np.ndarray:
    """Pack eight bits into a byte: (N, bits) of 0 and 1 -> uint8 (N, bits / 8).

    The first bit of the eight is the most significant bit of the byte.

    Raises
    ------
    ValueError
        If ``bits`` is not a multiple of 8.

    Examples
    --------
    >>> pack(np.array([[1, 0, 0, 0, 0, 0, 1, 1]]))
    array([[131]], dtype=uint8)
    """
    _check_packable(fingerprints.shape[1])
    return np.packbits(fingerprints, axis=1)


def unpack(packed: np.ndarray) -> np.ndarray:
    """Unpack what `pack` has packed: uint8 (N, bits / 8) -> uint8 (N, bits) of 0 and 1."""
    return np.unpackbits(packed, axis=1)


def count_bits(packed: np.ndarray) -> np.ndarray:
    """Count the bits of packed fingerprints, without unpacking them: uint8 (N, bits / 8) -> int64 (N,).

    Examples
    --------
    >>> count_bits(pack(np.array([[1, 0, 0, 0, 0, 0, 1, 1]])))
    array([3])
    """
    return _BITS_OF_BYTE[packed].sum(axis=1, dtype=np.int64)


def _check_packable(bits: int) -> None:
    if bits % 8:
        raise ValueError(f"fingerprints have {bits} bits; the number must be a multiple of 8")
