"""The embedding pipeline on a small store on disk."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.validation.type_extractor import TypeExtractor

from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.checkpoint import Checkpoint, describe
from cloome_kedro.learning.encoders.identity import Identity
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Fingerprints, Morgan
from cloome_kedro.learning.views.profiles import Profiles
from cloome_kedro.parameters import EmbeddingParameters
from cloome_kedro.pipelines.embedding import create_pipeline
from cloome_kedro.pipelines.embedding.nodes import embed_compounds, embed_fields, embed_untrained
from planted_examples import run_pipeline, write_plate

pytestmark = pytest.mark.usefixtures("one_thread")
STORAGE = {"channels": ["Mito", "ER", "RNA", "AGP", "DNA"], "scope": "field", "size": [34, 34]}
IMAGES = Images(crop=32, mean=(100.0,) * 5, std=(60.0,) * 5, storage=STORAGE)
SETTINGS = {"radius": 3, "bits": 16, "chirality": True}
MORGAN = Morgan(**SETTINGS)
ARCHITECTURE = Architecture(ResNet(layers=(1, 1, 1, 1), width=4), MLP(layers=1, width=8), 5, 16, embedding_size=6)
FOLD_OF = {"X": "train", "Y": "validation", "Z": "test"}
CPU = EmbeddingParameters(batch_size=2, accelerator="cpu")


def make_checkpoint(architecture=ARCHITECTURE, field=IMAGES, seed=0):
    """A checkpoint with fresh weights."""
    with seeded(seed):
        model = PairModel(architecture)
    config = describe(architecture, {"field": field, "compound": MORGAN}, None, None)
    facts = {"split_hash": "0123456789abcdef", "seed": 3, "epoch": 1}
    return Checkpoint(config | facts, model.state_dict())


@pytest.fixture(scope="module")
def checkpoint():
    return make_checkpoint()


def examples_of(fields, inchikeys):
    """The columns of ``examples`` that embedding reads."""
    return fields.assign(inchikey=inchikeys, fold=[FOLD_OF[key] for key in inchikeys])


def test_pipeline(checkpoint, tmp_path, caplog):
    rng = np.random.default_rng(0)
    store = PlateStore(tmp_path)
    plates = {name: rng.integers(0, 256, (4, 5, 34, 34), dtype=np.uint8) for name in ("P1", "P2")}
    for name, images in plates.items():
        write_plate(store, name, images, storage=STORAGE)
    fields = pd.DataFrame(
        {"field_id": list("abcde"), "plate_file": ["P2", "P1", "P1", "P2", "P1"], "row": [3, 0, 2, 1, 1]}
    )
    fields["plate"] = fields["plate_file"]
    bits = rng.integers(0, 2, (3, 16), dtype=np.uint8)
    inputs = {
        "random.mine.checkpoint": checkpoint,
        "random.examples": examples_of(fields.iloc[1:], ["X", "X", "Y", "Z"]),
        "plate_store": store,
        "run_states": tmp_path / "run_states",
        "fingerprints": Fingerprints(np.packbits(bits, axis=1), SETTINGS),
        "fields": fields,
        "compounds": pd.DataFrame({"inchikey": ["X", "Y", "Z"]}),
        "params:embedding": CPU,
        "params:seed": 3,
    }
    pipeline = create_pipeline("random", "mine", ["plate_store"], ["fingerprints"], untrained=True)
    assert pipeline.inputs() == set(inputs)
    outputs = run_pipeline(pipeline, inputs)
    assert set(outputs) == {f"random.mine.{kind}_embeddings" for kind in ("field", "compound", "untrained")}

    images = np.stack([plates[p][r] for p, r in zip(fields["plate_file"], fields["row"], strict=True)])
    with torch.inference_mode():
        model = checkpoint.build()
        expected = {
            "field": model.encode_fields(IMAGES(torch.from_numpy(images))),
            "compound": model.encode_compounds(torch.from_numpy(bits).float()),
        }
    meta = {"split_hash": "0123456789abcdef", "seed": 3, "epoch": 1, "weights": checkpoint.weights}
    meta |= {"normalised": True, "learned": True, "without_input": 0}
    meta |= {"inverse_temperature": pytest.approx(ARCHITECTURE.inverse_temperature, rel=1e-6)}
    for side, keys in (("field", list("abcde")), ("compound", list("XYZ"))):
        found = outputs[f"random.mine.{side}_embeddings"]
        assert found.keys.tolist() == keys
        np.testing.assert_allclose(found.vectors, expected[side].numpy(), atol=1e-6)
        assert found.meta == meta
    assert "the storage of fields" not in caplog.text

    untrained = outputs["random.mine.untrained_embeddings"]
    assert untrained.keys.tolist() == list("bcde")
    assert untrained.vectors.shape == (4, 6)
    assert untrained.meta == {**meta, "epoch": None, "weights": "untrained"}


def test_fields_are_normalised_by_the_controls_of_their_plate(checkpoint, tmp_path):
    """Trained and untrained models get the statistics of the plate of each field."""
    rng = np.random.default_rng(0)
    store = PlateStore(tmp_path)
    plates = {name: rng.integers(0, 256, (4, 5, 34, 34), dtype=np.uint8) for name in ("P1", "P2")}
    for name, images in plates.items():
        write_plate(store, name, images, storage=STORAGE)
    fields = pd.DataFrame({"field_id": list("abcd"), "plate_file": ["P2", "P1", "P1", "P2"], "row": [3, 0, 2, 1]})
    statistics = pd.DataFrame({"plate_file": np.repeat(["P1", "P2"], 5), "channel": STORAGE["channels"] * 2})
    statistics["mean"], statistics["std"] = np.arange(90.0, 100), np.arange(50.0, 60)
    by_controls = make_checkpoint(field=dataclasses.replace(IMAGES, normalisation="controls"))
    sources = {"plate_store": store, "plate_statistics": statistics}

    found = embed_fields(by_controls, fields, EmbeddingParameters(batch_size=3, accelerator="cpu"), **sources)
    by_plate = statistics.set_index("plate_file")
    rows = zip(fields["plate_file"], fields["row"], strict=True)
    normalised = [
        (plates[plate][row][:, 1:33, 1:33] - by_plate.loc[plate, "mean"].to_numpy()[:, None, None])
        / by_plate.loc[plate, "std"].to_numpy()[:, None, None]
        for plate, row in rows
    ]
    with torch.inference_mode():
        expected = checkpoint.build().encode_fields(torch.from_numpy(np.stack(normalised)).float())
    np.testing.assert_allclose(found.vectors, expected.numpy(), atol=1e-5)

    examples = examples_of(fields, list("XXXX"))
    untrained = [
        embed_untrained(by_controls, examples, CPU, 3, plate_store=store, plate_statistics=table).vectors
        for table in (statistics, statistics.assign(mean=statistics["mean"] + 60 * (statistics["plate_file"] == "P1")))
    ]
    assert np.abs(untrained[0] - untrained[1]).max() > 1e-3


def test_only_the_model_with_an_untrained_counterpart_embeds_it():
    pipeline = create_pipeline("random", "mine", ["plate_store"], ["fingerprints"])
    assert {node.name for node in pipeline.nodes} == {
        f"random.models.mine.{name}" for name in ("embed_fields", "embed_compounds")
    }
    assert "random.examples" not in pipeline.inputs()
    assert len(pipeline.only_nodes_with_tags("gpu").nodes) == 2


def test_parameters_are_typed_for_kedro():
    pipeline = create_pipeline("random", "mine", [], [], untrained=True)
    assert TypeExtractor({"embedding": pipeline}).extract_types_from_pipelines() == {"embedding": EmbeddingParameters}


def test_untrained_embeddings_know_no_weights_and_no_test_fields(checkpoint, tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (6, 5, 34, 34), dtype=np.uint8)
    fields = pd.DataFrame({"field_id": list("abcdef"), "plate_file": "P1", "row": range(6)})
    examples, store = examples_of(fields, list("XXXYZZ")), PlateStore(tmp_path)

    def embed(checkpoint=checkpoint, images=images, examples=examples, seed=3):
        write_plate(store, "P1", images, storage=STORAGE)
        parameters = EmbeddingParameters(accelerator="cpu")
        return embed_untrained(checkpoint, examples, parameters, seed, plate_store=store).vectors

    vectors = embed()
    np.testing.assert_array_equal(embed(make_checkpoint(seed=8)), vectors)
    assert not np.allclose(embed(seed=4), vectors, atol=0.01)
    changed = images.copy()
    changed[4:] = 255 - changed[4:]  # Z is in the test fold
    np.testing.assert_allclose(embed(images=changed)[:4], vectors[:4], atol=1e-6)
    assert not np.allclose(embed(images=changed)[4:], vectors[4:], atol=0.01)
    with pytest.raises(ValueError, match="no field of the training fold has an input for the view of the model"):
        embed(examples=examples.replace({"fold": {"train": "test"}}))


def test_fields_stored_in_another_way_are_warned_of(checkpoint, tmp_path, caplog):
    store = PlateStore(tmp_path)
    write_plate(store, "P1", np.zeros((1, 5, 34, 34), np.uint8), storage={**STORAGE, "scope": "plate"})
    fields = pd.DataFrame({"field_id": ["a"], "plate_file": ["P1"], "row": [0]})
    embed_fields(checkpoint, fields, CPU, plate_store=store)
    assert "the storage of fields is not the same as in training" in caplog.text
    assert "scope is plate, was field" in caplog.text
    assert "size" not in caplog.text


@pytest.mark.parametrize("change", [{"bits": 32}, {"radius": 2}, {"chirality": False}])
def test_fingerprints_of_another_kind_are_refused(checkpoint, change):
    other = {**SETTINGS, **change}
    codes = Fingerprints(np.zeros((1, other["bits"] // 8), np.uint8), other)
    with pytest.raises(ValueError, match=f"'{next(iter(change))}': {next(iter(change.values()))}"):
        embed_compounds(checkpoint, pd.DataFrame({"inchikey": ["X"]}), CPU, fingerprints=codes)


def test_fingerprints_of_fewer_compounds_are_refused(checkpoint):
    codes = Fingerprints(np.zeros((1, 2), np.uint8), SETTINGS)
    with pytest.raises(ValueError, match="there is no fingerprint of row 1, since there are only 1"):
        embed_compounds(checkpoint, pd.DataFrame({"inchikey": ["X", "Y"]}), CPU, fingerprints=codes)


# ---- profiles, which a field can lack


@pytest.fixture
def of_profiles():
    view = Profiles(("size", "shape"), mean=(1.0, 2.0), std=(0.5, 4.0))
    return make_checkpoint(Architecture(MLP(layers=1, width=8), MLP(layers=1, width=8), 2, 16, 6), view)


def test_fields_without_a_profile_are_left_out(of_profiles, caplog):
    profiles = pd.DataFrame({"field_id": ["c", "a"], "size": [1.0, 2.0], "shape": [0.0, 5.0]})
    fields = pd.DataFrame({"field_id": list("abcd")})
    found = embed_fields(of_profiles, fields, CPU, field_profiles=profiles)
    assert found.keys.tolist() == ["a", "c"]
    assert found.meta["without_input"] == 2
    assert (
        "2 of 4 fields are left out, since the view of the model has no input for them; the first is b" in caplog.text
    )
    standardised = torch.tensor([[2.0, 0.75], [0.0, -0.5]])
    with torch.inference_mode():
        expected = of_profiles.build().encode_fields(standardised)
    np.testing.assert_allclose(found.vectors, expected.numpy(), atol=1e-6)


def test_untrained_encoders_are_calibrated_on_fields_that_have_a_profile(of_profiles):
    examples = pd.DataFrame({"field_id": list("abcd"), "fold": ["train", "train", "train", "test"]})
    profiles = pd.DataFrame({"field_id": ["b", "c", "d"], "size": [1.0, 2.0, 3.0], "shape": 0.0})
    found = embed_untrained(of_profiles, examples, CPU, 0, field_profiles=profiles)
    assert found.keys.tolist() == ["b", "c", "d"]
    assert found.meta["without_input"] == 1
    with pytest.raises(ValueError, match="no field of the training fold has an input"):
        embed_untrained(of_profiles, examples, CPU, 0, field_profiles=profiles[2:])


def test_what_is_not_learned_and_not_normalised_is_said():
    architecture = Architecture(Identity(), MLP(layers=1, width=8), 2, 16, normalise=False)
    checkpoint = make_checkpoint(architecture, Profiles(("size", "shape"), mean=(1.0, 2.0), std=(0.5, 4.0)))
    profiles = pd.DataFrame({"field_id": ["a"], "size": [2.0], "shape": [0.0]})
    found = embed_fields(checkpoint, profiles[["field_id"]], CPU, field_profiles=profiles)
    assert not found.meta["learned"]
    assert not found.meta["normalised"]
    np.testing.assert_allclose(found.vectors, [[2.0, -0.5]])
