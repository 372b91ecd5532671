"""Checkpoints: a folder with ``model.safetensors`` and ``config.json``, which hold everything that inference needs."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cloome_kedro.atomic import replace_folder
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.features import FeatureArchitecture
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.objectives import OBJECTIVES
from cloome_kedro.learning.objectives.base import Objective
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.views import VIEWS
from cloome_kedro.learning.views.base import View

FORMAT = 2
_CONFIG = "config"  # metadata of the tensors: digest of their config


@dataclass(frozen=True)
class Checkpoint:
    """A trained model.

    Attributes
    ----------
    config : dict
        ``format``, ``architecture``, ``views``, ``objective`` and ``fit`` (see :func:`describe`), and facts about the
        training: split hash, seed, epoch, validation metrics and version.
    tensors : dict of str to torch.Tensor
        State dict of :class:`cloome_kedro.learning.model.PairModel`, on the CPU.
    """

    config: dict[str, Any]
    tensors: dict[str, torch.Tensor]

    @property
    def architecture(self) -> Architecture:
        """Architecture of the model; ValueError if the checkpoint is not of a whole model."""
        if "compound" not in self.config["architecture"]:
            raise ValueError(
                "this checkpoint holds a pre-trained encoder of fields, which is no model by itself: give it to a "
                "training as `start`, or choose the checkpoint of a model"
            )
        return Architecture.of(self.config["architecture"])

    def view(self, side: str) -> View:
        """View of the side ``field`` or ``compound``, or ``target`` of a pre-training."""
        if side not in self.config["views"]:
            raise ValueError(f"the checkpoint has no view {side}, only {', '.join(self.config['views'])}")
        return VIEWS.make(self.config["views"][side])

    def build(self) -> PairModel:
        """Build the model, in evaluation mode on the CPU; ValueError if the tensors do not fit the architecture."""
        with torch.device("meta"):
            model = PairModel(self.architecture)
        try:
            model.load_state_dict(self.tensors, assign=True)
        except RuntimeError as error:
            raise ValueError(
                f"the tensors of the checkpoint do not fit the architecture in its config: {error}"
            ) from error
        return model.requires_grad_(False).eval()

    def build_untrained(self, seed: int) -> PairModel:
        """Build a model of this architecture with the initial weights of a training with this seed."""
        with seeded(seed):
            model = PairModel(self.architecture)
        return model.requires_grad_(False).eval()

    @property
    def weights(self) -> str:
        """Hash of all tensors and their names, to tell models apart: the first 16 hex digits of a SHA-256."""
        digest = hashlib.sha256()
        for name in sorted(self.tensors):
            tensor = self.tensors[name].contiguous()
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()[:16]


def describe(
    architecture: Architecture | FeatureArchitecture,
    views: dict[str, View],
    objective: Objective | None,
    fit: FitConfig | None,
) -> dict[str, Any]:
    """Describe the model and its training in JSON values: a part of the config of a checkpoint."""
    described = {
        "format": FORMAT,
        "architecture": architecture.describe(),
        "views": {side: VIEWS.describe(view) for side, view in views.items()},
        "objective": None if objective is None else OBJECTIVES.describe(objective),
        "fit": None if fit is None else asdict(fit),
    }
    return json.loads(json.dumps(described))


def save(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the checkpoint to a temporary folder beside ``folder``, then replace ``folder`` by it."""
    with replace_folder(folder) as part:
        tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
        config = json.dumps(checkpoint.config, indent=2, allow_nan=False) + "\n"
        save_file(tensors, part / "model.safetensors", {_CONFIG: _digest(json.loads(config))})
        (part / "config.json").write_text(config)


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    ValueError
        If the folder is not a checkpoint or is damaged, if ``config.json`` was edited, or if it and
        ``model.safetensors`` come from different checkpoints. The message names the folder.
    """
    try:
        config = json.loads((folder / "config.json").read_text())
        with safe_open(folder / "model.safetensors", "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except Exception as error:
        raise ValueError(f"{folder} is not a readable checkpoint ({error}): train the model again") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise ValueError(
            f"{folder}/config.json does not have checkpoint format {FORMAT}: train the model again with this version"
        )
    if metadata.get(_CONFIG, digest := _digest(config)) != digest:
        raise ValueError(
            f"{folder}/config.json was changed after it was written with model.safetensors, so the model would get "
            "other inputs than in training: restore the file, or train the model again"
        )
    return Checkpoint(config, tensors)


def _digest(config: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
