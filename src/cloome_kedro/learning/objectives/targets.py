"""Soft targets of a batch: how similar each pair of compounds or fields is."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F

Targets = Literal["tanimoto", "compound_cosine", "field_cosine"]

_INPUT: dict[str, str] = {
    "tanimoto": "compound_input",
    "compound_cosine": "compound_input",
    "field_cosine": "field_input",
}


def check_targets(owner: str, targets: str, threshold: float) -> None:
    """Raise ValueError if ``targets`` is not one of :data:`Targets`, or ``threshold`` is not from 0 to 1."""
    if targets not in get_args(Targets):
        raise ValueError(f"{owner}: targets must be one of {', '.join(get_args(Targets))}, is {targets}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"{owner}: threshold must be from 0 to 1, is {threshold}")


def needed(targets: Targets) -> tuple[str, ...]:
    """Name the sets that :func:`similarities` reads."""
    return _INPUT[targets], "unit"


@torch.no_grad()
def similarities(targets: Targets, sets: dict[str, torch.Tensor]) -> torch.Tensor:
    """Measure how similar the pairs of a batch are.

    Parameters
    ----------
    targets
        ``tanimoto``: Tanimoto coefficient of the inputs of compounds. For counts, it is the min-max kernel,
        sum min(a, b) / sum max(a, b) (Ralaivola et al. 2005), which for bits is the number of common bits divided by
        the number of bits in at least one of both. ``compound_cosine``: cosine of the inputs of compounds.
        ``field_cosine``: cosine of the inputs of fields.
    sets
        The sets that :func:`needed` names: inputs (N, p) floating point and ``unit`` (N,) int.

    Returns
    -------
    torch.Tensor
        (N, N) in the precision of the inputs, from 0 to 1 (``tanimoto``), or from -1 to 1 (cosines). Pairs of the same
        compound have the similarity 1.

    Raises
    ------
    ValueError
        If ``tanimoto`` is chosen, and an input is negative.

    Examples
    --------
    >>> bits = torch.tensor([[1.0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]])
    >>> similarities("tanimoto", {"compound_input": bits, "unit": torch.arange(3)})[0]
    tensor([1.0000, 0.3333, 0.0000])
    """
    inputs, unit = sets[_INPUT[targets]], sets["unit"]
    if targets == "tanimoto":
        similar = _tanimoto(inputs)
    else:
        directions = F.normalize(inputs, dim=1)
        similar = (directions @ directions.T).clamp(-1, 1)
    return similar.masked_fill(unit[:, None] == unit, 1)


def _tanimoto(inputs: torch.Tensor) -> torch.Tensor:
    """sum min / sum max, from min + max = a + b and max - min = |a - b|."""
    # A GPU would have to end its work for this answer. The validation, which runs on the CPU, asks in any case.
    if inputs.device.type == "cpu" and (inputs < 0).any():
        raise ValueError(
            "targets: tanimoto compares bits or counts, but the view of compounds gives negative numbers: choose "
            "targets: compound_cosine or field_cosine"
        )
    total = inputs.sum(1)
    both, difference = total[:, None] + total, torch.cdist(inputs, inputs, p=1)
    union = (both + difference) / 2
    return ((both - difference) / 2).clamp(min=0) / union.clamp(min=torch.finfo(union.dtype).tiny)
