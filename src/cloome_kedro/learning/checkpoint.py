"""Checkpoints: a folder with ``model.safetensors`` and ``config.json``, which hold all that inference needs."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file, save_file

from cloome_kedro.atomic import replace_folder
from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.model import PairModel, seeded
from cloome_kedro.learning.preprocess import Preprocess

FORMAT = 1
T = TypeVar("T")


@dataclass(frozen=True)
class Checkpoint:
    """A trained model.

    Attributes
    ----------
    config : dict
        ``format``, ``architecture``, ``preprocess`` and ``fit`` (see :func:`describe`), and what the training says of
        itself (fingerprint settings, channel order, intensity scaling, split hash, seed, epoch, validation metrics,
        version).
    tensors : dict of str to torch.Tensor
        The state dict of :class:`cloome_kedro.learning.model.PairModel`, on the CPU.
    """

    config: dict[str, Any]
    tensors: dict[str, torch.Tensor]


def describe(
    image_encoder: ImageEncoderConfig,
    structure_encoder: StructureEncoderConfig,
    bits: int,
    fit: FitConfig,
    preprocess: Preprocess,
) -> dict[str, Any]:
    """The part of a checkpoint's config that `build` and `preprocess_of` read, and the fit; plain JSON values."""
    described = {
        "format": FORMAT,
        "architecture": {
            "image_encoder": asdict(image_encoder),
            "structure_encoder": asdict(structure_encoder),
            "bits": bits,
            "embedding_size": fit.embedding_size,
        },
        "preprocess": asdict(preprocess),
        "fit": asdict(fit),
    }
    return json.loads(json.dumps(described))


def build(checkpoint: Checkpoint) -> PairModel:
    """The checkpoint's model, in evaluation mode on the CPU; ValueError where tensors and architecture disagree."""
    with torch.device("meta"):
        model = _fresh(checkpoint)
    try:
        model.load_state_dict(checkpoint.tensors, assign=True)
    except RuntimeError as error:
        raise ValueError(f"the checkpoint's tensors do not fit the architecture in its config: {error}") from error
    return model.requires_grad_(False).eval()


def build_untrained(checkpoint: Checkpoint, seed: int) -> PairModel:
    """A model of the checkpoint's architecture with fresh weights: those that a training with this seed begins with."""
    with seeded(seed):
        model = _fresh(checkpoint)
    return model.requires_grad_(False).eval()


def _fresh(checkpoint: Checkpoint) -> PairModel:
    architecture = checkpoint.config["architecture"]
    if "image_encoder" not in architecture:
        raise ValueError(f"the checkpoint is of a {architecture.get('name', 'nameless')} model, which has no encoders")
    return PairModel(
        _settings(ImageEncoderConfig, architecture["image_encoder"]),
        _settings(StructureEncoderConfig, architecture["structure_encoder"]),
        architecture["bits"],
        architecture["embedding_size"],
    )


def preprocess_of(checkpoint: Checkpoint) -> Preprocess:
    """The way from stored fields to the checkpoint's input."""
    return _settings(Preprocess, checkpoint.config["preprocess"])


def weights_hash(checkpoint: Checkpoint) -> str:
    """SHA-256 of all tensors with their names, the first 16 hex digits: tells models apart."""
    digest = hashlib.sha256()
    for name in sorted(checkpoint.tensors):
        tensor = checkpoint.tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def _settings(kind: type[T], settings: dict[str, Any]) -> T:
    """A dataclass from its JSON, where tuples have become lists."""
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()})


def save(checkpoint: Checkpoint, folder: Path) -> None:
    """Write to a temporary folder beside ``folder``, then put it in place of what is there."""
    with replace_folder(folder) as part:
        tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
        save_file(tensors, part / "model.safetensors")
        (part / "config.json").write_text(json.dumps(checkpoint.config, indent=2, allow_nan=False) + "\n")


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint; ValueError names the folder where it is none or is damaged."""
    try:
        config = json.loads((folder / "config.json").read_text())
        tensors = load_file(folder / "model.safetensors")
    except Exception as error:
        raise ValueError(f"{folder} is not a readable checkpoint ({error}): train again") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise ValueError(f"{folder}/config.json is not of checkpoint format {FORMAT}: train again with this version")
    return Checkpoint(config, tensors)
