"""The embedding pipeline on a small store on disk."""

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from cloome_kedro.chemistry.splits import split_hash
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.checkpoint import Checkpoint, build, describe, weights_hash
from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.model import PairModel, seeded
from cloome_kedro.learning.preprocess import Preprocess
from cloome_kedro.parameters import EmbeddingParameters, FingerprintParameters, IngestionParameters
from cloome_kedro.pipelines.embedding import create_pipeline
from cloome_kedro.pipelines.embedding.nodes import embed_images, embed_structures, embed_untrained

IMAGE, STRUCTURE = ImageEncoderConfig(layers=(1, 1, 1, 1), width=4), StructureEncoderConfig(layers=1, width=8)
FINGERPRINTS = FingerprintParameters(bits=16)
SOURCE = {"name": "s", "layout": "load_data_csv", "platemap": {"platemaps": "p.tsv"}}
INGESTION = IngestionParameters(screen="s", sources=[SOURCE], size=(34, 34))
FOLDS = pd.DataFrame({"inchikey": ["X", "Y", "Z"], "fold": ["train", "validation", "test"]})
PREPROCESS = Preprocess(crop=32, mean=(100.0,) * 5, std=(60.0,) * 5)


@pytest.fixture
def checkpoint():
    with seeded(0):
        model = PairModel(IMAGE, STRUCTURE, 16, 6)
    config = describe(IMAGE, STRUCTURE, 16, FitConfig(embedding_size=6), PREPROCESS)
    facts = {
        "split_hash": "0123456789abcdef",
        "seed": 3,
        "epoch": 1,
        "fingerprints": FINGERPRINTS.model_dump(mode="json"),
        "intensity": {"scope": "field", "size": [34, 34]},
    }
    return Checkpoint(config | facts, model.state_dict())


def test_pipeline(checkpoint, tmp_path, caplog):
    rng = np.random.default_rng(0)
    plates = {name: rng.integers(0, 256, (4, 5, 34, 34), dtype=np.uint8) for name in ("P1", "P2")}
    for name, images in plates.items():
        np.save(tmp_path / f"{name}.npy", images)
    fields = pd.DataFrame(
        {"field_id": list("abcde"), "plate_file": ["P2", "P1", "P1", "P2", "P1"], "row": [3, 0, 2, 1, 1]}
    )
    bits = rng.integers(0, 2, (3, 16), dtype=np.uint8)
    inputs = {
        "checkpoint": checkpoint,
        "plate_store": PlateStore(tmp_path),
        "fields": fields,
        "pairs": fields.iloc[1:].assign(inchikey=["X", "X", "Y", "Z"]),
        "folds": FOLDS,
        "compounds": pd.DataFrame({"inchikey": ["X", "Y", "Z"]}),
        "fingerprints": np.packbits(bits, axis=1),
        "params:embedding": EmbeddingParameters(batch_size=2, accelerator="cpu"),
        "params:ingestion": INGESTION,
        "params:fingerprints": FINGERPRINTS,
        "params:seed": 3,
    }
    catalog = DataCatalog({name: MemoryDataset(data, "assign") for name, data in inputs.items()})
    outputs = {name: data.load() for name, data in SequentialRunner().run(create_pipeline(), catalog).items()}

    images = np.stack([plates[p][r] for p, r in zip(fields["plate_file"], fields["row"], strict=True)])
    with torch.inference_mode():
        vectors = build(checkpoint)(PREPROCESS(torch.from_numpy(images)), torch.from_numpy(bits).float())
    for name, expected, keys in (
        ("image_embeddings", vectors[0], list("abcde")),
        ("structure_embeddings", vectors[1], list("XYZ")),
    ):
        assert outputs[name].keys.tolist() == keys
        np.testing.assert_allclose(outputs[name].vectors, expected.numpy(), atol=1e-6)
        facts = {"split_hash": "0123456789abcdef", "seed": 3, "epoch": 1, "weights": weights_hash(checkpoint)}
        assert outputs[name].meta == facts
    assert "stored in another way" not in caplog.text

    untrained = outputs["untrained_embeddings"]
    assert untrained.keys.tolist() == list("bcde")
    assert untrained.vectors.shape == (4, 6)
    assert untrained.meta == {"split_hash": split_hash(FOLDS), "seed": 3, "epoch": None, "weights": "untrained"}


def test_untrained_embeddings_know_no_weights_and_no_test_fields(checkpoint, tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (6, 5, 34, 34), dtype=np.uint8)
    pairs = pd.DataFrame({"field_id": list("abcdef"), "plate_file": "P1", "row": range(6), "inchikey": list("XXXYZZ")})

    def embed(checkpoint=checkpoint, images=images, folds=FOLDS, seed=3):
        np.save(tmp_path / "P1.npy", images)
        parameters = EmbeddingParameters(accelerator="cpu")
        return embed_untrained(checkpoint, PlateStore(tmp_path), pairs, folds, parameters, seed).vectors

    vectors = embed()
    with seeded(8):
        others = Checkpoint(checkpoint.config, PairModel(IMAGE, STRUCTURE, 16, 6).state_dict())
    np.testing.assert_array_equal(embed(others), vectors)
    assert not np.allclose(embed(seed=4), vectors, atol=0.01)
    changed = images.copy()
    changed[4:] = 255 - changed[4:]  # Z is in the test fold
    np.testing.assert_allclose(embed(images=changed)[:4], vectors[:4], atol=1e-6)
    assert not np.allclose(embed(images=changed)[4:], vectors[4:], atol=0.01)
    with pytest.raises(ValueError, match="no field of a compound of the training fold"):
        embed(folds=FOLDS.replace("train", "test"))


def test_fields_stored_in_another_way_are_warned_of(checkpoint, tmp_path, caplog):
    np.save(tmp_path / "P1.npy", np.zeros((1, 5, 34, 34), np.uint8))
    fields = pd.DataFrame({"field_id": ["a"], "plate_file": ["P1"], "row": [0]})
    by_plate = INGESTION.model_copy(update={"scope": "plate"})
    embed_images(checkpoint, PlateStore(tmp_path), fields, EmbeddingParameters(accelerator="cpu"), by_plate)
    assert "scope plate, not field" in caplog.text
    assert "size" not in caplog.text


@pytest.mark.parametrize("change", [{"bits": 32}, {"radius": 2}, {"chirality": False}])
def test_fingerprints_of_another_kind_are_refused(checkpoint, change):
    other = FINGERPRINTS.model_copy(update=change)
    compounds, codes = pd.DataFrame({"inchikey": ["X"]}), np.zeros((1, other.bits // 8), np.uint8)
    with pytest.raises(ValueError, match=f"'{next(iter(change))}': {next(iter(change.values()))}"):
        embed_structures(checkpoint, compounds, codes, EmbeddingParameters(), other)


def test_fingerprints_of_other_compounds_are_refused(checkpoint):
    with pytest.raises(ValueError, match=r"shape \(3, 2\) do not fit 1 compounds with 16 bits"):
        embed_structures(
            checkpoint,
            pd.DataFrame({"inchikey": ["X"]}),
            np.zeros((3, 2), np.uint8),
            EmbeddingParameters(),
            FINGERPRINTS,
        )
