"""Checkpoints in the catalog."""

import pytest
import torch
from kedro.io import DatasetError

from cloome_kedro.datasets.checkpoint import CheckpointDataset, CheckpointsDataset, NamedCheckpoints
from cloome_kedro.learning.checkpoint import FORMAT, Checkpoint


def made(value=0.0, **config):
    return Checkpoint({"format": FORMAT, "split_hash": "0123", **config}, {"weight": torch.arange(3.0) + value})


def test_round_trip(tmp_path):
    dataset = CheckpointDataset(filepath=str(tmp_path / "seed_0" / "checkpoint"))
    assert not dataset.exists()
    dataset.save(made())
    assert dataset.exists()
    loaded = dataset.load()
    assert loaded.config["split_hash"] == "0123"
    assert torch.equal(loaded.tensors["weight"], torch.arange(3.0))
    assert {path.name for path in (tmp_path / "seed_0" / "checkpoint").iterdir()} == {
        "config.json",
        "model.safetensors",
    }


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ({}, {}, True),
        ({"source": "published"}, {}, True),
        ({"source": "published"}, {"source": "published"}, True),
        ({}, {"source": "published"}, False),
    ],
)
def test_a_published_model_never_replaces_a_trained_one(tmp_path, old, new, allowed):
    dataset = CheckpointDataset(filepath=str(tmp_path / "checkpoint"))
    dataset.save(made(**old))
    if allowed:
        dataset.save(made(1, **new))
    else:
        with pytest.raises(DatasetError, match=r"holds a checkpoint that was trained here, .* variant=published"):
            dataset.save(made(1, **new))
    assert dataset.load().tensors["weight"][0] == allowed


def test_several_are_kept_by_their_keys_and_replaced_together(tmp_path):
    dataset = CheckpointsDataset(filepath=str(tmp_path / "checkpoints"))
    assert not dataset.exists()
    dataset.save({"top1": made(1), "probing_auc": made(2)})
    assert dataset.exists()
    assert {name: float(one.tensors["weight"][0]) for name, one in dataset.load().items()} == {
        "probing_auc": 2,
        "top1": 1,
    }
    dataset.save({"top5": made(3)})
    assert list(dataset.load()) == ["top5"]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_a_failed_save_keeps_all_old_ones(tmp_path):
    dataset = CheckpointsDataset(filepath=str(tmp_path / "checkpoints"))
    dataset.save({"top1": made(1)})
    with pytest.raises(DatasetError):
        dataset.save({"top1": made(2), "top5": "no checkpoint"})
    assert dataset.load()["top1"].tensors["weight"][0] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_named_checkpoints_that_are_not_there_are_left_out(tmp_path, monkeypatch, caplog):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "config.json").write_text("{}")
    monkeypatch.setattr("cloome_kedro.learning.checkpoint.load", lambda folder: folder.name)
    dataset = NamedCheckpoints(filepath=str(tmp_path), checkpoints={"A": "there", "B": "elsewhere"})
    assert dataset.load() == {"A": "there"}
    assert "B is left out: there is no checkpoint" in caplog.text
    with pytest.raises(DatasetError, match="read only"):
        dataset.save({})
