"""Published files against a functional evaluation of the published model, and files that are not published ones."""

import json
import os
import pickle

import numpy as np
import pytest
import torch

import published_file
from cloome_kedro.learning.checkpoint import load, save
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture
from cloome_kedro.learning.published import PUBLISHED_STORAGE, read_published
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Morgan
from published_file import PAPER, SMALL


@pytest.fixture(scope="module")
def images():
    """One field of waves, and one of noise in one channel."""
    y, x = np.mgrid[:264, :232] / 30
    waves = np.stack([127 * (1 + np.sin((1 + c) * x + y) * np.cos(y - c * x)) for c in range(5)])
    noise = np.zeros_like(waves)
    noise[2] = np.random.default_rng(0).integers(0, 256, (264, 232))
    return torch.from_numpy(np.stack([waves, noise]).astype(np.uint8))


@pytest.fixture
def tensors():
    return published_file.state_dict(**SMALL)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("bits", "prefix", "parameters"), [(1024, "module.", 4_731_392), (8192, "", 12_071_424)])
def test_embeddings_of_a_full_size_file_equal_the_formula(tmp_path, images, bits, prefix, parameters):
    t = published_file.state_dict(**{**PAPER, "bits": bits})
    assert len(t) == 351
    checkpoint = read_published(published_file.write(tmp_path / "published.pt", t, prefix))
    assert checkpoint.architecture == Architecture(ResNet((3, 4, 6, 3), 64), MLP(4, 1024, True), 5, bits, 512)
    assert checkpoint.config["architecture"]["field"] == {"name": "resnet", "layers": [3, 4, 6, 3], "width": 64}
    assert checkpoint.config["architecture"]["compound"]["name"] == "mlp"
    model = checkpoint.build()
    assert sum(p.numel() for p in model.visual.parameters()) == 24_563_392
    assert sum(p.numel() for p in model.transformer.parameters()) == parameters

    fingerprints = torch.from_numpy(np.random.default_rng(1).integers(0, 2, (5, bits)))
    with torch.inference_mode():
        found = model(checkpoint.view("field")(images), checkpoint.view("compound")(fingerprints))
        expected = published_file.images_by_formula(t, images), published_file.structures_by_formula(t, fingerprints)
    for one, other in zip((found["field"], found["compound"]), expected, strict=True):
        assert one.dtype == torch.float32
        assert (other[0] - other[1]).abs().max() > 1e-3  # inputs are told apart
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
def test_sizes_are_read_off_the_tensors(tmp_path, images, batch_norm, layers):
    t = published_file.state_dict(1, batch_norm, **{**SMALL, "layers": layers})
    checkpoint = read_published(published_file.write(tmp_path / "published.pt", t))
    assert checkpoint.architecture == Architecture(ResNet((1, 2, 1, 1), 4), MLP(layers, 8, batch_norm), 5, 64, 6)
    assert checkpoint.architecture.normalise
    bits = torch.eye(64)
    with torch.inference_mode():
        found = checkpoint.build()(checkpoint.view("field")(images), bits)
    torch.testing.assert_close(found["field"], published_file.images_by_formula(t, images), rtol=0, atol=1e-5)
    torch.testing.assert_close(found["compound"], published_file.structures_by_formula(t, bits), rtol=0, atol=1e-5)
    assert found["scale"].log().item() == pytest.approx(2.66)


def test_what_a_published_checkpoint_says_of_itself_survives_saving(tmp_path, tensors):
    half = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
    save(read_published(published_file.write(tmp_path / "p.pt", half)), tmp_path / "checkpoint")
    checkpoint = load(tmp_path / "checkpoint")
    assert {t.dtype for t in checkpoint.tensors.values()} == {torch.float32, torch.int64}
    config = checkpoint.config
    assert (config["source"], config["epoch"], config["name"], config["file"]) == ("published", 63, "a run", "p.pt")
    assert (config["split_hash"], config["seed"]) == ("unknown", None)
    assert (config["objective"], config["fit"]) == (None, None)  # the file does not say them
    assert checkpoint.view("compound") == Morgan(radius=3, bits=64, chirality=True)
    images = checkpoint.view("field")
    assert images == Images(mean=published_file.STATISTICS, std=published_file.STATISTICS, storage=PUBLISHED_STORAGE)
    assert (images.crop, images.normalisation) == (None, "per_channel")
    assert images.storage == {
        "channels": ["Mito", "ER", "RNA", "AGP", "DNA"],
        "intensity": {"outlier_percent": 0.0028, "scale": 256},
        "scope": "field",
        "crop": None,
        "size": None,
    }


def test_a_model_configuration_is_compared(tmp_path, tensors):
    path, config = published_file.write(tmp_path / "p.pt", tensors), tmp_path / "RN50.json"
    settings = {
        "embed_dim": 6, "vision_block": "bottleneck", "input_channels": 5, "vision_layers": [1, 2, 1, 1],
        "vision_width": 32, "input_size": 64, "molecule_layers": 2, "hidden_dim": 8,
    }  # fmt: skip
    config.write_text(json.dumps(settings))
    assert read_published(path, config).config == read_published(path).config
    for key in settings.keys() - {"vision_block", "vision_width"}:
        config.write_text(json.dumps({**settings, key: 99}))
        with pytest.raises(ValueError, match=f"RN50.json has {key}: 99, but the tensors of the checkpoint have"):
            read_published(path, config)
    config.write_text("[1]")
    with pytest.raises(ValueError, match=r"RN50\.json is not a readable model configuration"):
        read_published(path, config)
    with pytest.raises(ValueError, match=r"none\.json is not a readable model configuration"):
        read_published(path, tmp_path / "none.json")


@pytest.mark.parametrize("name", [
    "logit_inv_tau", "visual.conv1.weight", "visual.layer2.1.bn2.running_var", "visual.layer3.0.conv1.weight",
    "visual.layer4.0.downsample.0.weight", "visual.fc.bias", "visual.fc.weight", "transformer.layers.0.0.weight",
    "transformer.layers.1.0.weight", "transformer.layers.1.1.bias", "transformer.layers.2.0.bias",
])  # fmt: skip
def test_a_missing_tensor_is_named(tmp_path, tensors, name):
    del tensors[name]
    with pytest.raises(ValueError, match=rf"p\.pt .*{name}"):
        read_published(published_file.write(tmp_path / "p.pt", tensors))


@pytest.mark.parametrize("name", ["visual.attnpool.bias", "visual.layer2.7.conv1.weight", "extra"])
def test_an_extra_tensor_is_named(tmp_path, tensors, name):
    tensors[name] = torch.zeros(3)
    with pytest.raises(ValueError, match=rf"p\.pt does not hold the tensors .*{name}"):
        read_published(published_file.write(tmp_path / "p.pt", tensors))


def test_other_shapes_and_kinds_are_named(tmp_path, tensors):
    path = tmp_path / "p.pt"
    with pytest.raises(ValueError, match=r"wrong shape: visual\.fc\.bias \(7,\) instead of \(6,\)"):
        read_published(published_file.write(path, {**tensors, "visual.fc.bias": torch.zeros(7)}))
    with pytest.raises(ValueError, match=r"visual\.conv1\.weight has the shape \(3,\)"):
        read_published(published_file.write(path, {**tensors, "visual.conv1.weight": torch.zeros(3)}))
    with pytest.raises(ValueError, match=r"visual\.fc\.bias is not a tensor"):
        read_published(published_file.write(path, {**tensors, "visual.fc.bias": [1.0]}))


class Runs:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_execute_code_is_refused(tmp_path, tensors, zipped):
    path, trace = tmp_path / "p.pt", tmp_path / "trace"
    content = {"epoch": 1, "name": Runs(trace), "state_dict": tensors}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"p\.pt is not read, since reading it would execute code \(posix\.mkdir\)"):
        read_published(path)
    assert not trace.exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.99])
def test_a_truncated_file_is_refused(tmp_path, tensors, zipped, share):
    path = tmp_path / "p.pt"
    torch.save({"state_dict": tensors}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"p\.pt is (truncated or )?not a PyTorch checkpoint"):
        read_published(path)


def test_other_files_are_refused(tmp_path, tensors):
    path = tmp_path / "p.pt"
    with pytest.raises(ValueError, match=r"p\.pt does not exist"):
        read_published(path)
    path.write_text("<html>not found</html>")
    with pytest.raises(ValueError, match="not a PyTorch checkpoint"):
        read_published(path)
    path.write_bytes(pickle.dumps({"state_dict": {}}, protocol=2))
    with pytest.raises(ValueError, match="not a PyTorch checkpoint"):
        read_published(path)
    for content in (tensors, [1, 2], torch.zeros(3), {"state_dict": 3}):
        torch.save(content, path)
        with pytest.raises(ValueError, match="not a published CLOOME checkpoint: it has no entry state_dict"):
            read_published(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ValueError, match=r"visual\.conv1\.weight is missing"):
        read_published(path)
