"""Morgan fingerprints, and their packed form at rest."""

from collections.abc import Sequence

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from tqdm import tqdm


def morgan(smiles: Sequence[str], bits: int, radius: int = 3, chirality: bool = True) -> np.ndarray:
    """Binary Morgan fingerprints.

    Parameters
    ----------
    smiles
        N SMILES that RDKit can read, e.g. standardised ones.
    bits
        Length of a fingerprint.
    radius
        In bonds; 3 is ECFP6.
    chirality
        Whether stereocentres count; without, R and S get the same bits.

    Returns
    -------
    uint8 array (N, bits) of 0 and 1.

    Raises
    ------
    ValueError
        If a SMILES cannot be read; names it and its position.

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
            raise ValueError(f"row {row}: RDKit cannot read the SMILES {text!r}; standardise compounds first")
        fingerprints[row] = generator.GetFingerprintAsNumPy(mol)
    return fingerprints


def pack(fingerprints: np.ndarray) -> np.ndarray:
    """(N, bits) of 0 and 1 -> uint8 (N, bits / 8), first bit highest; `bits` must be a multiple of 8."""
    if fingerprints.shape[1] % 8:
        raise ValueError(f"{fingerprints.shape[1]} bits: a packed fingerprint needs a multiple of 8")
    return np.packbits(fingerprints, axis=1)


def unpack(packed: np.ndarray) -> np.ndarray:
    """Inverse of `pack`: uint8 (N, bits / 8) -> uint8 (N, bits) of 0 and 1."""
    return np.unpackbits(packed, axis=1)
