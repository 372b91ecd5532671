"""Checkpoints: a folder with ``model.safetensors`` and ``config.json``, which hold everything that inference needs."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
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
from cloome_kedro.words import CONTRASTIVE

FORMAT = 2
_CONFIG = "config"  # metadata of the tensors: digest of their config
_PARTS = "parts"  # folder with the checkpoints of the parts of a fusion, and the entry of the config that names them


@dataclass(frozen=True)
class Checkpoint:
    """A trained model.

    Attributes
    ----------
    config : dict
        ``format``, ``architecture``, ``views``, ``objective`` and ``fit`` (see :func:`describe`), and facts about the
        training: split hash, seed, epoch, validation metrics and version. Models that are not trained by contrastive
        learning have ``kind`` in place of ``architecture``, ``objective`` and ``fit``. A fusion has no views.
    tensors : dict of str to torch.Tensor
        State dict of :class:`cloome_kedro.learning.model.PairModel`, on the CPU. Of a ridge: ``landmarks`` (m, d),
        ``coefficients`` (m, t) and ``scale``. Of a fusion: ``field`` and ``compound``, the factor of each part.
    parts : dict of str to Checkpoint
        Checkpoints of the parts of a fusion, in the order of their columns. Other models have no parts.
    """

    config: dict[str, Any]
    tensors: dict[str, torch.Tensor]
    parts: dict[str, "Checkpoint"] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``contrastive``, unless the config names another kind: ``ridge`` or ``fusion``."""
        return self.config.get("kind", CONTRASTIVE)

    @property
    def architecture(self) -> Architecture:
        """Architecture of the model; ValueError if the checkpoint is not of a whole contrastive model."""
        if self.kind != CONTRASTIVE:
            raise ValueError(f"this checkpoint holds a {self.kind}, which has no encoders: choose a contrastive model")
        if "compound" not in self.config["architecture"]:
            raise ValueError(
                "this checkpoint holds a pre-trained encoder of fields, which is no model by itself: give it to a "
                "training as `start`, or choose the checkpoint of a model"
            )
        return Architecture.of(self.config["architecture"])

    def view(self, side: str) -> View:
        """View of the side ``field`` or ``compound``, or ``target`` of a pre-training."""
        views = self.config.get("views", {})
        if side not in views:
            raise ValueError(f"the checkpoint has no view {side}, only {', '.join(views) or 'parts'}")
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
        """Hash of the tensors and of the parts, to tell models apart: see :func:`weights_of`."""
        return weights_of(self.tensors, {name: part.weights for name, part in self.parts.items()})


def weights_of(tensors: Mapping[str, torch.Tensor], parts: Mapping[str, str] | None = None) -> str:
    """Hash of all tensors and their names, and of the parts: the first 16 hex digits of a SHA-256.

    Parameters
    ----------
    tensors
        Tensors by name.
    parts
        Hash of each part of a fusion, by name and in their order.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    for name, weights in (parts or {}).items():
        digest.update(f"{name} {weights}\n".encode())
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
    """Write the checkpoint to a temporary folder beside ``folder``, then replace ``folder`` by it.

    The parts of a fusion are checkpoints in its folder ``parts``.
    """
    with replace_folder(folder) as temporary:
        tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
        parts = {_PARTS: {name: part.weights for name, part in checkpoint.parts.items()}} if checkpoint.parts else {}
        config = json.dumps(checkpoint.config | parts, indent=2, allow_nan=False) + "\n"
        save_file(tensors, temporary / "model.safetensors", {_CONFIG: _digest(json.loads(config))})
        (temporary / "config.json").write_text(config)
        for name, part in checkpoint.parts.items():
            save(part, temporary / _PARTS / name)


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    ValueError
        If the folder is not a checkpoint or is damaged, if ``config.json`` was edited, or if it,
        ``model.safetensors`` and the folders of parts come from different checkpoints. The message names the folder.
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
    return Checkpoint(config, tensors, _load_parts(folder, config.pop(_PARTS, {})))


def _load_parts(folder: Path, expected: dict[str, str]) -> dict[str, Checkpoint]:
    """Read the parts of a fusion, whose hashes of weights are given by name."""
    parts = {}
    for name, weights in expected.items():
        if name in ("", "..") or Path(name).name != name:
            raise ValueError(f"{folder}/config.json names the part {name!r}, which is no name of a folder")
        parts[name] = load(folder / _PARTS / name)
        if parts[name].weights != weights:
            raise ValueError(
                f"{folder / _PARTS / name} is not the model {weights} of which the fusion was made: restore the "
                "folder, or make the fusion again"
            )
    return parts


def _digest(config: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
