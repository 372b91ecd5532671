"""Embeddings of many fields or structures by a trained model."""

from collections.abc import Callable

import numpy as np
import torch
from lightning_fabric import Fabric
from tqdm import tqdm

from cloome_kedro.learning.batches import ReadFields, as_tensor, prefetch, unpack
from cloome_kedro.learning.model import ContrastiveModel


def find_device(accelerator: str = "auto") -> torch.device:
    """The device that lightning-fabric picks for an accelerator's name (auto, cpu, cuda, mps)."""
    return Fabric(accelerator=accelerator, devices=1).device


def embed_images(
    model: ContrastiveModel,
    read: ReadFields,
    fields: int | np.ndarray,
    preprocess: Callable[[torch.Tensor], torch.Tensor],
    batch_size: int = 512,
    device: torch.device | str = "cpu",
    progress: bool = True,
    change: Callable[[torch.Tensor, np.ndarray], torch.Tensor] | None = None,
) -> np.ndarray:
    """Embed as many fields from the first on, or those at these positions: (fields, d) float32, rows L2-normalised.

    The model is taken to the device and to evaluation mode and stays so. ``change(images, positions)``, uint8 to uint8
    on the device, is what happens to the fields at these positions before ``preprocess``.
    """
    positions = np.arange(fields) if isinstance(fields, int | np.integer) else fields

    def encode(images: torch.Tensor, batch: np.ndarray) -> torch.Tensor:
        images = images.to(device)
        return model.encode_images(preprocess(images if change is None else change(images, batch)))

    load = lambda batch: as_tensor(read(batch))  # noqa: E731
    return _embed(model, load, encode, positions, batch_size, device, "fields", progress)


def embed_structures(
    model: ContrastiveModel,
    fingerprints: np.ndarray,
    batch_size: int = 4096,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> np.ndarray:
    """Embed packed fingerprints (N, bits / 8): (N, d) float32, rows L2-normalised (model: as in ``embed_images``)."""

    def encode(bits: torch.Tensor, _: np.ndarray) -> torch.Tensor:
        return model.encode_structures(bits.to(device).float())

    rows = np.arange(len(fingerprints))
    load = lambda batch: unpack(fingerprints[batch])  # noqa: E731
    return _embed(model, load, encode, rows, batch_size, device, "structures", progress)


def _embed(model, load, encode, rows, batch_size, device, unit, progress) -> np.ndarray:
    model.to(device, memory_format=torch.channels_last).eval()
    vectors = np.empty((len(rows), model.embedding_size), np.float32)
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    done = 0
    with torch.inference_mode(), tqdm(total=len(rows), desc="embedding", unit=f" {unit}", disable=not progress) as bar:
        for batch, loaded in zip(batches, prefetch(load, batches), strict=True):
            found = encode(loaded, batch).cpu().numpy()
            vectors[done : done + len(found)] = found
            done += len(found)
            bar.update(len(found))
    return vectors
