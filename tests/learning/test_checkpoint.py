import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cloome_kedro.learning.checkpoint import FORMAT, Checkpoint, describe, load, save
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.encoders.identity import Identity
from cloome_kedro.learning.encoders.linear import Linear
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.objectives import OBJECTIVES
from cloome_kedro.learning.objectives.info_loob import InfoLOOB
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Morgan
from cloome_kedro.learning.views.profiles import Profiles
from stored_plates import STORAGE

IMAGES = Images(32, (0.9, 1.0), mean=(1.0, 2.0, 3.0, 4.0, 5.0), std=(2.0,) * 5, storage=STORAGE)
PROFILES = Profiles(("area", "intensity", "texture"), (1.0, 2.0, 3.0), (1.0, 0.5, 4.0))
MORGAN = Morgan(2, 16, False)

ON_IMAGES = Architecture(ResNet(layers=(1, 1, 1, 1), width=4), MLP(layers=1, width=8), 5, 16, embedding_size=6)
ON_PROFILES = Architecture(MLP(2, 8, batch_norm=False), Linear(bias=True), 3, 16, 6, scalars={"bias": -10.0})
BILINEAR = Architecture(
    Identity(), Linear(start="zeros"), 3, 16, normalise=False, inverse_temperature=1, learnable_temperature=False
)
#: architecture, view of fields and a batch of their input
MODELS = {
    "images": (ON_IMAGES, IMAGES, (2, 5, 32, 32)),
    "profiles": (ON_PROFILES, PROFILES, (2, 3)),
    "bilinear": (BILINEAR, PROFILES, (2, 3)),
}


def make(name, **changes):
    """A model with weights of its own, and its checkpoint."""
    architecture, view, _ = MODELS[name]
    with seeded(0):
        model = PairModel(architecture).to(memory_format=torch.channels_last).eval()
        for parameter in model.parameters():
            parameter.data = parameter.data + 0.1 * torch.rand(parameter.shape)
    views = {"field": view, "compound": MORGAN}
    described = describe(architecture, views, InfoLOOB(hopfield_beta=8.0), FitConfig(keep=("loss", "top1")))
    return model, Checkpoint(described | changes, model.state_dict())


@pytest.fixture(scope="module")
def checkpoint():
    return make("images")[1]


@pytest.mark.parametrize("name", MODELS)
def test_round_trip(name, tmp_path):
    model, checkpoint = make(name, split_hash="abc", epoch=3)
    architecture, view, shape = MODELS[name]
    save(checkpoint, tmp_path / "a" / "checkpoint")
    loaded = load(tmp_path / "a" / "checkpoint")
    assert loaded.config == checkpoint.config
    assert (loaded.config["split_hash"], loaded.config["epoch"]) == ("abc", 3)
    assert loaded.architecture == architecture
    assert loaded.view("field") == view
    assert loaded.view("compound") == MORGAN
    restored = loaded.build()
    assert not restored.training
    assert not any(parameter.requires_grad for parameter in restored.parameters())
    x, f = torch.rand(shape), torch.rand(2, 16)
    with torch.inference_mode():
        found, expected = restored(x, f), model(x, f)
    assert list(found) == list(expected)
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], rtol=1e-6, atol=1e-6)
    assert os.listdir(tmp_path / "a") == ["checkpoint"]


def test_a_view_works_after_a_round_trip(checkpoint, tmp_path):
    save(checkpoint, tmp_path / "c")
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 5, 40, 36), dtype=np.uint8))
    view = load(tmp_path / "c").view("field")
    assert torch.equal(view(images), IMAGES(images))
    assert torch.equal(view.augment(images, np.arange(3)), IMAGES.augment(images, np.arange(3)))


def test_a_checkpoint_says_how_it_was_trained(checkpoint):
    config = checkpoint.config
    assert config["format"] == FORMAT
    assert OBJECTIVES.make(config["objective"]) == InfoLOOB(hopfield_beta=8.0)
    settings = {**config["fit"], "keep": tuple(config["fit"]["keep"])}
    assert FitConfig(**settings) == FitConfig(keep=("loss", "top1"))
    unknown = describe(ON_IMAGES, {"field": IMAGES}, None, None)
    assert (unknown["objective"], unknown["fit"]) == (None, None)
    assert json.loads(json.dumps(config)) == config


@pytest.mark.parametrize("name", MODELS)
def test_an_untrained_model_is_the_one_that_a_training_begins_with(name):
    _, checkpoint = make(name)
    state = torch.get_rng_state()
    model, other = checkpoint.build_untrained(5), checkpoint.build_untrained(6)
    assert torch.equal(torch.get_rng_state(), state)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    with seeded(5):
        fresh = PairModel(MODELS[name][0]).state_dict()
    found = model.state_dict()
    assert found.keys() == fresh.keys()
    assert all(torch.equal(found[key], fresh[key]) for key in fresh)
    assert any(not torch.equal(found[key], checkpoint.tensors[key]) for key in fresh)
    if name == "bilinear":
        assert not found["transformer.weight"].any()
    else:
        assert any(not torch.equal(found[key], other.state_dict()[key]) for key in fresh)


def test_weights_tell_models_apart(checkpoint, tmp_path):
    save(checkpoint, tmp_path / "c")
    assert load(tmp_path / "c").weights == checkpoint.weights  # whatever the memory format
    name = "visual.layer1.0.conv2.weight"
    changed = checkpoint.tensors[name].clone()
    changed[0, 0, 0, 0] += 1e-3
    others = [
        replace(checkpoint, tensors={**checkpoint.tensors, name: changed}),
        replace(checkpoint, tensors={"other": checkpoint.tensors[name]}),
        replace(checkpoint, tensors={name: checkpoint.tensors[name]}),
        replace(checkpoint, tensors={name: checkpoint.tensors[name].flatten()}),
    ]
    assert len({checkpoint.weights, *(other.weights for other in others)}) == 1 + len(others)
    assert replace(checkpoint, config={}).weights == checkpoint.weights


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


def test_what_is_not_a_checkpoint_is_named(checkpoint, tmp_path):
    with pytest.raises(ValueError, match="nothing is not a readable checkpoint"):
        load(tmp_path / "nothing")
    save(checkpoint, tmp_path / "c")
    weights = tmp_path / "c" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        load(tmp_path / "c")


@pytest.mark.parametrize("content", [{"format": 1}, {"format": 99}, {}, [1, 2]])
def test_another_format_is_refused(checkpoint, content, tmp_path):
    save(checkpoint, tmp_path / "c")
    (tmp_path / "c" / "config.json").write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match=r"c/config\.json does not have checkpoint format 2: train the model again with this version"
    ):
        load(tmp_path / "c")


def reverse_channels(config):
    config["views"]["field"]["storage"]["channels"].reverse()


EDITS = {
    "reversed channels": reverse_channels,
    "mean of a channel": lambda config: config["views"]["field"]["mean"].__setitem__(0, 1.5),
    "scope": lambda config: config["views"]["field"]["storage"].update(scope="field"),
    "radius": lambda config: config["views"]["compound"].update(radius=3),
    "normalise": lambda config: config["architecture"].update(normalise=False),
    "split hash": lambda config: config.update(split_hash="0123"),
    "a new entry": lambda config: config.update(note="mine"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_config_is_refused(checkpoint, edit, tmp_path):
    save(checkpoint, tmp_path / "c")
    path = tmp_path / "c" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config, indent=None, sort_keys=True))
    assert load(tmp_path / "c").config == config, "only the layout of the text has changed"
    EDITS[edit](config)
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"c/config\.json was changed after it was written with model\.safetensors"):
        load(tmp_path / "c")


def test_tensors_of_another_checkpoint_are_refused(checkpoint, tmp_path):
    save(checkpoint, tmp_path / "c")
    save(Checkpoint({**checkpoint.config, "epoch": 7}, checkpoint.tensors), tmp_path / "d")
    shutil.copy(tmp_path / "d" / "model.safetensors", tmp_path / "c")
    with pytest.raises(ValueError, match=r"c/config\.json was changed after"):
        load(tmp_path / "c")


def test_a_checkpoint_of_before_without_the_digest_is_read(checkpoint, tmp_path):
    save(checkpoint, tmp_path / "c")
    save_file({name: t.contiguous() for name, t in checkpoint.tensors.items()}, tmp_path / "c" / "model.safetensors")
    assert load(tmp_path / "c").weights == checkpoint.weights


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 64, b"text", b"\xff\xfe"])
def test_damaged_files_of_a_checkpoint_are_refused_with_the_folder(checkpoint, name, content, tmp_path):
    save(checkpoint, tmp_path / "c")
    (tmp_path / "c" / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"c is not a readable checkpoint .*: train the model again"):
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
    with pytest.raises(ValueError, match=r"do not fit the architecture in its config: (.|\n)*visual\.fc"):
        Checkpoint(checkpoint.config, tensors).build()


def test_tensors_of_another_model_are_refused():
    (_, bilinear), (_, on_profiles) = make("bilinear"), make("profiles")
    with pytest.raises(ValueError, match="do not fit the architecture"):
        Checkpoint(bilinear.config, on_profiles.tensors).build()
    with pytest.raises(ValueError, match="do not fit the architecture"):
        Checkpoint(on_profiles.config, bilinear.tensors).build()
    larger = PairModel(replace(BILINEAR, compound_inputs=32)).state_dict()
    with pytest.raises(ValueError, match="do not fit the architecture"):
        Checkpoint(bilinear.config, larger).build()


def test_a_number_that_is_learned_is_kept():
    model, checkpoint = make("profiles")
    assert checkpoint.tensors["bias"].item() == pytest.approx(model.bias.item())
    assert checkpoint.build().scalars()["bias"].item() != -10
    assert checkpoint.build_untrained(0).scalars()["bias"].item() == -10


def test_an_objective_that_is_not_registered_is_refused():
    class Mine(InfoNCE):
        pass

    with pytest.raises(ValueError, match="is not registered as objective"):
        describe(ON_IMAGES, {"field": IMAGES}, Mine(), None)


# ---- ridges and fusions


def fusion(**parts):
    factors = torch.arange(1.0, 1 + len(parts), dtype=torch.float64)
    return Checkpoint({"format": FORMAT, "kind": "fusion"}, {"field": factors, "compound": factors.clone()}, parts)


def test_the_parts_of_a_fusion_are_in_its_folder(checkpoint, tmp_path):
    inner = fusion(images=checkpoint, bilinear=make("bilinear")[1])
    save(fusion(profiles=make("profiles")[1], inner=inner), tmp_path / "c")
    loaded = load(tmp_path / "c")
    assert (loaded.kind, list(loaded.parts), list(loaded.parts["inner"].parts)) == (
        "fusion",
        ["profiles", "inner"],
        ["images", "bilinear"],
    )
    assert loaded.parts["inner"].weights == inner.weights
    assert loaded.parts["profiles"].kind == "contrastive"
    assert loaded.config == {"format": FORMAT, "kind": "fusion"}
    save(loaded, tmp_path / "d")
    assert load(tmp_path / "d").weights == loaded.weights


def test_weights_tell_fusions_apart(checkpoint):
    bilinear = make("bilinear")[1]
    found = [
        fusion(a=checkpoint, b=bilinear),
        fusion(b=bilinear, a=checkpoint),
        fusion(a=checkpoint, c=bilinear),
        fusion(a=bilinear, b=bilinear),
        replace(fusion(a=checkpoint, b=bilinear), tensors={"field": torch.ones(2), "compound": torch.ones(2)}),
    ]
    assert len({each.weights for each in found}) == len(found)


@pytest.mark.parametrize("name", ["../d", "a/b", "..", ""])
def test_a_part_outside_the_folder_is_refused(checkpoint, tmp_path, name):
    save(checkpoint, tmp_path / "d")
    save(fusion(a=checkpoint), tmp_path / "c")
    config = json.loads((tmp_path / "c" / "config.json").read_text())
    config["parts"] = {name: checkpoint.weights}
    (tmp_path / "c" / "config.json").write_text(json.dumps(config))
    save_file(fusion(a=checkpoint).tensors, tmp_path / "c" / "model.safetensors")  # without the digest of the config
    with pytest.raises(ValueError, match="which is no name of a folder"):
        load(tmp_path / "c")


def test_what_is_not_contrastive_has_no_encoders():
    for kind in ("ridge", "fusion"):
        with pytest.raises(ValueError, match=f"this checkpoint holds a {kind}, which has no encoders"):
            Checkpoint({"kind": kind}, {}).build()
    with pytest.raises(ValueError, match="has no view field, only parts"):
        fusion().view("field")
