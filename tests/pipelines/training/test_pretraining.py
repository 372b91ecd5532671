"""Pre-training in the pipeline: what it reads, where the training starts, and that equal ones run once."""

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

import stored_plates
from cloome_kedro import schemas
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.checkpoint import load, save
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.views.morgan import Fingerprints
from cloome_kedro.parameters import ModelParameters, ProbingParameters
from cloome_kedro.pipelines.training import create_pipeline
from cloome_kedro.pipelines.training.fitting import TrainingData, fit_model
from cloome_kedro.pipelines.training.nodes import pretrain, train
from cloome_kedro.pipelines.training.pretraining import PretrainingData, control_fields
from cloome_kedro.run_store import RunStore
from planted_examples import inchikey, make_examples, run_pipeline, write_plate
from small_models import IMAGE_MODEL

pytestmark = pytest.mark.usefixtures("one_thread")
COMPOUNDS, FIELDS, CONTROLS = 12, 3, 6
FOLDS = ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
STORAGE = stored_plates.STORAGE | {"size": [32, 32]}
PROBING = ProbingParameters(c_grid=[1])
#: compound of each control well: none, of the training, validation and test fold, another stereoisomer of the latter
OF_CONTROLS = [None, None, "unknown", "compound 0", "compound 8", "compound 11"]


def settings(weight=1.0, epochs=2, controls=True, **others):
    fit = {"warmup_steps": 1, "batch_size": 4, "accelerator": "cpu"}
    entry = {
        **IMAGE_MODEL,
        "fit": {**fit, "epochs": 1},
        "pretrain": {
            "target": "profiles",
            "weight": weight,
            "controls": controls,
            "fit": {**fit, "epochs": epochs, "learning_rate": 2e-3},
        },
    }
    return ModelParameters.model_validate({**entry, **others})


@pytest.fixture
def screen(tmp_path):
    """Inputs of the nodes: three fields of each compound, and six control wells, on one plate."""
    rng = np.random.default_rng(0)
    n = COMPOUNDS * FIELDS
    (tmp_path / "plates").mkdir()
    store = PlateStore(tmp_path / "plates")
    write_plate(store, "P1", rng.integers(0, 200, (n + CONTROLS, 5, 32, 32), dtype=np.uint8), storage=STORAGE)
    number = np.arange(n) % COMPOUNDS
    examples = make_examples(
        pd.DataFrame({"plate": "P1", "well": [f"A{i + 1:02d}" for i in range(n)], "number": number}), FOLDS
    )
    ids = [f"compound {i}" for i in range(COMPOUNDS)]
    of_examples = examples[["field_id", "screen", "plate", "well", "site", "plate_file", "row"]]
    controls = pd.DataFrame(
        {
            "field_id": [f"s/P1/B{i + 1:02d}/0" for i in range(CONTROLS)],
            "screen": "s",
            "plate": "P1",
            "well": [f"B{i + 1:02d}" for i in range(CONTROLS)],
            "site": 0,
            "plate_file": "P1",
            "row": np.arange(n, n + CONTROLS),
            "compound_id": OF_CONTROLS,
            "control": True,
        }
    )
    treated = of_examples.assign(compound_id=[ids[i] for i in number], control=False)
    fields = pd.concat([treated, controls], ignore_index=True)
    values = rng.normal(3, 2, (len(fields), 4))
    return {
        "examples": examples,
        "labels": schemas.labels.validate(pd.DataFrame({"inchikey": [inchikey(i) for i in range(COMPOUNDS)]})),
        "fields": fields,
        "compound_keys": pd.DataFrame({"compound_id": ids, "inchikey": [inchikey(i) for i in range(COMPOUNDS)]}),
        "plate_store": store,
        "plate_statistics": None,
        "field_profiles": pd.DataFrame(values, columns=list("abcd")).assign(field_id=fields["field_id"]),
        "fingerprints": Fingerprints(
            rng.integers(0, 256, (COMPOUNDS, 2), dtype=np.uint8), {"radius": 3, "bits": 16, "chirality": True}
        ),
    }


def run_pretrain(screen, folder, model=None, seed=0):
    inputs = {name: table for name, table in screen.items() if name != "labels"}
    return pretrain(fit_states=folder, **inputs, model=model or settings(), seed=seed)


def run_train(screen, folder, pretrained, model=None):
    inputs = {name: table for name, table in screen.items() if name not in ("fields", "compound_keys")}
    model = model or settings()
    return train(
        fit_states=folder, subfolder="m", **inputs, model=model, probing=PROBING, seed=0, pretrained=pretrained
    )


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_pipeline(screen, tmp_path):
    sources = ["plate_store", "plate_statistics", "fingerprints", "field_profiles"]
    pipeline = create_pipeline("random", "mine", sources, pretrains=True)
    inputs = {
        "run_states": tmp_path / "fits",
        "run_store": RunStore(tmp_path / "runs"),
        "random.examples": screen["examples"],
        "params:models.mine": settings(),
        "params:probing": PROBING,
        "params:seed": 0,
        **{name: screen[name] for name in ("labels", "fields", "compound_keys", *sources)},
    }
    assert pipeline.inputs() == set(inputs)
    outputs = run_pipeline(pipeline, inputs)
    schemas.history.validate(outputs["random.mine.history"])
    schemas.pretraining_history.validate(outputs["random.mine.pretraining_history"])
    assert {"train_target_mse", "validation_target_mse"} <= set(outputs["random.mine.history"])
    assert {node.short_name for node in pipeline.only_nodes_with_tags("gpu").nodes} == {
        "pretrain", "train", "select_checkpoint"
    }  # fmt: skip
    pretrained, checkpoint = outputs["random.mine.pretrained"], outputs["random.mine.checkpoint"]
    assert checkpoint.config["pretrained"] == {
        "weights": pretrained.weights, "epoch": pretrained.config["epoch"]
    }  # fmt: skip
    assert not any(name.startswith("head.") for name in checkpoint.tensors)
    assert checkpoint.build().embedding_size == 8, "it needs neither the head nor the profiles"


def test_a_pretrained_encoder_is_saved_and_read(screen, tmp_path):
    pretrained, _ = run_pretrain(screen, tmp_path)
    save(pretrained, tmp_path / "folder")
    read = load(tmp_path / "folder")
    assert equal(read.tensors, pretrained.tensors)
    assert read.view("target").columns == ("a", "b", "c", "d")
    with pytest.raises(ValueError, match="holds a pre-trained encoder of fields, which is no model by itself"):
        read.build()
    with pytest.raises(ValueError, match="has no view compound, only field, target"):
        read.view("compound")


def test_controls_of_held_out_compounds_are_left_out(screen, caplog):
    caplog.set_level("INFO")
    keys = screen["compound_keys"]
    stereoisomer = inchikey(11).replace("-ABCDEFGHIJ", "-JIHGFEDCBA")
    screen["fields"].loc[COMPOUNDS * FIELDS, "compound_id"] = "isomer"
    keys = pd.concat([keys, pd.DataFrame({"compound_id": ["isomer"], "inchikey": [stereoisomer]})])
    rows = control_fields(screen["fields"], keys, screen["examples"])
    assert rows["field_id"].tolist() == ["s/P1/B02/0", "s/P1/B03/0", "s/P1/B04/0"]
    assert set(rows["fold"]) == {"control"}
    assert rows["inchikey"].tolist() == ["", "", inchikey(0)]
    assert "leaves out 3 control fields of compounds of the validation or the test fold" in caplog.text


@pytest.mark.parametrize("controls", [True, False])
def test_only_fields_of_the_training_fold_and_controls_are_learned_from(controls, screen, tmp_path):
    model = settings(controls=controls)
    first, history = run_pretrain(screen, tmp_path / "a", model)
    images = np.load(screen["plate_store"].images("P1"))
    number, n = np.arange(len(images)) % COMPOUNDS, COMPOUNDS * FIELDS
    treated = np.arange(len(images)) < n
    held_out_controls = np.isin(np.arange(len(images)), [n + 4, n + 5])
    profiles = screen["field_profiles"]

    def changed(rows, folder):
        other, values = images.copy(), profiles.copy()
        other[rows] = 255 - other[rows]
        values.loc[rows, list("abcd")] = 50.0
        # The digest of the plate stays, so that only rows that are read can change the result.
        write_plate(screen["plate_store"], "P1", other, storage=STORAGE)
        return run_pretrain({**screen, "field_profiles": values}, tmp_path / folder, model)

    timing = ["fields_per_second", "waiting_fraction"]
    unread = (treated & (number >= 10)) | held_out_controls | (np.zeros(len(images), bool) if controls else ~treated)
    again, history_again = changed(unread, "b")
    assert equal(first.tensors, again.tensors)
    pd.testing.assert_frame_equal(history.drop(columns=timing), history_again.drop(columns=timing))

    _, history_again = changed(treated & np.isin(number, [8, 9]), "c")
    np.testing.assert_array_equal(history["train_loss"], history_again["train_loss"])
    assert (history["validation_loss"] != history_again["validation_loss"]).all()

    learned, _ = changed(np.arange(len(images)) == n, "d")
    assert equal(first.tensors, learned.tensors) != controls


def test_equal_pre_trainings_of_several_models_run_once(screen, tmp_path, caplog):
    caplog.set_level("INFO")
    first, history = run_pretrain(screen, tmp_path)
    compound = {"view": "morgan", "encoder": {"name": "mlp", "layers": 2, "width": 16}}
    other = settings(weight=0.0, compound=compound, inverse_temperature=5)
    second, history_again = run_pretrain(screen, tmp_path, other)
    assert caplog.text.count("this training is already finished") == 1
    assert equal(first.tensors, second.tensors)
    pd.testing.assert_frame_equal(history, history_again)
    run_pretrain(screen, tmp_path, seed=1)
    run_pretrain(screen, tmp_path, settings(epochs=3))
    assert caplog.text.count("this training is already finished") == 1
    assert len(list((tmp_path / "pretraining").glob("*.done.pt"))) == 3
    run_pretrain(screen, tmp_path)
    assert caplog.text.count("this training is already finished") == 2


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_training_starts_from_the_pretrained_encoder(weight, screen, tmp_path):
    """With a learning rate of 0, the weights stay; statistics of batch normalisation are still measured."""
    pretrained, _ = run_pretrain(screen, tmp_path / "pre")
    model = settings(weight=weight)
    still = {**model.model_dump()["fit"], "learning_rate": 0.0}
    checkpoints, history = run_train(screen, tmp_path, pretrained, settings(weight=weight, fit=still))
    tensors = checkpoints["top1"].tensors
    names = [name for name in tensors if name.startswith("visual.") and not ("running" in name or "num_" in name)]
    assert names
    assert all(torch.equal(tensors[name], pretrained.tensors[name]) for name in names)
    assert ("train_target_mse" in history) == (weight > 0)


def test_the_term_is_read_with_the_pairs(screen, tmp_path):
    """With a head whose weights stay 0, the error is the mean square of the standardised profiles."""
    pretrained, _ = run_pretrain(screen, tmp_path / "pre")
    for name in ("head.weight", "head.bias"):
        pretrained.tensors[name].zero_()
    fit = {**settings().model_dump()["fit"], "learning_rate": 0.0, "batch_size": 8}
    _, history = run_train(screen, tmp_path, pretrained, settings(weight=2.0, fit=fit))
    _, plain = run_train(screen, tmp_path / "plain", pretrained, settings(weight=0.0, fit=fit))
    assert history["train_target_mse"].tolist() == pytest.approx([1.0], rel=1e-5)  # standardised on these fields
    assert history["train_loss"][0] == pytest.approx(plain["train_loss"][0] + 2 * history["train_target_mse"][0])
    extra = 2 * history["validation_target_mse"][0]
    assert history["validation_loss"][0] == pytest.approx(plain["validation_loss"][0] + extra)


def test_fields_without_features_are_left_out_and_counted(screen, tmp_path, caplog):
    profiles = screen["field_profiles"]
    missing = {"s/P1/A01/0", "s/P1/B01/0"}
    screen["field_profiles"] = profiles[~profiles["field_id"].isin(missing)].reset_index(drop=True)
    pretrained, _ = run_pretrain(screen, tmp_path)
    assert "2 of 34 fields are left out of the pre-training" in caplog.text
    _, history = run_train(screen, tmp_path, pretrained)
    assert history["train_target_mse"].notna().all()


def test_a_search_pre_trains_by_itself(screen, tmp_path):
    pretrained, _ = run_pretrain(screen, tmp_path / "pre")
    checkpoints, _ = run_train(screen, tmp_path / "a", pretrained)
    names = ("plate_store", "plate_statistics", "field_profiles", "fingerprints")
    sources = {name: screen[name] for name in names}
    pretraining = PretrainingData(tmp_path / "pre", screen["fields"], screen["compound_keys"])
    data = TrainingData(screen["examples"], screen["labels"], PROBING, sources, pretraining)
    result, _ = fit_model(FitState(tmp_path / "b"), data, settings(), 0, progress=False)
    assert equal(result.best["top1"].tensors, checkpoints["top1"].tensors)


def test_settings_are_checked():
    assert settings().pretrain.fit.keep == ("loss",)
    assert not settings().pretrain.fit.unique_compounds
    assert ModelParameters.model_validate(settings().model_dump()) == settings()

    def pretrain(**fit):
        return settings(pretrain={"target": "profiles", "fit": {"batch_size": 4, **fit}})

    with pytest.raises(ValidationError, match="a pre-training has no metric except loss"):
        pretrain(keep=["top1"])
    with pytest.raises(ValidationError, match="remove unique_compounds and fields_per_compound"):
        pretrain(fields_per_compound=2)
    with pytest.raises(ValidationError, match="remove unique_compounds"):
        pretrain(unique_compounds=True)
    with pytest.raises(ValidationError, match="weight"):
        settings(weight=-1)
    with pytest.raises(ValidationError, match="nearest"):
        settings(pretrain={"target": "profile", "fit": {}})
