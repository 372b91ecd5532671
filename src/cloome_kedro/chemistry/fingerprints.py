"""Morgan fingerprints, and how they are packed for storage."""

from collections.abc import Sequence

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from tqdm import tqdm


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
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits, includeChirality=chirality)
    fingerprints = np.zeros((len(smiles), bits), dtype=np.uint8)
    for row, text in enumerate(tqdm(smiles, desc="fingerprints", unit="compound", delay=2)):
        mol = Chem.MolFromSmiles(text)
        if mol is None:
            raise ValueError(f"row {row}: RDKit cannot read the SMILES {text!r}. Standardise the compounds first")
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
    if fingerprints.shape[1] % 8:
        raise ValueError(f"fingerprints have {fingerprints.shape[1]} bits; the number must be a multiple of 8")
    return np.packbits(fingerprints, axis=1)


def unpack(packed: np.ndarray) -> np.ndarray:
    """Unpack what `pack` has packed: uint8 (N, bits / 8) -> uint8 (N, bits) of 0 and 1."""
    return np.unpackbits(packed, axis=1)
