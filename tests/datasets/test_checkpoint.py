"""Checkpoints in the catalog."""

import torch

from cloome_kedro.datasets.checkpoint import CheckpointDataset
from cloome_kedro.learning.checkpoint import FORMAT, Checkpoint


def test_round_trip(tmp_path):
    dataset = CheckpointDataset(filepath=str(tmp_path / "seed_0" / "checkpoint"))
    assert not dataset.exists()
    dataset.save(Checkpoint({"format": FORMAT, "split_hash": "0123"}, {"weight": torch.arange(3.0)}))
    assert dataset.exists()
    loaded = dataset.load()
    assert loaded.config["split_hash"] == "0123"
    assert torch.equal(loaded.tensors["weight"], torch.arange(3.0))
    assert {path.name for path in (tmp_path / "seed_0" / "checkpoint").iterdir()} == {
        "config.json",
        "model.safetensors",
    }
