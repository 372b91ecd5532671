"""The bilinear baseline: classical features x of a field against a fingerprint z by the score x^T W z.

Sanchez-Fernandez et al. 2023, supplementary table 6, with 1,081 CellProfiler features and 8,192 bits.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest

import torch
import torch.nn.functional as F
from torch import nn

from cloome_kedro.learning.checkpoint import FORMAT, Checkpoint
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.model import ContrastiveModel


class BilinearModel(ContrastiveModel):
    """A matrix W between features and bits.

    A field's embedding is its features x, a structure's W z, and the inverse temperature is 1, so that dot products of
    embeddings are the scores; rows are not normalised. W starts at zero: every structure then has the same score and
    every batch the loss of chance, ln N. The contrastive losses are convex in W, so there is no symmetry to break.

    Parameters
    ----------
    features, bits : int
        W is (features, bits).
    """

    def __init__(self, features: int, bits: int):
        super().__init__()
        self.embedding_size = features
        self.weight = nn.Parameter(torch.zeros(features, bits))
        self.register_buffer("logit_inv_tau", torch.zeros(()))

    def encode_images(self, images: torch.Tensor) -> torch.Tensor:
        """Standardised features (N, features), as they are; float32 (float64 stays)."""
        return images.to(torch.promote_types(images.dtype, torch.float32))

    def encode_structures(self, fingerprints: torch.Tensor) -> torch.Tensor:
        """Fingerprints (N, bits) of 0 and 1 as floats -> W z, (N, features); float32 (float64 stays)."""
        z = F.linear(fingerprints, self.weight)
        return z.to(torch.promote_types(z.dtype, torch.float32))


@dataclass(frozen=True)
class Standardise:
    """From features as the table has them to the model's: (x - mean) / std, in training and evaluation alike.

    Attributes
    ----------
    mean, std : tuple of float
        One a feature.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, profiles: torch.Tensor) -> "Standardise":
        """Statistics of profiles (fields, features); a feature that does not vary gets the deviation 1."""
        std, mean = torch.std_mean(profiles.double(), dim=0, correction=0)
        return cls(tuple(mean.tolist()), tuple(torch.where(std > 0, std, 1.0).tolist()))

    def __call__(self, profiles: torch.Tensor) -> torch.Tensor:
        """(N, features) -> float32 (N, features)."""
        mean, std = (torch.tensor(values, device=profiles.device) for values in (self.mean, self.std))
        return (profiles.float() - mean) / std

    def augment(self, profiles: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
        """The same: profiles are not augmented."""
        return self(profiles)


def describe_bilinear(columns: Sequence[str], bits: int, fit: FitConfig, preprocess: Standardise) -> dict:
    """The part of a checkpoint's config that `build_bilinear` and `standardise_of` read, and the fit; JSON values."""
    described = {
        "format": FORMAT,
        "architecture": {"name": "bilinear", "features": list(columns), "bits": bits},
        "preprocess": asdict(preprocess),
        "fit": asdict(fit),
    }
    return json.loads(json.dumps(described))


def build_bilinear(checkpoint: Checkpoint) -> BilinearModel:
    """The checkpoint's model, in evaluation mode on the CPU; ValueError where it is not bilinear or does not fit W."""
    architecture = checkpoint.config["architecture"]
    if architecture.get("name") != "bilinear":
        raise ValueError("the checkpoint is not of a bilinear model: run the pipeline bilinear")
    with torch.device("meta"):
        model = BilinearModel(len(architecture["features"]), architecture["bits"])
    try:
        model.load_state_dict(checkpoint.tensors, assign=True)
    except RuntimeError as error:
        raise ValueError(f"the checkpoint's tensors do not fit the architecture in its config: {error}") from error
    return model.requires_grad_(False).eval()


def standardise_of(checkpoint: Checkpoint, columns: Sequence[str]) -> Standardise:
    """The way from profiles of these columns to the checkpoint's input.

    Raises
    ------
    ValueError
        Naming the first columns that differ, where the model was trained on others or in another order.
    """
    trained_on = checkpoint.config["architecture"]["features"]
    if list(columns) != trained_on:
        pairs = zip_longest(columns, trained_on, fillvalue="no column")
        found, expected = next((found, expected) for found, expected in pairs if found != expected)
        raise ValueError(
            "field_profiles have other columns than the bilinear model was trained on, the first difference is "
            f"{found} instead of {expected}: run the pipeline bilinear again"
        )
    settings = checkpoint.config["preprocess"]
    return Standardise(tuple(settings["mean"]), tuple(settings["std"]))
