"""The corruption study on a small store on disk."""

import dataclasses
import json
import os

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.validation.type_extractor import TypeExtractor

from cloome_kedro import schemas
from cloome_kedro.evaluation.methods import Embeddings, Method
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.corruption_store import CorruptionStore
from cloome_kedro.imaging.corruptions import CORRUPTIONS, Corruption, find_corruptions
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.checkpoint import Checkpoint, describe
from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Morgan
from cloome_kedro.parameters import (
    CorruptionParameters,
    EmbeddingParameters,
    ProbingParameters,
    RetrievalParameters,
    StudyParameters,
    ZeroShotParameters,
)
from cloome_kedro.pipelines.corruption import create_pipeline
from cloome_kedro.pipelines.corruption.evaluation import rank_corrupted
from cloome_kedro.pipelines.corruption.nodes import embed_corrupted
from cloome_kedro.pipelines.retrieval.nodes import rank_matches
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND
from planted_examples import inchikey, make_examples, run_pipeline, unit, write_plate
from registries import restored

pytestmark = pytest.mark.usefixtures("one_thread")
COMPOUNDS = 24
NAMES = ["nothing", "small_rotation"]
CORRUPTION = CorruptionParameters.model_construct(names=NAMES, chosen="nothing")  # which each test registers
EMBEDDING = EmbeddingParameters(batch_size=16, accelerator="cpu")
RETRIEVAL = RetrievalParameters(candidates=4, draws=3, top_k=[1, 3])
ZERO_SHOT = ZeroShotParameters(draws=2, top_k=[1, 3])
PROBING = ProbingParameters(c_grid=[0.01, 1.0], resamples=100)
STUDY = StudyParameters(screen="s", simulated=True, models={"one": "First", "two": "Second"})
OUTPUTS = {
    "corruption_ranks": schemas.ranks,
    "corruption_metrics": schemas.metrics,
    "corruption_differences": schemas.differences,
    "corrupted_probing_scores": schemas.probing_scores,
    "corrupted_probing_metrics": schemas.metrics,
    "corrupted_probing_differences": schemas.differences,
}
ARCHITECTURE = Architecture(ResNet(layers=(1, 1, 1, 1), width=4), MLP(1, 8), 5, 16, embedding_size=6)


def nothing(image):
    """A corruption that changes nothing."""
    return image


def register(change, draw=lambda generator: {}, **facts):
    """Put a corruption named ``nothing`` into the registry, in place of another one."""
    CORRUPTIONS.add("nothing", Corruption("nothing", draw, change, **facts), module=__name__)


@pytest.fixture(autouse=True)
def registry():
    """A registry of the test's own, with the corruption ``nothing``."""
    with restored(CORRUPTIONS):
        register(nothing, augments=("resized_crop_scale",))
        yield


def make_checkpoint(examples, seed=0):
    with seeded(seed):
        model = PairModel(ARCHITECTURE)
    views = {"field": Images(crop=36, mean=(128.0,) * 5, std=(70.0,) * 5), "compound": Morgan(bits=16)}
    facts = {"split_hash": examples["split_hash"].iloc[0], "seed": seed, "epoch": 0}
    return Checkpoint(describe(ARCHITECTURE, views, None, None) | facts, model.state_dict())


@pytest.fixture(scope="module")
def screen(tmp_path_factory, one_thread):
    """24 compounds, half of them tested, with four fields each on two plates, and their embeddings by two models."""
    generator = np.random.default_rng(0)
    store = PlateStore(tmp_path_factory.mktemp("plates"))
    for name in ("P1", "P2"):
        write_plate(store, name, generator.integers(1, 256, (48, 5, 40, 44), dtype=np.uint8))
    fields = pd.DataFrame(
        {
            "plate": np.repeat(["P1", "P2"], 48),
            "well": [f"{chr(65 + row // 12)}{row % 12 + 1:02d}" for row in [*range(48)] * 2],
            "row": [*range(48)] * 2,
            "number": np.tile(np.repeat(np.arange(COMPOUNDS), 2), 2),
        }
    )
    examples = make_examples(
        fields,
        np.tile(["train", "test", "validation", "test"], 6),
        split="random",
        moa=np.tile(np.array(["a", "b", "b", "c", None, "a"], object), 4),
    )
    keys = np.array([inchikey(i) for i in range(COMPOUNDS)])
    labels = {f"assay_{i}": generator.integers(0, 2, COMPOUNDS).astype(float) for i in range(2)}
    found = {
        "plate_store": store,
        "plate_statistics": schemas.empty(schemas.plate_statistics),
        "random.examples": examples,
        "labels": schemas.labels.validate(pd.DataFrame({"inchikey": keys, **labels})),
        "random.methods": {},
    }
    for seed, (model, label) in enumerate(STUDY.models.items()):
        checkpoint = make_checkpoint(examples, seed)
        view = checkpoint.view("field")
        read = view.rows(examples, {"plate_store": store}).read
        vectors = Embedder(checkpoint.build(), 32, progress=False)("field", read, len(examples), view)
        structures = vectors.reshape(2, COMPOUNDS, 2, -1).mean((0, 2)) + 0.05 * generator.normal(size=(COMPOUNDS, 6))
        meta = {"split_hash": examples["split_hash"].iloc[0], "weights": checkpoint.weights}
        of_fields = Embeddings(examples["field_id"].to_numpy(), vectors, meta)
        found[f"random.{model}.checkpoint"] = checkpoint
        found[f"random.{model}.field_embeddings"] = of_fields
        found["random.methods"][label] = Method(
            of_fields, Embeddings(keys, unit(structures), meta), ("retrieval", "zero-shot compound", "zero-shot MoA")
        )
    return found


@pytest.fixture
def study(screen, tmp_path):
    """Inputs of the pipeline with one model; nothing is corrupted yet."""
    return {
        **{name: value for name, value in screen.items() if ".two." not in name},
        "corruption_stores": tmp_path,
        "params:corruption": CORRUPTION,
        "params:embedding": EMBEDDING,
        "params:retrieval": RETRIEVAL,
        "params:zero_shot": ZERO_SHOT,
        "params:probing": PROBING,
        "params:study": STUDY,
        "params:seed": 0,
    }


def run(study, models=("one",), **changes):
    """Run the pipeline; give its tables, validated as the catalog does."""
    found = run_pipeline(create_pipeline("random", models), study | changes)
    for model in models:
        schemas.corrupted_fields.validate(found[f"random.{model}.corrupted_fields"])
    return {name: schema.validate(found[f"random.{name}"]) for name, schema in OUTPUTS.items()}


def embed(study, parameters=CORRUPTION, seed=0, **changes):
    """Corrupt and embed for the first model; ``changes`` are other arguments of the node."""
    arguments = {name: study[f"random.one.{name}"] for name in ("checkpoint", "field_embeddings")}
    arguments |= {"corruption_stores": study["corruption_stores"], "place": "random/one"}
    shared = {"plate_store": study["plate_store"], "examples": study["random.examples"]}
    return embed_corrupted(**{**arguments, **shared, **changes}, corruption=parameters, embedding=EMBEDDING, seed=seed)


def rank(study, manifest, parameters=CORRUPTION, **changes):
    arguments = {
        "methods": study["random.methods"],
        "examples": study["random.examples"],
        "corruption_stores": study["corruption_stores"],
        "one_fields": manifest,
        **changes,
    }
    settings = {"study": STUDY, "corruption": parameters, "retrieval": RETRIEVAL, "zero_shot": ZERO_SHOT, "seed": 0}
    return rank_corrupted(**arguments, **settings)


def attending(study):
    """The study, whose first model weights the fields of a compound."""
    first, examples = study["random.one.checkpoint"], study["random.examples"]
    model = PairModel(dataclasses.replace(ARCHITECTURE, pooling="attention"))
    model.load_state_dict(first.tensors, strict=False)
    torch.nn.init.normal_(model.attention.logit.weight, std=10, generator=torch.Generator().manual_seed(0))
    config = {**first.config, "architecture": model.architecture.describe()}
    checkpoint, view = Checkpoint(config, model.state_dict()), first.view("field")
    read = view.rows(examples, {"plate_store": study["plate_store"]}).read
    vectors, logits = Embedder(model, 32, progress=False).fields_with_logits(read, len(examples), view)
    assert np.ptp(logits) > 0.5
    meta = {"split_hash": examples["split_hash"].iloc[0], "weights": checkpoint.weights}
    fields = Embeddings(examples["field_id"].to_numpy(), vectors, meta, logits)
    methods = {**study["random.methods"]}
    methods["First"] = dataclasses.replace(methods["First"], fields=fields)
    changed = {"random.one.checkpoint": checkpoint, "random.one.field_embeddings": fields, "random.methods": methods}
    return {**study, **changed}


def test_weights_of_fields_are_stored_with_corrupted_fields(study):
    plain, weighted = (embed_and_read(each) for each in (study, attending(study)))
    assert plain is None
    assert weighted.shape == (48,)
    assert np.ptp(weighted) > 0.1


def embed_and_read(study):
    embed(study)
    return CorruptionStore(study["corruption_stores"] / "random" / "one").logits("nothing")


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_what_changes_nothing_gives_what_clean_images_give(study, pooling):
    study = attending(study) if pooling == "attention" else study
    found = run(study)
    ranks = found["corruption_ranks"]
    clean = rank_matches(study["random.methods"], study["random.examples"], RETRIEVAL, 0)
    ours = ranks[(ranks["images"] == "nothing") & (ranks["task"] == "retrieval")]
    keys = ["direction", "pool", "shown_by", "query", "candidates", "rank"]
    first = clean[(clean["draw"] == 0) & (clean["method"] == "First")]
    assert sorted(ours[keys].itertuples(index=False)) == sorted(first[keys].itertuples(index=False))

    differences = pd.concat([found["corruption_differences"], found["corrupted_probing_differences"]])
    same = differences[differences["images"] == "nothing"]
    assert (same[["difference", "low", "high"]] == 0).all(axis=None)
    assert set(same["task"]) == {"retrieval", "zero-shot compound", "zero-shot MoA", "probing"}
    assert set(differences.loc[differences["images"] == "small_rotation", "task"]) == {"retrieval"}
    assert set(differences["against"]) == {"clean"}
    turned = embed(study).query("corruption == 'small_rotation'")
    assert (turned["black"] > 0).any(), "a crop of 36 of 40 px sees wedges"

    metrics = pd.concat([found["corruption_metrics"], found["corrupted_probing_metrics"]])
    assert set(metrics["images"]) == set(NAMES)
    assert set(metrics["method"]) == {"First", "Random"}
    assert set(found["corrupted_probing_scores"]["images"]) == {"nothing"}
    assert set(metrics.loc[metrics["task"] == "retrieval", "draws"]) == {1, 3}
    for table in found.values():
        assert set(table["split"]) == {"random"}


def test_every_model_of_images_is_asked_with_its_own_embeddings(study, screen, tmp_path):
    others = {name: value for name, value in screen.items() if ".two." in name}
    both = run({**study, **others}, STUDY.models)
    alone = run(study)
    for name in ("corruption_ranks", "corrupted_probing_scores"):
        assert set(both[name]["method"]) == {"First", "Second"}
        of_first = both[name].query("method == 'First'").reset_index(drop=True)
        pd.testing.assert_frame_equal(of_first, alone[name].reset_index(drop=True))
    metrics = both["corruption_metrics"]
    assert set(metrics["method"]) == {"First", "Second", "Random"}
    keys = [name for name in metrics if name not in ("value", "low", "high", "spread", "chance")]
    assert not metrics.duplicated(keys).any(), "chance is told once"
    differences = pd.concat([both["corruption_differences"], both["corrupted_probing_differences"]])
    assert (differences.query("images == 'nothing'")["difference"] == 0).all()


def test_a_row_of_the_table_is_enough_to_make_its_embedding_again(study):
    manifest = schemas.corrupted_fields.validate(embed(study))
    assert len(manifest) == 2 * 48
    assert set(manifest["augmentation"]) == {"no"}
    table, vectors = CorruptionStore(study["corruption_stores"] / "random" / "one").read("small_rotation")
    row = manifest[manifest["corruption"] == "small_rotation"].iloc[30]
    place = study["random.examples"].set_index("field_id").loc[row["field_id"]]
    field = torch.from_numpy(study["plate_store"].reader([place["plate_file"]], [place["row"]])([0])[0])
    (turn,) = find_corruptions(["small_rotation"])
    changed = turn.change(field, **json.loads(row["settings"]))
    checkpoint = study["random.one.checkpoint"]
    with torch.inference_mode():
        vector = checkpoint.build().encode_fields(checkpoint.view("field")(changed[None]))[0]
    stored = vectors[table["field_id"].tolist().index(row["field_id"])]
    np.testing.assert_allclose(stored, vector.numpy(), atol=1e-5)


def test_what_is_embedded_is_not_embedded_again(study, monkeypatch):
    first = embed(study)
    store, embedded = CorruptionStore(study["corruption_stores"] / "random" / "one"), []
    write = CorruptionStore.write
    monkeypatch.setattr(CorruptionStore, "write", lambda s, name, *rest: embedded.append(name) or write(s, name, *rest))
    again = embed(study, examples=study["random.examples"].sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(again, first)
    assert embedded == []

    embed(study, CORRUPTION.model_copy(update={"names": [*NAMES, "random_flip"]}))
    assert embedded == ["random_flip"]
    os.truncate(store.path("nothing"), 100)
    embed(study)
    assert embedded.pop() == "nothing"
    register(lambda image, gain: (image * gain).to(image.dtype), lambda generator: {"gain": generator.random()})
    embed(study)
    assert embedded.pop() == "nothing", "with other code"
    embed(study, seed=1)
    assert embedded[-2:] == NAMES
    crop = embed(study, CORRUPTION.model_copy(update={"stage": "crop"}), seed=1)
    assert embedded[-2:] == NAMES
    assert set(crop["stage"]) == {"crop"}


def test_another_model_or_other_images_are_embedded_anew(study, tmp_path):
    digest = embed(study)["digest"].unique()
    other = make_checkpoint(study["random.examples"], seed=5)
    fields = dataclasses.replace(study["random.one.field_embeddings"], meta={"weights": other.weights})
    assert not set(digest) & set(embed(study, checkpoint=other, field_embeddings=fields)["digest"])
    store = PlateStore(tmp_path / "others")
    store.folder.mkdir()
    for name in ("P1", "P2"):
        write_plate(store, name, np.load(study["plate_store"].images(name)), "made anew")
    assert not set(digest) & set(embed(study, plate_store=store)["digest"])


def test_queries_alone_can_be_corrupted(study):
    """Then references are clean: ranks are others, and images as candidates have no rows."""
    both = CORRUPTION.model_copy(update={"names": ["large_rotation"], "chosen": "large_rotation"})
    manifest = embed(study, both)
    all_ranks, _, _ = rank(study, manifest, both)
    query_ranks, _, differences = rank(study, manifest, both.model_copy(update={"corrupt": "queries"}))
    assert set(all_ranks["direction"].dropna()) == {IMAGE_TO_COMPOUND, COMPOUND_TO_IMAGE}
    assert set(query_ranks["direction"].dropna()) == {IMAGE_TO_COMPOUND}
    assert set(differences["direction"].dropna()) == {IMAGE_TO_COMPOUND}
    retrieved, asked = (ranks[ranks["direction"] == IMAGE_TO_COMPOUND] for ranks in (all_ranks, query_ranks))
    assert (retrieved["rank"].to_numpy() == asked["rank"].to_numpy()).all()
    classified, asked = (ranks[ranks["task"] == "zero-shot compound"] for ranks in (all_ranks, query_ranks))
    assert (classified["query"].to_numpy() == asked["query"].to_numpy()).all()
    assert (classified["rank"].to_numpy() != asked["rank"].to_numpy()).any()


def with_view(checkpoint, **changes):
    """A checkpoint whose view of fields has other settings."""
    views = checkpoint.config["views"]
    views = {**views, "field": {**views["field"], **changes}}
    return dataclasses.replace(checkpoint, config={**checkpoint.config, "views": views})


def test_augmentations_of_training_are_marked(study):
    flips = CORRUPTION.model_copy(update={"names": [*NAMES, "random_flip", "large_rotation"]})
    changed = with_view(study["random.one.checkpoint"], resized_crop_scale=[0.9, 1.0], flips=True)
    found = schemas.corrupted_fields.validate(embed(study, flips, checkpoint=changed))
    assert found.groupby("corruption")["augmentation"].unique().map(list).to_dict() == {
        "nothing": ["yes"],
        "small_rotation": ["no"],
        "random_flip": ["yes"],
        "large_rotation": ["partly"],
    }


def test_corrupted_images_are_normalised_by_the_controls_of_their_plate(study):
    """Statistics of the plates that equal those of the model give the same embeddings; others give other ones."""
    channels = list(CHANNELS)
    equal = pd.DataFrame(
        {"plate_file": np.repeat(["P1", "P2"], 5), "channel": channels * 2, "mean": 128.0, "std": 70.0}
    )
    changed = with_view(study["random.one.checkpoint"], normalisation="controls", storage={"channels": channels})
    store = CorruptionStore(study["corruption_stores"] / "random" / "one")
    embed(study)
    expected = {name: store.read(name)[1] for name in NAMES}
    embed(study, checkpoint=changed, plate_statistics=equal)
    for name in NAMES:
        np.testing.assert_allclose(store.read(name)[1], expected[name], atol=1e-5)
    digest = store.digest("nothing")
    embed(study, checkpoint=changed, plate_statistics=equal.assign(mean=[100.0] * 5 + [128.0] * 5))
    assert store.digest("nothing") != digest
    table, vectors = store.read("nothing")
    other_plate = table["field_id"].str.contains("/P1/").to_numpy()
    same = np.isclose(vectors, expected["nothing"], atol=1e-5).all(1)
    assert (same == ~other_plate).all()
    assert other_plate.any()
    assert not other_plate.all()


def test_a_screen_without_labels_has_no_probes(study, caplog):
    found = run(study, labels=study["labels"].iloc[:0])
    assert all(found[f"corrupted_probing_{name}"].empty for name in ("scores", "metrics", "differences"))
    assert not found["corruption_metrics"].empty
    assert "random split: no compound has an assay label, so corruptions are not probed" in caplog.text


def test_a_screen_without_mechanisms_or_replicates_has_retrieval_alone(study):
    once = study["random.examples"].drop_duplicates("inchikey").assign(moa=None)
    manifest = embed(study, examples=once)
    for table in rank(study, manifest, examples=once):
        assert set(table["task"]) == {"retrieval"}


def test_embeddings_of_another_model_are_refused(study):
    clean = study["random.one.field_embeddings"]
    other = dataclasses.replace(clean, meta=clean.meta | {"weights": "other"})
    weights = study["random.one.checkpoint"].weights
    message = f"random split: clean fields .* by the model other, but the checkpoint is the model {weights}"
    with pytest.raises(ValueError, match=message):
        embed(study, field_embeddings=other)
    manifest = embed(study)
    method = dataclasses.replace(study["random.methods"]["First"], fields=other)
    message = f"corrupted fields of First .* the model {weights}, but clean fields by the model other"
    with pytest.raises(ValueError, match=message):
        rank(study, manifest, methods={**study["random.methods"], "First": method})


def test_a_manifest_of_other_embeddings_is_refused(study):
    manifest = embed(study)
    embed(study, seed=1)
    with pytest.raises(
        ValueError, match=r"one.corrupted_fields does not describe the embeddings of nothing in .*/one:"
    ):
        rank(study, manifest)
    with pytest.raises(ValueError, match="does not describe the embeddings of random_flip"):
        rank(study, manifest, CORRUPTION.model_copy(update={"names": ["random_flip", *NAMES]}))


def test_unknown_corruptions_are_told_before_the_run():
    with pytest.raises(ValueError, match="no corruption 'random_flop'; the nearest are: random_flip"):
        CorruptionParameters(names=["nothing", "random_flop"], chosen="nothing")
    with pytest.raises(ValueError, match=r"corruption\.chosen: random_flip is not in corruption\.names, nothing"):
        CorruptionParameters(names=NAMES, chosen="random_flip")
    with pytest.raises(ValueError, match=r"corruption\.names: a name occurs twice"):
        CorruptionParameters(names=["nothing", *NAMES], chosen="nothing")
    assert CorruptionParameters(names=NAMES, chosen="nothing") == CORRUPTION


def test_a_study_without_models_of_images_corrupts_nothing():
    assert not create_pipeline("random", []).nodes


def test_wiring():
    pipeline = create_pipeline("random", ["one", "two"])
    assert {node.name for node in pipeline.nodes} == {
        *(f"random.models.{model}.embed_corrupted" for model in ("one", "two")),
        *(f"random.evaluation.corruption.{name}" for name in ("rank_corrupted", "probe_corrupted")),
    }
    assert {node.name for node in pipeline.only_nodes_with_tags("gpu").nodes} == {
        f"random.models.{model}.embed_corrupted" for model in ("one", "two")
    }
    assert TypeExtractor({"corruption": pipeline}).extract_types_from_pipelines() == {
        "corruption": CorruptionParameters,
        "embedding": EmbeddingParameters,
        "probing": ProbingParameters,
        "retrieval": RetrievalParameters,
        "study": StudyParameters,
        "zero_shot": ZeroShotParameters,
    }
