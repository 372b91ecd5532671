"""Initial weights of a model from a file: which tensors are taken, what is counted, what is refused."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from cloome_kedro.learning.checkpoint import Checkpoint, describe, save
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.start import read_tensors, start_from
from planted import ARCHITECTURE, IMAGES, fresh


def test_tensors_of_equal_name_and_shape_are_taken_and_the_rest_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    with seeded(1):
        other = PairModel(replace(ARCHITECTURE, compound=replace(ARCHITECTURE.compound, width=16)))
    path = tmp_path / "weights.safetensors"
    save_file({**other.state_dict(), "foreign.weight": torch.ones(2)}, path)
    model, before = fresh(), fresh().state_dict()
    names = start_from(model, read_tensors(path), str(path))
    after, given = model.state_dict(), other.state_dict()
    expected = {name for name, tensor in given.items() if tensor.shape == before[name].shape}
    assert set(names) == expected
    assert {"visual.conv1.weight", "logit_inv_tau", "transformer.layers.1.0.bias"} <= expected
    assert all(torch.equal(after[name], given[name] if name in expected else before[name]) for name in after)
    kept = len(before) - len(expected)
    assert (
        f"{len(expected)} of {len(before)} tensors of the model start from {path}; {kept} start at random"
        in caplog.text
    )
    assert f"{kept} have another shape (transformer.layers.0.0.bias, " in caplog.text
    assert "1 are not in the model (foreign.weight)" in caplog.text


def test_a_folder_of_a_checkpoint_is_read(tmp_path):
    config = describe(ARCHITECTURE, {"field": IMAGES}, None, None)
    save(Checkpoint(config, fresh(1).state_dict()), tmp_path / "checkpoint")
    model = fresh()
    start_from(model, read_tensors(tmp_path / "checkpoint"), "the checkpoint")
    assert all(torch.equal(tensor, fresh(1).state_dict()[name]) for name, tensor in model.state_dict().items())


def test_what_does_not_fit_is_refused(tmp_path):
    other = {"visual.conv1.weight": torch.ones(3), "logit_inv_tau": torch.tensor(0.0), "x": torch.ones(1)}
    with pytest.raises(ValueError, match=r"no tensor of a\.bin fits the model: 1 have another shape .*; 1 are not in"):
        start_from(fresh(), other, "a.bin")
    with pytest.raises(ValueError, match="no tensor of nothing fits the model: it has none"):
        start_from(fresh(), {}, "nothing")
    with pytest.raises(ValueError, match="does not exist: give a safetensors file or the folder of a checkpoint"):
        read_tensors(tmp_path / "missing")
    (tmp_path / "text").write_text("no tensors")
    with pytest.raises(ValueError, match="is not a readable safetensors file"):
        read_tensors(tmp_path / "text")
