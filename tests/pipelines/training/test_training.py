"""The training pipeline on a small store on disk."""

import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from cloome_kedro import schemas
from cloome_kedro.chemistry.splits import split_hash
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.checkpoint import build, preprocess_of
from cloome_kedro.learning.state import FitState
from cloome_kedro.parameters import FingerprintParameters, IngestionParameters, ProbingParameters, TrainingParameters
from cloome_kedro.pipelines.training import create_pipeline
from cloome_kedro.pipelines.training.nodes import select_checkpoint, train

pytestmark = pytest.mark.usefixtures("one_thread")
SOURCE = {"name": "s", "layout": "load_data_csv", "platemap": {"platemaps": "p.tsv"}}
COMPOUNDS, FIELDS = 12, 3
PROBING = ProbingParameters(c_grid=[0.01, 1, 100])


def settings(normalisation="dataset", pair_key="compound", **fit):
    return TrainingParameters.model_validate(
        {
            "image_encoder": {"layers": [1, 1, 1, 1], "width": 4},
            "structure_encoder": {"layers": 1, "width": 8},
            "augmentation": {"crop": 32, "normalisation": normalisation},
            "pair_key": pair_key,
            "fit": {
                "embedding_size": 8,
                "warmup_steps": 2,
                "batch_size": 4,
                "epochs": 2,
                "accelerator": "cpu",
                **fit,
            },
        }
    )


def write_plate(store, images, digest="first"):
    with store.writer("P1", digest) as writer:
        for image in images:
            writer.append(image)
        writer.commit(pd.DataFrame({"field_id": "f", "row": np.arange(len(images))}))


@pytest.fixture
def screen(tmp_path):
    """Inputs of `train`: compounds 0-7 for training, 8-9 for validation, 10-11 for test, three fields each."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 200, (COMPOUNDS * FIELDS, 5, 36, 36), dtype=np.uint8)
    store = PlateStore(tmp_path)
    write_plate(store, images)
    letters = [chr(ord("A") + i) * 14 for i in range(COMPOUNDS)]
    keys = [f"{block}-UHFFFAOYSA-N" for block in letters]
    compounds = pd.DataFrame(
        {"inchikey": keys, "block": letters, "smiles": "C", "scaffold": "C", "name": None, "moa": None}
    )
    rows = np.arange(COMPOUNDS * FIELDS)
    pairs = pd.DataFrame(
        {
            "field_id": [f"s/P1/A01/{i}" for i in rows],
            "screen": "s",
            "plate": "P1",
            "well": "A01",
            "site": rows,
            "plate_file": "P1",
            "row": rows,
            "inchikey": np.tile(keys, FIELDS),
            "treatment": [f"{key}@{1 + i // COMPOUNDS % 2}" for i, key in enumerate(np.tile(keys, FIELDS))],
        }
    )
    folds = pd.DataFrame({"inchikey": keys, "fold": ["train"] * 8 + ["validation"] * 2 + ["test"] * 2})
    ids = [f"C{i}" for i in range(COMPOUNDS)]
    compound_keys = pd.DataFrame({"compound_id": ids, "inchikey": keys})
    active = np.arange(COMPOUNDS) % 2
    assay_labels = pd.DataFrame({"compound_id": ids, "even": 1.0 - active, "first": [1.0] * 4 + [0.0] * 8})
    return {
        "plate_store": store,
        "pairs": schemas.pairs.validate(pairs),
        "compounds": schemas.compounds.validate(compounds),
        "fingerprints": rng.integers(0, 256, (COMPOUNDS, 2), dtype=np.uint8),
        "folds": schemas.folds.validate(folds),
        "assay_labels": schemas.assay_labels.validate(assay_labels),
        "compound_keys": schemas.compound_keys.validate(compound_keys),
    }


def run(screen, training=None, seed=0):
    intensity = {"outlier_percent": 0.3, "scale": 256}
    ingestion = IngestionParameters(screen="s", sources=[SOURCE], intensity=intensity, size=(36, 36))
    parameters = [training or settings(), FingerprintParameters(bits=16), ingestion, PROBING, seed]
    with TemporaryDirectory() as folder:
        state = FitState(Path(folder))
        checkpoints, history = train(state, *screen.values(), *parameters)
    return select_checkpoint(checkpoints, training or settings()), history


def test_pipeline(screen, tmp_path):
    parameters = {
        "params:training": settings(),
        "params:fingerprints": FingerprintParameters(bits=16),
        "params:ingestion": IngestionParameters(screen="s", sources=[SOURCE]),
        "params:probing": PROBING,
        "params:seed": 0,
    }
    inputs = {"fit_state": FitState(tmp_path / "state"), **screen, **parameters}
    catalog = DataCatalog({name: MemoryDataset(data, "assign") for name, data in inputs.items()})
    outputs = SequentialRunner().run(create_pipeline(), catalog)
    assert set(outputs) == {"checkpoint", "history"}
    schemas.history.validate(outputs["history"].load())


def test_checkpoint_holds_all_that_inference_needs(screen):
    checkpoint, history = run(screen)
    config = checkpoint.config
    assert config["channels"] == ["Mito", "ER", "RNA", "AGP", "DNA"]
    assert config["fingerprints"] == {"radius": 3, "bits": 16, "chirality": True}
    assert config["intensity"] == {
        "outlier_percent": 0.3,
        "scale": 256,
        "scope": "field",
        "crop": None,
        "size": [36, 36],
    }
    assert config["split_hash"] == split_hash(screen["folds"])
    best = history[history["best"]].iloc[0]
    assert config["epoch"] == best["epoch"]
    assert config["validation"]["validation_top1"] == best["validation_top1"]
    embedded = build(checkpoint).encode_images(preprocess_of(checkpoint)(torch.zeros(1, 5, 36, 36, dtype=torch.uint8)))
    assert embedded.shape == (1, 8)


def test_normalisation_is_computed_on_the_training_fold(screen):
    images = np.load(screen["plate_store"].folder / "P1.npy")
    in_training = images[np.arange(len(images)) % COMPOUNDS < 8]
    found = preprocess_of(run(screen)[0])
    np.testing.assert_allclose(found.mean, in_training.mean((0, 2, 3)), rtol=1e-9)
    np.testing.assert_allclose(found.std, in_training.std((0, 2, 3)), rtol=1e-9)
    assert preprocess_of(run(screen, settings("per_image"))[0]).normalisation == "per_image"
    assert preprocess_of(run(screen, settings("published"))[0]).mean[0] == 47.1314


def test_without_validation_compounds_the_history_is_still_a_whole_table(screen):
    folds = screen["folds"].replace("validation", "test")
    checkpoint, history = run({**screen, "folds": folds})
    assert schemas.history.validate(history)["validation_top1"].isna().all()
    assert checkpoint.config["validation"] == {}
    assert checkpoint.config["epoch"] == 1


def test_the_test_fold_changes_nothing(screen):
    checkpoint, history = run(screen)
    images = np.load(screen["plate_store"].images("P1"))
    images[np.arange(len(images)) % COMPOUNDS >= 10] = 255
    write_plate(screen["plate_store"], images)
    screen["fingerprints"][10:] = 0
    again, history_again = run(screen)
    assert all(torch.equal(checkpoint.tensors[name], again.tensors[name]) for name in again.tensors)
    timing = ["fields_per_second", "waiting_fraction"]
    pd.testing.assert_frame_equal(history.drop(columns=timing), history_again.drop(columns=timing))


def test_the_best_by_each_metric_is_kept_and_one_selected(screen, tmp_path):
    training = settings(keep=["loss", "top1"], epochs=3)
    ingestion = IngestionParameters(screen="s", sources=[SOURCE])
    parameters = [training, FingerprintParameters(bits=16), ingestion, PROBING, 0]
    checkpoints, history = train(FitState(tmp_path / "state"), *screen.values(), *parameters)
    assert {name: checkpoint.config["selected_by"] for name, checkpoint in checkpoints.items()} == {
        "loss": "loss",
        "top1": "top1",
    }
    assert checkpoints["loss"].config["epoch"] == history["validation_loss"].idxmin()
    assert history.index[history["best"]].tolist() == [checkpoints["top1"].config["epoch"]]
    assert select_checkpoint(checkpoints, training) is checkpoints["top1"]
    with pytest.raises(ValueError, match="no checkpoint was kept by top5, only by loss, top1"):
        select_checkpoint(checkpoints, training.model_copy(update={"selected_by": "top5"}))


def test_images_made_anew_are_trained_on_anew(screen, tmp_path):
    state = FitState(tmp_path / "state")
    ingestion = IngestionParameters(screen="s", sources=[SOURCE])
    parameters = [settings(), FingerprintParameters(bits=16), ingestion, PROBING, 0]
    first, _ = train(state, *screen.values(), *parameters)
    images = np.load(screen["plate_store"].images("P1"))
    write_plate(screen["plate_store"], images[:, ::-1], "second")
    second, _ = train(state, *screen.values(), *parameters)
    assert not torch.equal(first["top1"].tensors["visual.fc.weight"], second["top1"].tensors["visual.fc.weight"])


def test_treatments_count_one_by_one(screen):
    _, by_compound = run(screen, settings(batch_size=8))
    _, by_treatment = run(screen, settings(batch_size=8, pair_key="treatment"))
    # 24 training fields: 3 passes over 8 compounds, or 2 (1.5 rounded) over 16 treatments.
    assert by_compound["step"].tolist() == [3, 6]
    assert by_treatment["step"].tolist() == [4, 8]


def test_seed_decides(screen):
    (first, _), (again, _), (other, _) = run(screen), run(screen), run(screen, seed=1)
    assert torch.equal(first.tensors["visual.fc.weight"], again.tensors["visual.fc.weight"])
    assert not torch.equal(first.tensors["visual.fc.weight"], other.tensors["visual.fc.weight"])


def test_what_does_not_fit_is_named(screen):
    with pytest.raises(ValueError, match="fingerprints of shape"):
        run({**screen, "fingerprints": screen["fingerprints"][:5]})
    with pytest.raises(ValueError, match="LLLLLLLLLLLLLL-UHFFFAOYSA-N is not in the table compounds"):
        run(
            {
                **screen,
                "folds": screen["folds"].replace("test", "train"),
                "compounds": screen["compounds"][:11],
                "fingerprints": screen["fingerprints"][:11],
            }
        )
    with pytest.raises(ValueError, match="no field of a compound of the training fold"):
        run({**screen, "folds": screen["folds"].replace("train", "test")})


def test_settings_are_checked():
    assert dataclasses.asdict(settings().fit)["objective"] == "info_nce"
    with pytest.raises(ValidationError, match="batch_size"):
        settings(batch_size=1)
    with pytest.raises(ValidationError, match="hopfield_beta"):
        settings(hopfield_beta=8.0)
    with pytest.raises(ValidationError, match="inverse_temperature"):
        settings(inverse_temperature=300)
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
