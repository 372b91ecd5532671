import json
import os

import pytest
import torch

from cloome_kedro.learning.checkpoint import Checkpoint, build, describe, load, preprocess_of, save, weights_hash
from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.model import PairModel, seeded
from cloome_kedro.learning.preprocess import Preprocess

IMAGE, STRUCTURE = ImageEncoderConfig(layers=(1, 1, 1, 1), width=4), StructureEncoderConfig(layers=1, width=8)
PREPROCESS = Preprocess(32, (0.9, 1.0), mean=(1.0, 2.0, 3.0, 4.0, 5.0), std=(2.0,) * 5)


@pytest.fixture
def model():
    with seeded(0):
        return PairModel(IMAGE, STRUCTURE, 16, 6).to(memory_format=torch.channels_last).eval()


@pytest.fixture
def checkpoint(model):
    return Checkpoint(describe(IMAGE, STRUCTURE, 16, FitConfig(embedding_size=6), PREPROCESS), model.state_dict())


def test_round_trip(model, checkpoint, tmp_path):
    save(checkpoint, tmp_path / "a" / "checkpoint")
    loaded = load(tmp_path / "a" / "checkpoint")
    assert loaded.config == checkpoint.config
    assert preprocess_of(loaded) == PREPROCESS
    restored = build(loaded)
    assert not restored.training
    x, f = torch.rand(2, 5, 32, 32), torch.rand(2, 16)
    with torch.inference_mode():
        for found, expected in zip(restored(x, f), model(x, f), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    assert os.listdir(tmp_path / "a") == ["checkpoint"]


def test_weights_hash_tells_models_apart(checkpoint, tmp_path):
    save(checkpoint, tmp_path / "c")
    assert weights_hash(load(tmp_path / "c")) == weights_hash(checkpoint)  # whatever the memory format
    name = "visual.layer1.0.conv2.weight"
    changed = checkpoint.tensors[name].clone()
    changed[0, 0, 0, 0] += 1e-3
    assert weights_hash(Checkpoint(checkpoint.config, {**checkpoint.tensors, name: changed})) != weights_hash(
        checkpoint
    )


def test_saving_replaces(checkpoint, tmp_path):
    save(checkpoint, tmp_path / "c")
    save(Checkpoint({**checkpoint.config, "epoch": 7}, checkpoint.tensors), tmp_path / "c")
    assert load(tmp_path / "c").config["epoch"] == 7
    assert os.listdir(tmp_path) == ["c"]


def test_a_failed_save_leaves_what_was_there(checkpoint, tmp_path):
    save(checkpoint, tmp_path / "c")
    with pytest.raises(ValueError, match="JSON compliant"):
        save(Checkpoint({**checkpoint.config, "epoch": float("nan")}, checkpoint.tensors), tmp_path / "c")
    assert load(tmp_path / "c").config == checkpoint.config


def test_what_is_no_checkpoint_is_named(checkpoint, tmp_path):
    with pytest.raises(ValueError, match="nothing is not a readable checkpoint"):
        load(tmp_path / "nothing")
    save(checkpoint, tmp_path / "c")
    weights = tmp_path / "c" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        load(tmp_path / "c")
    save(checkpoint, tmp_path / "c")
    (tmp_path / "c" / "config.json").write_text(json.dumps({**checkpoint.config, "format": 99}))
    with pytest.raises(ValueError, match="format 1"):
        load(tmp_path / "c")


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_tensors_that_do_not_fit_are_refused(checkpoint, change):
    tensors = dict(checkpoint.tensors)
    if change == "missing":
        del tensors["visual.fc.bias"]
    elif change == "extra":
        tensors["visual.fc2.bias"] = tensors["visual.fc.bias"]
    else:
        tensors["visual.fc.bias"] = torch.zeros(7)
    with pytest.raises(ValueError, match=r"visual\.fc"):
        build(Checkpoint(checkpoint.config, tensors))
