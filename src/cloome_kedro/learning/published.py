"""Read published CLOOME checkpoints: PyTorch files with ``{"epoch", "name", "state_dict", ...}``.

Files are loaded with ``weights_only=True``, so they cannot execute code. The sizes of the model follow from the shapes
of some tensors. The names and shapes of all tensors are then compared with those of a model of these sizes.
"""

import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cloome_kedro.learning.checkpoint import Checkpoint, describe
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Morgan
from cloome_kedro.words import UNKNOWN_SPLIT

#: storage of fields in the published training: outliers by field and channel, then x 256
PUBLISHED_STORAGE = {
    "channels": ["Mito", "ER", "RNA", "AGP", "DNA"],
    "intensity": {"outlier_percent": 0.0028, "scale": 256},
    "scope": "field",
    "crop": None,
    "size": None,
}


def read_published(path: Path | str, config: Path | str | None = None) -> Checkpoint:
    """Read a published file.

    Parameters
    ----------
    path
        The ``.pt`` file. Names of tensors may have the prefix ``module.``. The encoders may have any size.
    config
        JSON file with the settings of the model (``embed_dim``, ``input_size``, ...). It is compared with the sizes of
        the tensors, except ``vision_width``, which the published code ignores.

    Returns
    -------
    Checkpoint
        Its views use the whole field, the published normalisation (the same statistics as mean and as standard
        deviation), the published intensities, and fingerprints of radius 3 with chirality. Its config has ``source:
        published`` and ``split_hash: unknown``.

    Raises
    ------
    ValueError
        If the file does not exist, is damaged, would execute code, is not a published checkpoint, has missing or
        unexpected tensors, or contradicts ``config``.
    """
    path = Path(path)
    content = _load(path)
    tensors = _state_dict(content, path)
    architecture = _architecture(tensors, path)
    _compare(tensors, architecture, path)
    if config is not None:
        _check_config(Path(config), architecture)
    epoch, name = content.get("epoch"), content.get("name")
    views = {"field": Images(storage=PUBLISHED_STORAGE), "compound": Morgan(3, architecture.compound_inputs, True)}
    # The file does not name the objective and the settings of its training.
    described = describe(architecture, views, objective=None, fit=None) | {
        "source": "published",
        "file": path.name,
        "name": name if isinstance(name, str) else None,
        "split_hash": UNKNOWN_SPLIT,
        "seed": None,
        "epoch": epoch if isinstance(epoch, int) else None,
    }
    return Checkpoint(described, {k: t.float() if t.is_floating_point() else t for k, t in tensors.items()})


def _load(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise ValueError(
            f"{path} does not exist: give the path of a published checkpoint, or download one to this path"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if function := re.search(r"GLOBAL (\S+)", str(error)):
            raise ValueError(f"{path} is not read, since reading it would execute code ({function[1]})") from error
        raise ValueError(f"{path} is not a PyTorch checkpoint, or is damaged") from error
    except Exception as error:  # torch raises many types: RuntimeError, EOFError, KeyError, ...
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise ValueError(f"{path} is truncated or not a PyTorch checkpoint: {reason}") from error
    if not isinstance(content, Mapping) or not isinstance(content.get("state_dict"), Mapping):
        raise ValueError(f"{path} is not a published CLOOME checkpoint: it has no entry state_dict")
    return content


def _state_dict(content: Mapping[str, Any], path: Path) -> dict[str, torch.Tensor]:
    tensors = {str(name): tensor for name, tensor in content["state_dict"].items()}
    if all(name.startswith("module.") for name in tensors):  # of a training on several devices
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    if others := [name for name, tensor in tensors.items() if not isinstance(tensor, torch.Tensor)]:
        raise ValueError(
            f"{path} is not a published CLOOME checkpoint: in state_dict, {_first_names(others)} is not a tensor"
        )
    return tensors


def _architecture(tensors: Mapping[str, torch.Tensor], path: Path) -> Architecture:
    """Derive the architecture from the shapes of the tensors."""

    def size(name: str, dimensions: int) -> torch.Size:
        if name not in tensors:
            raise ValueError(f"{path} is not a published CLOOME checkpoint: the tensor {name} is missing")
        if tensors[name].ndim != dimensions or not tensors[name].numel():
            raise ValueError(
                f"{path} is not a published CLOOME checkpoint: {name} has the shape {tuple(tensors[name].shape)}"
            )
        return tensors[name].shape

    def count(prefix: str) -> int:
        """Number of different integers that follow the prefix."""
        matches = (re.match(re.escape(prefix) + r"\.(\d+)\.", name) for name in tensors)
        return len({match[1] for match in matches if match})

    width, channels = size("visual.conv1.weight", 4)[:2]
    for first in [f"visual.layer{stage}.0.conv1.weight" for stage in (1, 2, 3, 4)]:
        size(first, 4)
    blocks = (count("visual.layer1"), count("visual.layer2"), count("visual.layer3"), count("visual.layer4"))
    embedding_size = size("visual.fc.weight", 2)[0]
    hidden, bits = size("transformer.layers.0.0.weight", 2)
    size("transformer.layers.1.0.weight", 2)
    batch_norm = any(re.match(r"transformer\.layers\.\d+\.1\.", name) for name in tensors)
    return Architecture(
        field=ResNet(blocks, width),
        compound=MLP(count("transformer.layers") - 1, hidden, batch_norm),
        field_inputs=channels,
        compound_inputs=bits,
        embedding_size=embedding_size,
    )


def _compare(tensors: Mapping[str, torch.Tensor], architecture: Architecture, path: Path) -> None:
    """Raise ValueError if the tensors differ from those of the architecture in name or shape."""
    with torch.device("meta"):
        expected = PairModel(architecture).state_dict()
    wrong = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    problems = {
        "missing": [name for name in expected if name not in tensors],
        "unexpected": [name for name in tensors if name not in expected],
        "wrong shape": wrong,
    }
    if texts := [f"{problem}: {_first_names(names)}" for problem, names in problems.items() if names]:
        raise ValueError(f"{path} does not hold the tensors of a CLOOME model; {'; '.join(texts)}")


def _check_config(config: Path, architecture: Architecture) -> None:
    """Raise ValueError if the JSON file contradicts the sizes of the tensors."""
    try:
        settings = json.loads(config.read_text())
        if not isinstance(settings, dict):
            raise ValueError("not a JSON object")
    except (OSError, ValueError) as error:
        raise ValueError(f"{config} is not a readable model configuration: {error}") from error
    field, compound = architecture.field, architecture.compound
    assert isinstance(field, ResNet)
    assert isinstance(compound, MLP)
    sizes = {
        "embed_dim": architecture.embedding_size,
        "input_channels": architecture.field_inputs,
        "vision_layers": list(field.layers),
        "input_size": architecture.compound_inputs,
        "molecule_layers": compound.layers,
        "hidden_dim": compound.width,
    }
    for key, value in sizes.items():
        if key in settings and settings[key] != value:
            raise ValueError(f"{config} has {key}: {settings[key]}, but the tensors of the checkpoint have {value}")


def _first_names(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
