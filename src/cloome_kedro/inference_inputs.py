"""Checks of what `Cloome` gets, and the input that views make of structures."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from rdkit import Chem, rdBase

from cloome_kedro.chemistry.fingerprints import morgan, pack
from cloome_kedro.chemistry.standardise import standardise_smiles
from cloome_kedro.chemistry.structure_sets import compute_sets, set_of
from cloome_kedro.learning.embed import find_device
from cloome_kedro.learning.views.base import Read
from cloome_kedro.learning.views.morgan import Fingerprints, Morgan
from cloome_kedro.learning.views.structures import StructureFeatures, Structures


def check_positive(**numbers: Any) -> None:
    """Check that numbers are whole and at least 1; ValueError names the first other one."""
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {number!r}")


def checked_device(device: str | torch.device) -> torch.device:
    """Find a device, ``auto`` or the name of one; ValueError if it cannot be used."""
    try:
        checked = find_device() if device == "auto" else torch.device(device)
        torch.empty(1, device=checked)
    except Exception as error:  # torch raises several types
        raise ValueError(
            f"the device {device} cannot be used ({str(error).splitlines()[0]}): take auto or cpu"
        ) from error
    return checked


def checked_structures(smiles: Any, standardise: bool) -> list[str]:
    """Check a list of SMILES, and standardise them as in training if asked for.

    Raises
    ------
    TypeError
        If it is no list of texts.
    ValueError
        If a SMILES cannot be read. The message names the first such SMILES and its position.
    """
    if isinstance(smiles, str | bytes):
        raise TypeError(f"a list of SMILES is expected, not the single string {smiles!r}")
    if isinstance(smiles, Mapping) or not isinstance(smiles, Iterable):
        raise TypeError(f"a list of SMILES is expected, not {smiles!r:.100}")
    return [_checked_smiles(position, text, standardise) for position, text in enumerate(smiles)]


def read_structures(view: Morgan | Structures, smiles: Sequence[str]) -> Read:
    """Compute what a view sees of structures, with the settings of the training."""
    if isinstance(view, Morgan):
        settings = dataclasses.asdict(view)
        sources: dict[str, Any] = {"fingerprints": Fingerprints(pack(morgan(smiles, **settings)), settings)}
    else:
        sets = {name: set_of(settings) for name, settings in view.sets.items()}
        sources = {"structure_features": StructureFeatures(view.sets, compute_sets(smiles, sets))}
    return view.rows({"structure_row": np.arange(len(smiles))}, sources).read


def checked_features(features: Any, columns: Sequence[str], side: str) -> np.ndarray:
    """Check the features of fields or compounds: (N, features) float32, all finite; ValueError otherwise."""
    values = np.asarray(features, np.float32)
    if values.ndim != 2 or values.shape[1] != len(columns):
        raise ValueError(
            f"{side}s of this model have {len(columns)} features, from {columns[0]} to {columns[-1]}: an array of "
            f"shape (N, {len(columns)}) is expected, not {values.shape}"
        )
    if not (finite := np.isfinite(values).all(axis=1)).all():
        raise ValueError(f"row {int(np.argmin(finite))} of the features is not finite")
    return values


def listed(given: Any) -> Any:
    """Make a list of an iterable. Arrays, single texts and mappings stay as they are."""
    if isinstance(given, np.ndarray | str | bytes | Mapping) or not isinstance(given, Iterable):
        return given
    return list(given)


def given_embeddings(side: Any, size: int) -> np.ndarray | None:
    """Return the argument if it holds embeddings, after checks; None if it must be embedded.

    Raises
    ------
    ValueError
        If the embeddings do not have ``size`` numbers, or are not finite.
    """
    if not (isinstance(side, np.ndarray) and side.ndim == 2 and np.issubdtype(side.dtype, np.floating)):
        return None
    if side.shape[1] != size:
        raise ValueError(f"embeddings of this model have {size} numbers, not {side.shape[1]}")
    if not (finite := np.isfinite(side).all(axis=1)).all():
        raise ValueError(f"row {int(np.argmin(finite))} of the embeddings is not finite")
    return side


def _checked_smiles(position: int, text: str, standardise: bool) -> str:
    try:
        if standardise:
            return standardise_smiles(text).smiles
        with rdBase.BlockLogs():
            if not isinstance(text, str) or not text.strip() or Chem.MolFromSmiles(text) is None:
                raise ValueError("RDKit cannot read it")
        return text
    except (ValueError, RuntimeError) as error:  # RDKit raises both
        raise ValueError(f"the SMILES at position {position}, {text!r}, cannot be embedded: {error}") from error
