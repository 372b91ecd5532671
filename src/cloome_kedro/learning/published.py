"""Published CLOOME checkpoints: PyTorch files ``{"epoch", "name", "state_dict", ...}`` -> our checkpoints.

Tensors are loaded with ``weights_only=True``, so a file cannot execute code. All sizes are read off the tensors, whose
names and shapes are then compared with those of the model that they describe.
"""

import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cloome_kedro.learning.checkpoint import Checkpoint, describe
from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.preprocess import PUBLISHED_STATISTICS, Preprocess

#: what published training did before the encoder: outliers a field and channel, then x 256
PUBLISHED_INTENSITY = {"outlier_percent": 0.0028, "scale": 256, "scope": "field", "crop": None, "size": None}
PUBLISHED_CHANNELS = ["Mito", "ER", "RNA", "AGP", "DNA"]
#: stands for the hash of the folds that a published model was trained on
UNKNOWN_SPLIT = "unknown"


def read_published(path: Path | str, config: Path | str | None = None) -> Checkpoint:
    """Read a published file.

    Parameters
    ----------
    path
        The ``.pt`` file. Names of tensors may have the prefix ``module.``; its encoders may have any size.
    config
        The JSON file of its model's settings (``embed_dim``, ``input_size``, ...). Sizes are read off the tensors
        anyway; they are then compared with it. ``vision_width``, which the published code ignores, is not.

    Returns
    -------
    Checkpoint
        With the published normalisation (statistics as mean and as standard deviation) of the whole field, published
        intensities and fingerprints (radius 3, chirality), ``source: published`` and ``split_hash: unknown``.

    Raises
    ------
    ValueError
        If there is no such file, it is truncated, would execute code, is no such checkpoint, lacks tensors or has
        others, or disagrees with ``config``.
    """
    path = Path(path)
    content = _load(path)
    tensors = _state_dict(content, path)
    image_encoder, structure_encoder, bits, embedding_size = _sizes(tensors, path)
    _compare(tensors, image_encoder, structure_encoder, bits, embedding_size, path)
    if config is not None:
        _check_config(Path(config), image_encoder, structure_encoder, bits, embedding_size)
    epoch, name = content.get("epoch"), content.get("name")
    preprocess = Preprocess(mean=PUBLISHED_STATISTICS, std=PUBLISHED_STATISTICS)
    described = describe(
        image_encoder, structure_encoder, bits, FitConfig(embedding_size=embedding_size), preprocess
    ) | {
        "fit": None,  # the file does not say
        "source": "published",
        "file": path.name,
        "name": name if isinstance(name, str) else None,
        "fingerprints": {"radius": 3, "bits": bits, "chirality": True},
        "channels": PUBLISHED_CHANNELS,
        "intensity": PUBLISHED_INTENSITY,
        "split_hash": UNKNOWN_SPLIT,
        "seed": None,
        "epoch": epoch if isinstance(epoch, int) else None,
    }
    return Checkpoint(described, {k: t.float() if t.is_floating_point() else t for k, t in tensors.items()})


def _load(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise ValueError(f"{path} does not exist: download a published checkpoint there, or name its place")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise ValueError(f"{path} would execute code to be read ({found[1]}), so it is not read") from error
        raise ValueError(f"{path} is no PyTorch checkpoint, or is damaged") from error
    except Exception as error:  # torch has many: RuntimeError, EOFError, KeyError, ...
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        raise ValueError(f"{path} is truncated or no PyTorch checkpoint: {reason}") from error
    if not isinstance(content, Mapping) or not isinstance(content.get("state_dict"), Mapping):
        raise ValueError(f"{path} is no published CLOOME checkpoint: it has no entry state_dict")
    return content


def _state_dict(content: Mapping[str, Any], path: Path) -> dict[str, torch.Tensor]:
    tensors = {str(name): tensor for name, tensor in content["state_dict"].items()}
    if all(name.startswith("module.") for name in tensors):  # trained on several devices
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    if others := [name for name, tensor in tensors.items() if not isinstance(tensor, torch.Tensor)]:
        raise ValueError(f"{path} is no published CLOOME checkpoint: in state_dict, {_some(others)} is no tensor")
    return tensors


def _sizes(tensors, path: Path) -> tuple[ImageEncoderConfig, StructureEncoderConfig, int, int]:
    def size(name: str, dimensions: int) -> torch.Size:
        if name not in tensors:
            raise ValueError(f"{path} is no published CLOOME checkpoint: the tensor {name} is missing")
        if tensors[name].ndim != dimensions or not tensors[name].numel():
            raise ValueError(f"{path} is no published CLOOME checkpoint: {name} is {tuple(tensors[name].shape)}")
        return tensors[name].shape

    def count(prefix: str) -> int:
        """Distinct numbers that follow the prefix."""
        return len({found[1] for name in tensors if (found := re.match(re.escape(prefix) + r"\.(\d+)\.", name))})

    width, channels = size("visual.conv1.weight", 4)[:2]
    for first in [f"visual.layer{stage}.0.conv1.weight" for stage in (1, 2, 3, 4)]:
        size(first, 4)
    blocks = (count("visual.layer1"), count("visual.layer2"), count("visual.layer3"), count("visual.layer4"))
    embedding_size = size("visual.fc.weight", 2)[0]
    hidden, bits = size("transformer.layers.0.0.weight", 2)
    size("transformer.layers.1.0.weight", 2)
    batch_norm = any(re.match(r"transformer\.layers\.\d+\.1\.", name) for name in tensors)
    return (
        ImageEncoderConfig(layers=blocks, width=width, channels=channels),
        StructureEncoderConfig(count("transformer.layers") - 1, hidden, batch_norm),
        bits,
        embedding_size,
    )


def _compare(tensors, image_encoder, structure_encoder, bits: int, embedding_size: int, path: Path) -> None:
    with torch.device("meta"):
        expected = PairModel(image_encoder, structure_encoder, bits, embedding_size).state_dict()
    wrong = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    problems = {
        "missing": [name for name in expected if name not in tensors],
        "not of the model": [name for name in tensors if name not in expected],
        "of another shape": wrong,
    }
    if found := [f"{what}: {_some(names)}" for what, names in problems.items() if names]:
        raise ValueError(f"{path} does not hold the tensors of a CLOOME model; {'; '.join(found)}")


def _check_config(config: Path, image_encoder, structure_encoder, bits: int, embedding_size: int) -> None:
    try:
        settings = json.loads(config.read_text())
        if not isinstance(settings, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError) as error:
        raise ValueError(f"{config} is no readable model configuration: {error}") from error
    found = {
        "embed_dim": embedding_size,
        "input_channels": image_encoder.channels,
        "vision_layers": list(image_encoder.layers),
        "input_size": bits,
        "molecule_layers": structure_encoder.layers,
        "hidden_dim": structure_encoder.width,
    }
    for key, value in found.items():
        if key in settings and settings[key] != value:
            raise ValueError(f"{config} says {key}: {settings[key]}, the checkpoint's tensors say {value}")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
