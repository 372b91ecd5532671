"""Epochs kept by downstream tasks: what is measured is what the evaluation pipelines find on the validation fold."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from cloome_kedro import schemas
from cloome_kedro.datasets.embeddings import EmbeddingsDataset
from cloome_kedro.evaluation.methods import Embeddings, Method
from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.checkpoint import Checkpoint, load, save
from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.views.images import PUBLISHED_STATISTICS
from cloome_kedro.learning.views.morgan import Fingerprints
from cloome_kedro.parameters import (
    EmbeddingParameters,
    ModelParameters,
    ProbingParameters,
    StudyParameters,
    ZeroShotParameters,
)
from cloome_kedro.pipelines.embedding.nodes import embed_fields
from cloome_kedro.pipelines.probing.nodes import probe_assays
from cloome_kedro.pipelines.training.fitting import TrainingData, fit_model
from cloome_kedro.pipelines.zero_shot.nodes import classify_fields
from cloome_kedro.words import PROBING, RETRIEVAL_METRICS, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA
from planted_examples import inchikey, make_examples, write_plate
from small_models import IMAGE_MODEL

pytestmark = pytest.mark.usefixtures("one_thread")
COMPOUNDS, FIELDS, BITS = 40, 3, 16
STUDY = StudyParameters(screen="s", simulated=False, models={"cloome": "CLOOME"})
TASK_METRICS = tuple(VALIDATION_METRICS)
PARAMETERS = ProbingParameters(c_grid=[0.01, 1, 100], resamples=100)


def settings(keep, **changes):
    fit = {"warmup_steps": 1, "batch_size": 16, "epochs": 1, "accelerator": "cpu", "keep": keep}
    return ModelParameters.model_validate({**IMAGE_MODEL, "fit": fit, "selected_by": keep[0], **changes})


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """Compounds 0-19 train, 20-29 validate, 30-39 test; their mechanism and labels show in the fields."""
    rng = np.random.default_rng(0)
    number = np.tile(np.arange(COMPOUNDS), FIELDS)
    bright = 40 * (number % 4)[:, None, None, None]
    store = PlateStore(tmp_path_factory.mktemp("store"))
    images = np.clip(rng.normal(60, 20, (len(number), 5, 32, 32)) + bright, 0, 255).astype(np.uint8)
    write_plate(store, "P1", images)
    of_compound = np.arange(COMPOUNDS)
    moa = [None if i % 7 == 0 else f"mechanism {i % 4}" for i in of_compound]
    wells = [f"{chr(65 + i // 24)}{i % 24 + 1:02d}" for i in range(len(number))]
    examples = make_examples(
        pd.DataFrame({"plate": "P1", "well": wells, "number": number}),
        ["train"] * 20 + ["validation"] * 10 + ["test"] * 10,
        split="random",
        moa=moa,
    )
    labels = {"bright": of_compound % 4 > 1, "noise": rng.random(COMPOUNDS) < 0.5}
    labels = pd.DataFrame({"inchikey": [inchikey(i) for i in of_compound], **labels})
    codes = rng.integers(0, 256, (COMPOUNDS, BITS // 8), dtype=np.uint8)
    return {
        "examples": examples,
        "labels": schemas.labels.validate(labels),
        "plate_store": store,
        "fingerprints": Fingerprints(codes, {"radius": 3, "bits": BITS, "chirality": True}),
    }


def run(screen, model, folder, seed=0):
    names = ("plate_store", "plate_statistics", "fingerprints")
    sources = {name: screen[name] for name in names if name in screen}
    data = TrainingData(screen["examples"], screen["labels"], PARAMETERS, sources)
    return fit_model(FitState(folder), data, model, seed, progress=False)


@pytest.fixture(scope="module")
def measured(screen, one_thread, tmp_path_factory):
    """All metrics of one epoch, and the fields of all folds embedded by its model, as the only method."""
    result, described = run(screen, settings([*TASK_METRICS, "top1"]), tmp_path_factory.mktemp("state"))
    checkpoint = Checkpoint(described, result.best["top1"].tensors)
    examples, view = screen["examples"], checkpoint.view("field")
    read = view.rows(examples, {"plate_store": screen["plate_store"]}).read
    vectors = Embedder(checkpoint.build(), 16, progress=False)("field", read, len(examples), view)
    meta = {"split_hash": examples["split_hash"].iloc[0]}
    return result.history[0], {"CLOOME": Method(Embeddings(examples["field_id"].to_numpy(), vectors, meta))}


def test_zero_shot_is_what_its_pipeline_finds(screen, measured):
    row, methods = measured
    parameters = ZeroShotParameters(fold="validation", exclude=[[]], same_plate=False)
    _, metrics, _ = classify_fields(methods, screen["examples"], STUDY, parameters, 0)
    values = metrics.query("method == 'CLOOME' and metric == 'top-1' and draws == 10").set_index("task")["value"]
    assert row["validation_zero_shot_compound_top1"] == pytest.approx(values[ZERO_SHOT_COMPOUND])
    assert row["validation_zero_shot_moa_top1"] == pytest.approx(values[ZERO_SHOT_MOA])
    assert values[ZERO_SHOT_MOA] > 0


def test_probing_is_what_its_pipeline_chooses_by(screen, measured):
    row, methods = measured
    scores, _, _ = probe_assays(methods, screen["examples"], screen["labels"], STUDY, PARAMETERS, 0)
    assert scores["scored"].all()
    assert row["validation_probing_auc"] == pytest.approx(scores["validation_auc"].mean(), abs=1e-6)


def test_few_fields_of_a_compound_are_looked_at(screen, tmp_path):
    read = []

    class Store:
        digest, storage = screen["plate_store"].digest, screen["plate_store"].storage

        def reader(self, files, rows):
            reading = screen["plate_store"].reader(files, rows)
            return lambda positions: read.extend(positions.tolist()) or reading(positions)

    def fields_read(keep, **changes):
        read.clear()
        run({**screen, "plate_store": Store()}, settings(keep, **changes), tmp_path / f"{keep}{changes}")
        return len(read)

    trained = fields_read(["top1"]) - 10  # of ten validation compounds one field each
    assert fields_read(["zero_shot_compound_top1"], validation_fields=2) - trained <= 30
    assert fields_read(["zero_shot_compound_top1"]) - trained == 30
    assert fields_read(["probing_auc"], validation_fields=1) - trained <= 40
    assert fields_read(["probing_auc"]) - trained == 90


def with_view(model, **changes):
    """Settings of a model with another view of images."""
    return model.model_copy(
        update={"field": model.field.model_copy(update={"view": dataclasses.replace(model.field.view, **changes)})}
    )


def test_training_normalises_by_the_controls_of_plates(screen, tmp_path):
    """With the published statistics as those of the plate, the weights are those of the published normalisation."""
    values = pd.DataFrame({"plate_file": "P1", "channel": ["Mito", "ER", "RNA", "AGP", "DNA"]})
    published = values.assign(mean=PUBLISHED_STATISTICS, std=PUBLISHED_STATISTICS)

    def weights(name, normalisation, statistics, **changes):
        model = with_view(settings(["top1"]), normalisation=normalisation, **changes)
        return run({**screen, "plate_statistics": statistics}, model, tmp_path / name)[0].best["top1"].tensors

    expected = weights("published", "published", published)
    found = weights("controls", "controls", published)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    others = [
        weights("controls", "controls", published.assign(std=60.0)),
        weights("controls", "controls", published, flips=True),
        weights("controls", "controls", published, cutout=0.5),
    ]
    assert len({str(tensors["visual.conv1.weight"]) for tensors in (expected, *others)}) == 4, "each is trained anew"


@pytest.mark.parametrize(
    "changes", [{}, {"flips": True, "quarter_turns": True, "intensity_jitter": 0.2, "cutout": 0.3}]
)
def test_augmentation_is_the_same_in_every_training(screen, tmp_path, changes):
    model = with_view(settings(["top1"]), **changes)
    first, again = (run(screen, model, tmp_path / name)[0].best["top1"].tensors for name in ("first", "again"))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_only_what_is_named_is_measured(screen, tmp_path):
    row = run(screen, settings(["top1"]), tmp_path)[0].history[0]
    assert not {f"validation_{name}" for name in TASK_METRICS} & set(row)
    assert {f"validation_{name}" for name in RETRIEVAL_METRICS} <= set(row)


def test_other_labels_begin_anew_where_they_are_scored_by(screen, tmp_path):
    labels = screen["labels"].assign(noise=1 - screen["labels"]["noise"])
    for metric, trainings in (("top1", 1), ("probing_auc", 2)):
        names = []
        for changed in ({}, {"labels": labels}):
            run({**screen, **changed}, settings([metric]), tmp_path / metric)
            names += [path.name for path in (tmp_path / metric).glob("*.done.pt")]
        assert len(set(names)) == trainings


def test_what_a_screen_lacks_is_told_before_training(screen, tmp_path):
    no_moa = {**screen, "examples": screen["examples"].assign(moa=None)}
    with pytest.raises(ValueError, match=r"fit.keep: zero_shot_moa_top1 cannot be .*: no field has a known class"):
        run(no_moa, settings(["zero_shot_moa_top1"]), tmp_path)
    no_labels = {**screen, "labels": screen["labels"][["inchikey"]].iloc[:0]}
    with pytest.raises(ValueError, match=r"probing_auc cannot be measured .*: no compound has a label"):
        run(no_labels, settings(["probing_auc"]), tmp_path)
    one_field = {**screen, "examples": screen["examples"].iloc[:COMPOUNDS]}
    with pytest.raises(ValueError, match=r"zero_shot_compound_top1 .*none of 10 classes has two fields"):
        run(one_field, settings(["zero_shot_compound_top1"]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_metrics_have_one_name_everywhere(measured):
    row, _ = measured
    names = {f"validation_{name}" for name in ("loss", *RETRIEVAL_METRICS, *TASK_METRICS)}
    assert names == {name for name in row if name.startswith("validation_")}
    table = pd.DataFrame([row]).assign(best=True)
    assert list(schemas.history.validate(table)) == list(table)
    assert TASK_METRICS == ("zero_shot_compound_top1", "zero_shot_moa_top1", "probing_auc")
    tasks = [VALIDATION_METRICS.facts(name)["task"] for name in TASK_METRICS]
    assert tasks == [ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA, PROBING]
    with pytest.raises(ValidationError, match=r"no validation metric probing, only loss, top1, .*probing_auc"):
        settings(["probing"])


def test_a_model_with_attention_is_trained_embedded_and_validated_with_its_weights(screen, tmp_path):
    """Probes of the validation fold, saved and loaded checkpoints and stored embeddings have the same weights."""
    fit = {"warmup_steps": 1, "batch_size": 8, "epochs": 3, "accelerator": "cpu", "learning_rate": 0.03}
    model = settings(
        ["probing_auc"], fit={**fit, "keep": ["probing_auc"], "fields_per_compound": 2}, pooling="attention"
    )
    result, described = run(screen, model, tmp_path / "state")
    facts = {
        "split_hash": screen["examples"]["split_hash"].iloc[0],
        "seed": 0,
        "epoch": result.best["probing_auc"].epoch,
    }
    save(Checkpoint(described | facts, result.best["probing_auc"].tensors), tmp_path / "checkpoint")
    embedding = EmbeddingParameters(accelerator="cpu", batch_size=16)
    stored = EmbeddingsDataset(filepath=str(tmp_path / "embeddings"))
    stored.save(
        embed_fields(load(tmp_path / "checkpoint"), screen["examples"], embedding, plate_store=screen["plate_store"])
    )
    embeddings = stored.load()
    assert embeddings.meta["pooling"] == "attention"
    assert np.ptp(embeddings.logits) > 1e-3
    scores, _, _ = probe_assays(
        {"CLOOME": Method(embeddings)}, screen["examples"], screen["labels"], STUDY, PARAMETERS, 0
    )
    best = result.history[result.best["probing_auc"].epoch]
    assert best["validation_probing_auc"] == pytest.approx(scores["validation_auc"].mean(), abs=1e-6)


def test_what_a_checkpoint_says_of_the_model_is_enough_to_build_it(screen, tmp_path):
    """Objective and temperature are those of the configuration."""
    model = settings(["top1"], objective={"name": "info_loob", "hopfield_beta": 8.0}, inverse_temperature=30)
    result, described = run(screen, model, tmp_path)
    assert described["objective"] == {"name": "info_loob", "hopfield_beta": 8.0}
    checkpoint = Checkpoint(described, result.best["top1"].tensors)
    assert checkpoint.architecture.inverse_temperature == 30
    assert checkpoint.architecture.compound_inputs == BITS
    assert set(checkpoint.build().state_dict()) == set(result.best["top1"].tensors)
