"""Initial weights of a model from a file."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from cloome_kedro.learning.checkpoint import load

logger = logging.getLogger(__name__)


def read_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a checkpoint folder or of a safetensors file, by name.

    Raises
    ------
    ValueError
        If the path does not exist, or is not a readable checkpoint or safetensors file.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return load(path).tensors
    if not path.is_file():
        raise ValueError(f"start: {path} does not exist: give a safetensors file or the folder of a checkpoint")
    try:
        return load_file(path)
    except Exception as error:
        raise ValueError(f"start: {path} is not a readable safetensors file ({error})") from error


def start_from(model: nn.Module, tensors: Mapping[str, torch.Tensor], source: str) -> list[str]:
    """Replace weights and buffers of a model by tensors of the same name and shape.

    Parameters
    ----------
    model
        It is changed.
    tensors
        Tensors by name.
    source
        Where the tensors come from, for messages.

    Returns
    -------
    list of str
        Names of the replaced tensors.

    Raises
    ------
    ValueError
        If no tensor fits, apart from single numbers such as the temperature.
    """
    own = model.state_dict()
    fitting = [name for name, tensor in tensors.items() if name in own and own[name].shape == tensor.shape]
    others = {
        "have another shape": [name for name in tensors if name in own and name not in fitting],
        "are not in the model": [name for name in tensors if name not in own],
    }
    skipped = "; ".join(f"{len(names)} {what} ({_first(names)})" for what, names in others.items() if names)
    if not any(own[name].ndim for name in fitting):
        raise ValueError(f"no tensor of {source} fits the model: {skipped or 'it has none'}")
    model.load_state_dict({name: tensors[name] for name in fitting}, strict=False)
    kept = [name for name in own if name not in fitting]
    logger.info(
        "%d of %d tensors of the model start from %s%s%s",
        *(len(fitting), len(own), source),
        f"; {len(kept)} start at random ({_first(kept)})" if kept else "",
        f". Of the given tensors, {skipped}" if skipped else "",
    )
    return fitting


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
