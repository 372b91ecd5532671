"""The corruption study on a small store on disk."""

import dataclasses
import json
import os

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from cloome_kedro import schemas
from cloome_kedro.chemistry.splits import split_hash
from cloome_kedro.datasets.embeddings import Embeddings
from cloome_kedro.imaging import corruptions
from cloome_kedro.imaging.corruption_store import CorruptionStore
from cloome_kedro.imaging.corruptions import corruption, find_corruptions
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.checkpoint import Checkpoint, build, describe, preprocess_of, weights_hash
from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.embed import embed_images
from cloome_kedro.learning.model import PairModel, seeded
from cloome_kedro.learning.preprocess import Preprocess
from cloome_kedro.parameters import (
    CorruptionParameters,
    EmbeddingParameters,
    ProbingParameters,
    RetrievalParameters,
    ZeroShotParameters,
)
from cloome_kedro.pipelines.corruption import create_pipeline
from cloome_kedro.pipelines.corruption.evaluation import rank_corrupted
from cloome_kedro.pipelines.corruption.nodes import embed_corrupted
from cloome_kedro.pipelines.retrieval.nodes import rank_matches

NAMES = ["nothing", "small_rotation"]
CORRUPTION = CorruptionParameters.model_construct(names=NAMES, chosen="nothing")  # which each test registers
RETRIEVAL = RetrievalParameters(candidates=4, draws=3, top_k=[1, 3])
ZERO_SHOT = ZeroShotParameters(draws=2, top_k=[1, 3])
PROBING = ProbingParameters(c_grid=[0.01, 1.0], resamples=100)
OUTPUTS = {
    "corruption_ranks": schemas.ranks,
    "corruption_metrics": schemas.metrics,
    "corruption_differences": schemas.differences,
    "corruption_probing_scores": schemas.probing_scores,
}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def nothing(monkeypatch):
    """A corruption that changes nothing, in a registry of the test's own."""
    monkeypatch.setattr(corruptions, "_REGISTRY", dict(corruptions._REGISTRY))
    corruption(draw=lambda generator: {}, augments=["resized_crop_scale"])(_nothing())


def _nothing():
    def nothing(image):
        return image

    return nothing


@pytest.fixture
def study(tmp_path):
    """24 compounds, half of them tested, with four fields each on two plates, and their embeddings."""
    generator = np.random.default_rng(0)
    store = PlateStore(tmp_path / "plates")
    store.folder.mkdir()
    for name in ("P1", "P2"):
        with store.writer(name, "d") as writer:
            for _ in range(48):
                writer.append(generator.integers(1, 256, (5, 40, 44), dtype=np.uint8))
            writer.commit(pd.DataFrame({"field_id": range(48), "row": range(48), "reason": None}))
    inchikeys = [f"{chr(65 + i) * 14}-UHFFFAOYSA-N" for i in range(24)]
    pairs = pd.DataFrame(
        {
            "screen": "s",
            "plate": np.repeat(["P1", "P2"], 48),
            "plate_file": np.repeat(["P1", "P2"], 48),
            "well": [f"{chr(65 + row // 12)}{row % 12 + 1:02d}" for row in [*range(48)] * 2],
            "site": 1,
            "row": [*range(48)] * 2,
            "inchikey": np.tile(np.repeat(inchikeys, 2), 2),
        }
    ).assign(treatment=lambda table: table["inchikey"] + "@5")
    pairs["field_id"] = "s/" + pairs["plate"] + "/" + pairs["well"] + "/1"
    pairs = schemas.pairs.validate(pairs[list(schemas.pairs.columns)])
    folds = pd.DataFrame({"inchikey": inchikeys, "fold": np.tile(["train", "test", "validation", "test"], 6)})
    with seeded(0):
        model = PairModel(ImageEncoderConfig(layers=(1, 1, 1, 1), width=4), StructureEncoderConfig(1, 8), 16, 6)
    described = describe(
        ImageEncoderConfig(layers=(1, 1, 1, 1), width=4),
        StructureEncoderConfig(1, 8),
        16,
        FitConfig(embedding_size=6),
        Preprocess(crop=36, mean=(128.0,) * 5, std=(70.0,) * 5),
    )
    facts = {"split_hash": split_hash(folds), "augmentation": {"crop": 36, "resized_crop_scale": None}}
    checkpoint = Checkpoint(described | facts, model.state_dict())
    meta = {"split_hash": split_hash(folds), "weights": weights_hash(checkpoint)}
    read = store.reader(pairs["plate_file"].to_numpy(), pairs["row"].to_numpy())
    images = embed_images(model, read, len(pairs), preprocess_of(checkpoint), 32, progress=False)
    structures = images.reshape(2, 24, 2, -1).mean((0, 2)) + 0.05 * generator.normal(size=(24, 6))
    structures /= np.linalg.norm(structures, axis=1, keepdims=True)
    assays = {f"assay_{i}": generator.integers(0, 2, 24).astype(float) for i in range(2)}
    return {
        "corruption_store": CorruptionStore(tmp_path / "corrupted"),
        "checkpoint": checkpoint,
        "image_embeddings": Embeddings(pairs["field_id"].to_numpy(), images, meta),
        "structure_embeddings": Embeddings(np.array(inchikeys), structures.astype(np.float32), meta),
        "plate_store": store,
        "pairs": pairs,
        "compounds": pd.DataFrame({"inchikey": inchikeys, "moa": np.tile(["a", "b", "b", "c", None, "a"], 4)}),
        "folds": folds,
        "assay_labels": pd.DataFrame({"compound_id": inchikeys, **assays}),
        "compound_keys": pd.DataFrame({"compound_id": inchikeys, "inchikey": inchikeys}),
        "params:corruption": CORRUPTION,
        "params:embedding": EmbeddingParameters(batch_size=16, accelerator="cpu"),
        "params:retrieval": RETRIEVAL,
        "params:zero_shot": ZERO_SHOT,
        "params:probing": PROBING,
        "params:seed": 0,
    }


def run(study, **changes):
    inputs = study | changes
    catalog = DataCatalog({name: MemoryDataset(data, "assign") for name, data in inputs.items()})
    found = SequentialRunner().run(create_pipeline("random"), catalog)
    return {name: schema.validate(found[name].load()) for name, schema in OUTPUTS.items()}


def embed(study, parameters=CORRUPTION, seed=0, **changes):
    study = study | changes
    names = ("corruption_store", "checkpoint", "image_embeddings", "plate_store", "pairs", "folds")
    inputs = [study[name] for name in names]
    return embed_corrupted(*inputs, parameters, study["params:embedding"], seed, split="random")


def rank(study, manifest, parameters=CORRUPTION):
    names = ("image_embeddings", "structure_embeddings", "pairs", "compounds", "folds")
    inputs = [study["corruption_store"], manifest, *(study[name] for name in names)]
    return rank_corrupted(*inputs, parameters, RETRIEVAL, ZERO_SHOT, 0, split="random")


def test_what_changes_nothing_gives_what_clean_images_give(study):
    found = run(study)
    ranks, differences = found["corruption_ranks"], found["corruption_differences"]
    names = ("image_embeddings", "structure_embeddings", "pairs", "folds", "params:retrieval", "params:seed")
    clean = rank_matches(*(study[name] for name in names), split="random")
    ours = ranks[(ranks["images"] == "nothing") & (ranks["task"] == "retrieval")]
    keys = ["direction", "pool", "shown_by", "query", "candidates", "rank"]
    first = clean[clean["draw"] == 0]
    assert sorted(ours[keys].itertuples(index=False)) == sorted(first[keys].itertuples(index=False))

    same = differences[differences["images"] == "nothing"]
    assert (same[["difference", "low", "high"]] == 0).all(axis=None)
    assert set(same["task"]) == {"retrieval", "zero-shot compound", "zero-shot MoA", "probing"}
    assert set(differences.loc[differences["images"] == "small_rotation", "task"]) == {"retrieval"}
    assert set(differences["against"]) == {"clean"}
    turned = embed(study).query("corruption == 'small_rotation'")
    assert (turned["black"] > 0).any(), "a crop of 36 of 40 px sees wedges"

    metrics = found["corruption_metrics"]
    assert set(metrics["images"]) == set(NAMES)
    assert set(metrics["method"]) == {"CLOOME", "Random"}
    assert set(found["corruption_probing_scores"]["images"]) == {"nothing"}
    assert set(metrics.loc[metrics["task"] == "retrieval", "draws"]) == {1, 3}


def test_a_row_of_the_table_is_enough_to_make_its_embedding_again(study):
    manifest = schemas.corrupted_fields.validate(embed(study))
    assert len(manifest) == 2 * 48
    assert not manifest["augmentation"].any()
    table, vectors = study["corruption_store"].read("small_rotation")
    row = manifest[manifest["corruption"] == "small_rotation"].iloc[30]
    place = study["pairs"].set_index("field_id").loc[row["field_id"]]
    field = torch.from_numpy(study["plate_store"].reader([place["plate_file"]], [place["row"]])([0])[0])
    (turn,) = find_corruptions(["small_rotation"])
    changed = turn.change(field, **json.loads(row["settings"]))
    with torch.inference_mode():
        vector = build(study["checkpoint"]).encode_images(preprocess_of(study["checkpoint"])(changed[None]))[0]
    stored = vectors[table["field_id"].tolist().index(row["field_id"])]
    np.testing.assert_allclose(stored, vector.numpy(), atol=1e-5)


def test_what_is_embedded_is_not_embedded_again(study, monkeypatch):
    first = embed(study)
    store, embedded = study["corruption_store"], []
    write = CorruptionStore.write
    monkeypatch.setattr(CorruptionStore, "write", lambda s, name, *rest: embedded.append(name) or write(s, name, *rest))
    again = embed(study, pairs=study["pairs"].sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(again, first)
    assert embedded == []

    embed(study, CORRUPTION.model_copy(update={"names": [*NAMES, "random_flip"]}))
    assert embedded == ["random_flip"]
    os.truncate(store.path("nothing"), 100)
    embed(study)
    assert embedded.pop() == "nothing"
    corruption(draw=lambda generator: {"gain": generator.random()})(_dimmer())
    embed(study)
    assert embedded.pop() == "nothing", "with other code"
    embed(study, seed=1)
    assert embedded[-2:] == NAMES
    crop = embed(study, CORRUPTION.model_copy(update={"stage": "crop"}), seed=1)
    assert embedded[-2:] == NAMES
    assert set(crop["stage"]) == {"crop"}


def _dimmer():
    def nothing(image, gain):
        return (image * gain).to(image.dtype)

    return nothing


def test_queries_alone_can_be_corrupted(study):
    """Then references are clean: ranks are others, and images as candidates have no rows."""
    both = CORRUPTION.model_copy(update={"names": ["large_rotation"], "chosen": "large_rotation"})
    manifest = embed(study, both)
    all_ranks, _, _ = rank(study, manifest, both)
    query_ranks, _, differences = rank(study, manifest, both.model_copy(update={"corrupt": "queries"}))
    assert set(all_ranks["direction"].dropna()) == {"structure retrieval", "image retrieval"}
    assert set(query_ranks["direction"].dropna()) == {"structure retrieval"}
    assert set(differences["direction"].dropna()) == {"structure retrieval"}
    retrieved, asked = (ranks[ranks["direction"] == "structure retrieval"] for ranks in (all_ranks, query_ranks))
    assert (retrieved["rank"].to_numpy() == asked["rank"].to_numpy()).all()
    classified, asked = (ranks[ranks["task"] == "zero-shot compound"] for ranks in (all_ranks, query_ranks))
    assert (classified["query"].to_numpy() == asked["query"].to_numpy()).all()
    assert (classified["rank"].to_numpy() != asked["rank"].to_numpy()).any()


def test_an_augmentation_of_training_is_marked(study):
    config = study["checkpoint"].config | {"augmentation": {"resized_crop_scale": [0.9, 1.0]}}
    found = embed(study, checkpoint=dataclasses.replace(study["checkpoint"], config=config))
    assert found.groupby("corruption")["augmentation"].first().to_dict() == {"nothing": True, "small_rotation": False}


def test_a_screen_without_labels_has_no_probes(study, caplog):
    found = run(study, assay_labels=pd.DataFrame(columns=["compound_id"]))
    assert found["corruption_probing_scores"].empty
    assert "probing" not in set(found["corruption_metrics"]["task"])
    assert "no compound of the screen has assay labels" in caplog.text


def test_a_screen_without_mechanisms_or_replicates_has_retrieval_alone(study):
    once = study["pairs"].drop_duplicates("inchikey")
    manifest = embed(study, pairs=once)
    compounds = study["compounds"].assign(moa=None)
    for table in rank(study | {"pairs": once, "compounds": compounds}, manifest):
        assert set(table["task"]) == {"retrieval"}


def test_embeddings_of_another_model_are_refused(study):
    meta = study["image_embeddings"].meta | {"weights": "other"}
    with pytest.raises(ValueError, match=r"random\.image_embeddings are of the model other, random\.checkpoint is"):
        embed(study, image_embeddings=dataclasses.replace(study["image_embeddings"], meta=meta))
    manifest = embed(study)
    structures = dataclasses.replace(study["structure_embeddings"], meta=meta)
    with pytest.raises(ValueError, match=r"random\.structure_embeddings of other"):
        rank(study | {"structure_embeddings": structures}, manifest)


def test_a_manifest_of_other_embeddings_is_refused(study):
    manifest = embed(study)
    embed(study, seed=1)
    with pytest.raises(ValueError, match=r"random\.corrupted_fields are not of the embeddings of nothing"):
        rank(study, manifest)
    with pytest.raises(ValueError, match="not of the embeddings of random_flip"):
        rank(study, manifest, CORRUPTION.model_copy(update={"names": ["random_flip", *NAMES]}))


def test_unknown_corruptions_and_modules_are_told_before_the_run():
    with pytest.raises(ValueError, match="'random_flop' is unknown; the nearest there are: random_flip"):
        CorruptionParameters(names=["nothing", "random_flop"], chosen="nothing")
    with pytest.raises(ValueError, match=r"corruption\.modules: no_such_module cannot be imported"):
        CorruptionParameters(names=NAMES, chosen="nothing", modules=["no_such_module"])
    assert CorruptionParameters(names=NAMES, chosen="nothing") == CORRUPTION
