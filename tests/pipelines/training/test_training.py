"""The training pipeline on a small store on disk."""

import dataclasses
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError

import stored_plates
from cloome_kedro import schemas
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.views.morgan import Fingerprints
from cloome_kedro.parameters import ModelParameters, ProbingParameters
from cloome_kedro.pipelines.training import create_pipeline
from cloome_kedro.pipelines.training.nodes import select_checkpoint, train
from cloome_kedro.run_store import RunStore, read_runs
from planted_examples import inchikey, make_examples, run_pipeline, write_plate
from small_models import IMAGE_MODEL

pytestmark = pytest.mark.usefixtures("one_thread")
COMPOUNDS, FIELDS = 12, 3
PROBING = ProbingParameters(c_grid=[0.01, 1, 100])
SETTINGS = {"radius": 3, "bits": 16, "chirality": True}
FOLDS = ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
STORAGE = stored_plates.STORAGE | {"scope": "field", "size": [36, 36]}


def settings(normalisation="dataset", objective="info_nce", model=None, **fit):
    """A small model; ``fit`` are settings of the training, ``model`` others."""
    view = {"name": "images", "crop": 32, "normalisation": normalisation}
    return ModelParameters.model_validate(
        {
            **IMAGE_MODEL,
            "field": {**IMAGE_MODEL["field"], "view": view},
            "objective": objective,
            "fit": {"warmup_steps": 2, "batch_size": 4, "epochs": 2, "accelerator": "cpu", **fit},
            **(model or {}),
        }
    )


@pytest.fixture
def screen(tmp_path):
    """Inputs of `train`: compounds 0-7 for training, 8-9 for validation, 10-11 for test, three fields each."""
    rng = np.random.default_rng(0)
    store = PlateStore(tmp_path)
    write_plate(store, "P1", rng.integers(0, 200, (COMPOUNDS * FIELDS, 5, 36, 36), dtype=np.uint8), storage=STORAGE)
    rows = np.arange(COMPOUNDS * FIELDS)
    number = rows % COMPOUNDS
    fields = pd.DataFrame({"plate": "P1", "well": [f"A{i + 1:02d}" for i in rows], "number": number})
    treatment = [f"{inchikey(of)}@{1 + i // COMPOUNDS % 2}" for i, of in enumerate(number)]
    active = np.arange(COMPOUNDS) % 2
    labels = {"even": 1.0 - active, "first": [1.0] * 4 + [0.0] * 8}
    return {
        "examples": make_examples(fields.assign(treatment=treatment), FOLDS, split="random"),
        "labels": schemas.labels.validate(
            pd.DataFrame({"inchikey": [inchikey(i) for i in range(COMPOUNDS)], **labels})
        ),
        "plate_store": store,
        "fingerprints": Fingerprints(rng.integers(0, 256, (COMPOUNDS, 2), dtype=np.uint8), SETTINGS),
    }


def refold(screen, **changes):
    """The screen with compounds of one fold in another."""
    folds = [changes.get(fold, fold) for fold in FOLDS]
    of_compound = dict(zip([inchikey(i) for i in range(COMPOUNDS)], folds, strict=True))
    return {**screen, "examples": screen["examples"].assign(fold=screen["examples"]["inchikey"].map(of_compound))}


def run(screen, model=None, seed=0, states=None):
    """Train; give the selected checkpoint and the history."""
    model = model or settings()
    with TemporaryDirectory() as folder:
        checkpoints, history = train(
            fit_states=states or Path(folder), subfolder="m", **screen, model=model, probing=PROBING, seed=seed
        )
    return select_checkpoint(checkpoints, model), history


def test_pipeline(screen, tmp_path):
    """One namespace and state for each model; sources are handed over by name."""
    pipeline = create_pipeline("random", "mine", ["plate_store", "fingerprints"])
    inputs = {
        "run_states": tmp_path,
        "run_store": RunStore(tmp_path / "runs.parquet" / "default"),
        "random.examples": screen["examples"],
        "params:models.mine": settings(),
        "params:probing": PROBING,
        "params:seed": 0,
        **{name: screen[name] for name in ("labels", "plate_store", "fingerprints")},
    }
    assert pipeline.inputs() == set(inputs)
    outputs = run_pipeline(pipeline, inputs)
    assert set(outputs) == {f"random.mine.{name}" for name in ("checkpoints", "checkpoint", "history")}
    schemas.history.validate(outputs["random.mine.history"])
    assert list((tmp_path / "random" / "mine").glob("*.done.pt"))
    chosen = outputs["random.mine.checkpoint"]
    assert chosen is outputs["random.mine.checkpoints"]["top1"]
    (row,) = read_runs(tmp_path / "runs.parquet").to_dict(orient="records")
    assert (row["step"], row["split"], row["model"], row["variant"]) == ("training", "random", "mine", "default")
    assert row["weights"] == chosen.weights
    assert json.loads(row["validation"]) == chosen.config["validation"]
    assert row["epochs"] == len(outputs["random.mine.history"])
    assert len(row["data_hash"]) == 16
    assert {node.name for node in pipeline.only_nodes_with_tags("gpu").nodes} == {
        "random.models.mine.train", "random.models.mine.select_checkpoint"
    }  # fmt: skip


def test_the_winner_of_a_search_has_its_own_namespace_and_settings():
    pipeline = create_pipeline("random", "mine", ["random_tuned.fingerprints"], "random_tuned", "random_tuned.settings")
    assert {"random.examples", "run_states", "random_tuned.settings"} <= pipeline.inputs()
    assert all(name.startswith("random_tuned.mine.") for name in pipeline.all_outputs())
    assert not any(name.startswith("params:models") for name in pipeline.inputs())


def test_parameters_are_typed_for_kedro():
    found = TypeExtractor({"training": create_pipeline("random", "mine", [])}).extract_types_from_pipelines()
    assert found == {"models.mine": ModelParameters, "probing": ProbingParameters}


def test_checkpoint_holds_all_that_inference_needs(screen):
    checkpoint, history = run(screen)
    config = checkpoint.config
    assert config["views"]["compound"] == {"name": "morgan", **SETTINGS}
    assert config["views"]["field"]["storage"] == STORAGE
    assert config["views"]["field"]["crop"] == 32
    assert config["architecture"]["field"] == {
        "name": "resnet",
        **dataclasses.asdict(settings().field.encoder),
        "layers": [1, 1, 1, 1],
    }
    assert config["objective"] == {"name": "info_nce"}
    assert config["fit"]["batch_size"] == 4
    assert config["split_hash"] == screen["examples"]["split_hash"].iloc[0]
    best = history[history["best"]].iloc[0]
    assert config["epoch"] == best["epoch"]
    assert config["validation"]["validation_top1"] == best["validation_top1"]
    view = checkpoint.view("field")
    embedded = checkpoint.build().encode_fields(view(torch.zeros(1, 5, 36, 36, dtype=torch.uint8)))
    assert embedded.shape == (1, 8)


def test_normalisation_is_computed_on_the_training_fold(screen):
    images = np.load(screen["plate_store"].images("P1"))
    in_training = images[np.arange(len(images)) % COMPOUNDS < 8]
    found = run(screen)[0].view("field")
    np.testing.assert_allclose(found.mean, in_training.mean((0, 2, 3)), rtol=1e-9)
    np.testing.assert_allclose(found.std, in_training.std((0, 2, 3)), rtol=1e-9)
    assert run(screen, settings("per_image"))[0].view("field").normalisation == "per_image"
    assert run(screen, settings("published"))[0].view("field").mean[0] == 47.1314


def test_without_validation_compounds_the_history_is_still_a_whole_table(screen):
    checkpoint, history = run(refold(screen, validation="test"))
    history = schemas.history.validate(history)
    assert history["validation_loss"].isna().all()
    assert len(history) == 2
    assert checkpoint.config["validation"] == {}
    assert checkpoint.config["epoch"] == 1


def test_the_test_fold_changes_nothing(screen):
    checkpoint, history = run(screen)
    images = np.load(screen["plate_store"].images("P1"))
    images[np.arange(len(images)) % COMPOUNDS >= 10] = 255
    write_plate(screen["plate_store"], "P1", images, storage=STORAGE)
    screen["fingerprints"].packed[10:] = 0
    screen["labels"].loc[10:, ["even", "first"]] = np.nan
    again, history_again = run(screen)
    assert all(torch.equal(checkpoint.tensors[name], again.tensors[name]) for name in again.tensors)
    timing = ["fields_per_second", "waiting_fraction"]
    pd.testing.assert_frame_equal(history.drop(columns=timing), history_again.drop(columns=timing))


def test_the_best_by_each_metric_is_kept_and_one_selected(screen, tmp_path):
    model = settings(keep=["loss", "top1"], epochs=3)
    checkpoints, history = train(fit_states=tmp_path, subfolder="m", **screen, model=model, probing=PROBING, seed=0)
    assert {name: checkpoint.config["selected_by"] for name, checkpoint in checkpoints.items()} == {
        "loss": "loss",
        "top1": "top1",
    }
    assert checkpoints["loss"].config["epoch"] == history["validation_loss"].idxmin()
    assert history.index[history["best"]].tolist() == [checkpoints["top1"].config["epoch"]]
    assert select_checkpoint(checkpoints, model) is checkpoints["top1"]
    other = model.model_copy(update={"selected_by": "top5"})
    with pytest.raises(
        ValueError, match="there is no checkpoint of the metric top5, only of loss, top1: run the node train again"
    ):
        select_checkpoint(checkpoints, other)


def test_a_training_that_has_ended_is_not_repeated(screen, tmp_path, caplog):
    caplog.set_level("INFO")
    first, history = run(screen, states=tmp_path)
    again, history_again = run(screen, states=tmp_path)
    assert "this training is already finished" in caplog.text
    assert all(torch.equal(first.tensors[name], again.tensors[name]) for name in first.tensors)
    pd.testing.assert_frame_equal(history, history_again)


def test_images_made_anew_are_trained_on_anew(screen, tmp_path):
    first, _ = run(screen, states=tmp_path)
    images = np.load(screen["plate_store"].images("P1"))
    write_plate(screen["plate_store"], "P1", images[:, ::-1], "second", STORAGE)
    second, _ = run(screen, states=tmp_path)
    assert not torch.equal(first.tensors["visual.fc.weight"], second.tensors["visual.fc.weight"])


def test_treatments_count_one_by_one(screen):
    _, by_compound = run(screen, settings(batch_size=8))
    _, by_treatment = run(screen, settings(batch_size=8, model={"pair_key": "treatment"}))
    # 24 training fields: 3 passes over 8 compounds, or 2 (1.5 rounded) over 16 treatments.
    assert by_compound["step"].tolist() == [3, 6]
    assert by_treatment["step"].tolist() == [4, 8]


def test_seed_decides(screen):
    (first, _), (again, _), (other, _) = run(screen), run(screen), run(screen, seed=1)
    assert torch.equal(first.tensors["visual.fc.weight"], again.tensors["visual.fc.weight"])
    assert not torch.equal(first.tensors["visual.fc.weight"], other.tensors["visual.fc.weight"])
    assert other.config["seed"] == 1


def test_what_does_not_fit_is_named(screen):
    few = Fingerprints(screen["fingerprints"].packed[:5], SETTINGS)
    with pytest.raises(
        ValueError,
        match="there is no fingerprint of row 5, since there are only 5: run the pipeline featurization again",
    ):
        run({**screen, "fingerprints": few})
    with pytest.raises(ValueError, match="the table examples has no field in the training fold"):
        run(refold(screen, train="test"))
    store = screen["plate_store"]
    write_plate(store, "P2", np.zeros((1, 5, 36, 36), np.uint8), storage={**STORAGE, "scope": "plate"})
    on_both = screen["examples"].assign(plate_file=["P2", *["P1"] * (COMPOUNDS * FIELDS - 1)])
    with pytest.raises(ValueError, match=r"P1\.parquet says that fields are stored as .*run the pipeline ingestion"):
        run({**screen, "examples": on_both})


def test_settings_are_checked():
    assert settings().objective == settings(objective={"name": "info_nce"}).objective
    with pytest.raises(ValidationError, match="batch_size"):
        settings(batch_size=1)
    with pytest.raises(ValidationError, match="hopfield_beta"):
        settings(objective={"name": "info_nce", "hopfield_beta": 8.0})
    with pytest.raises(ValidationError, match="inverse_temperature"):
        settings(model={"inverse_temperature": 300})
    with pytest.raises(ValidationError, match="batchsize"):
        settings(batchsize=8)
    with pytest.raises(ValidationError, match="multiple of devices"):
        settings(batch_size=8, devices=3)
    with pytest.raises(ValidationError, match="batch_size must be at least 8"):
        settings(devices=4)
    with pytest.raises(ValidationError, match="clip_norm must be positive"):
        settings(clip_norm=0.0)
    with pytest.raises(ValidationError, match="top1 is not in"):
        settings(keep=["loss"])


@pytest.mark.slow
def test_two_devices_read_the_store_from_processes_of_their_own(screen):
    (one, history), (two, of_two) = (run(screen, settings(batch_size=8, devices=devices)) for devices in (1, 2))
    assert set(one.tensors) == set(two.tensors)
    # Statistics of batch normalisation are those of each device's half of a batch: near, not equal.
    assert of_two["step"].tolist() == history["step"].tolist()
    np.testing.assert_allclose(of_two["train_loss"], history["train_loss"], rtol=0.2)
