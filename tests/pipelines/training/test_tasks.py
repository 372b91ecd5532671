"""Epochs kept by downstream tasks: what is measured is what the evaluation pipelines find on the validation fold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from cloome_kedro import schemas
from cloome_kedro.chemistry.splits import split_hash
from cloome_kedro.datasets.embeddings import Embeddings
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.checkpoint import Checkpoint, build, describe, preprocess_of
from cloome_kedro.learning.embed import embed_images
from cloome_kedro.learning.state import FitState
from cloome_kedro.parameters import (
    RETRIEVAL_METRICS,
    TASK_METRICS,
    BilinearParameters,
    FingerprintParameters,
    ProbingParameters,
    TrainingParameters,
    ZeroShotParameters,
)
from cloome_kedro.pipelines.probing.nodes import probe_assays
from cloome_kedro.pipelines.training.fitting import fit_training
from cloome_kedro.pipelines.zero_shot.nodes import classify_fields

pytestmark = pytest.mark.usefixtures("one_thread")
COMPOUNDS, FIELDS, BITS = 40, 3, 16
PROBING = ProbingParameters(c_grid=[0.01, 1, 100], resamples=100)


def settings(keep, **changes):
    fit = {"embedding_size": 8, "warmup_steps": 1, "batch_size": 16, "epochs": 1, "accelerator": "cpu", "keep": keep}
    return TrainingParameters.model_validate(
        {
            "image_encoder": {"layers": [1, 1, 1, 1], "width": 4},
            "structure_encoder": {"layers": 1, "width": 8},
            "augmentation": {"normalisation": "published"},
            "fit": fit,
            "selected_by": keep[0],
            **changes,
        }
    )


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """Compounds 0-19 train, 20-29 validate, 30-39 test; their mechanism and labels show in the fields."""
    rng = np.random.default_rng(0)
    number = np.tile(np.arange(COMPOUNDS), FIELDS)
    bright = 40 * (number % 4)[:, None, None, None]
    store = PlateStore(tmp_path_factory.mktemp("store"))
    with store.writer("P1", "first") as writer:
        for image in np.clip(rng.normal(60, 20, (len(number), 5, 32, 32)) + bright, 0, 255).astype(np.uint8):
            writer.append(image)
        writer.commit(pd.DataFrame({"field_id": "f", "row": np.arange(len(number))}))
    keys = [f"{''.join(chr(65 + int(digit)) for digit in f'{i:014d}')}-UHFFFAOYSA-N" for i in range(COMPOUNDS)]
    pairs = pd.DataFrame(
        {
            "field_id": [f"s/P1/A{i:02d}/1" for i in range(len(number))],
            "plate": "P1",
            "well": [f"A{i:02d}" for i in range(len(number))],
            "plate_file": "P1",
            "row": np.arange(len(number)),
            "inchikey": np.array(keys)[number],
            "treatment": np.array(keys)[number],
        }
    )
    of_compound = np.arange(COMPOUNDS)
    moa = np.where(of_compound % 7 == 0, None, np.char.add("mechanism ", (of_compound % 4).astype(str)).astype(object))
    ids = [f"C{i}" for i in range(COMPOUNDS)]
    labels = {"bright": of_compound % 4 > 1, "noise": rng.random(COMPOUNDS) < 0.5}
    return {
        "plate_store": store,
        "pairs": pairs,
        "compounds": pd.DataFrame({"inchikey": keys, "moa": moa}),
        "fingerprints": rng.integers(0, 256, (COMPOUNDS, BITS // 8), dtype=np.uint8),
        "folds": pd.DataFrame({"inchikey": keys, "fold": ["train"] * 20 + ["validation"] * 10 + ["test"] * 10}),
        "assay_labels": pd.DataFrame({"compound_id": ids, **labels}).astype(dict.fromkeys(labels, float)),
        "compound_keys": pd.DataFrame({"compound_id": ids, "inchikey": keys}),
    }


def run(screen, training, folder: Path, seed=0):
    return fit_training(
        FitState(folder), *screen.values(), training, FingerprintParameters(bits=BITS), PROBING, seed, progress=False
    )


@pytest.fixture(scope="module")
def measured(screen, one_thread, tmp_path_factory):
    """All metrics of one epoch, and the embeddings of its model."""
    training = settings([*TASK_METRICS, "top1"])
    result, preprocess = run(screen, training, tmp_path_factory.mktemp("state"))
    tensors = result.best["top1"].tensors
    config = describe(training.image_encoder, training.structure_encoder, BITS, training.fit, preprocess)
    checkpoint = Checkpoint(config, tensors)
    pairs = screen["pairs"]
    read = screen["plate_store"].reader(pairs["plate_file"].to_numpy(), pairs["row"].to_numpy())
    vectors = embed_images(build(checkpoint), read, len(pairs), preprocess_of(checkpoint), 16, progress=False)
    meta = {"split_hash": split_hash(screen["folds"])}
    return result.history[0], Embeddings(pairs["field_id"].to_numpy(), vectors, meta)


def evaluation(screen, embeddings):
    none = screen["pairs"][["field_id"]]
    return embeddings, embeddings, none, none.iloc[:0].assign(nuclei=0)


def test_zero_shot_is_what_its_pipeline_finds(screen, measured):
    row, embeddings = measured
    parameters = ZeroShotParameters(fold="validation", exclude=[[]], same_plate=False)
    tables = screen["pairs"], screen["compounds"], screen["folds"]
    _, metrics, _ = classify_fields(*evaluation(screen, embeddings), *tables, parameters, 0, split="random")
    found = metrics.query("method == 'CLOOME' and metric == 'top-1' and draws == 10").set_index("task")["value"]
    assert row["validation_zero_shot_compound_top1"] == pytest.approx(found["zero-shot compound"])
    assert row["validation_zero_shot_moa_top1"] == pytest.approx(found["zero-shot MoA"])
    assert found["zero-shot MoA"] > 0


def test_probing_is_what_its_pipeline_chooses_by(screen, measured):
    row, embeddings = measured
    tables = screen["assay_labels"], screen["compound_keys"], screen["pairs"], screen["folds"]
    scores, _, _ = probe_assays(*evaluation(screen, embeddings), *tables, PROBING, 0, split="random")
    found = scores[scores["method"] == "CLOOME"]
    assert found["scored"].all()
    assert row["validation_probing_auc"] == pytest.approx(found["validation_auc"].mean(), abs=1e-6)


def test_few_fields_of_a_compound_are_looked_at(screen, tmp_path):
    read = []

    class Store:
        digest = screen["plate_store"].digest

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


def test_only_what_is_named_is_measured(screen, tmp_path):
    row = run(screen, settings(["top1"]), tmp_path)[0].history[0]
    assert not {f"validation_{name}" for name in TASK_METRICS} & set(row)
    assert {f"validation_{name}" for name in RETRIEVAL_METRICS} <= set(row)


def test_other_labels_begin_anew_where_they_are_scored_by(screen, tmp_path):
    labels = screen["assay_labels"].assign(noise=1 - screen["assay_labels"]["noise"])
    for metric, states in (("top1", 1), ("probing_auc", 2)):
        rows = []
        for changed in ({}, {"assay_labels": labels}):
            run({**screen, **changed}, settings([metric]), tmp_path / metric)
            rows += [path.name for path in (tmp_path / metric).glob("*.done.pt")]
        assert len(set(rows)) == states


def test_what_a_screen_lacks_is_told_before_training(screen, tmp_path):
    no_moa = {**screen, "compounds": screen["compounds"].assign(moa=None)}
    with pytest.raises(ValueError, match=r"zero_shot_moa_top1 cannot be measured .*: no field is of a known class"):
        run(no_moa, settings(["zero_shot_moa_top1"]), tmp_path)
    no_labels = {**screen, "assay_labels": pd.DataFrame({"compound_id": pd.Series([], dtype=str)})}
    with pytest.raises(ValueError, match=r"probing_auc cannot be measured .*: no compound has a label"):
        run(no_labels, settings(["probing_auc"]), tmp_path)
    one_field = {**screen, "pairs": screen["pairs"].iloc[:COMPOUNDS]}
    with pytest.raises(ValueError, match=r"zero_shot_compound_top1 .*none of 10 classes has two fields"):
        run(one_field, settings(["zero_shot_compound_top1"]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_metrics_have_one_name_everywhere(measured):
    row, _ = measured
    of_table = {name for name in schemas.history.columns if name.startswith("validation_")}
    assert of_table == {f"validation_{name}" for name in ("loss", *RETRIEVAL_METRICS, *TASK_METRICS)}
    assert of_table == {name for name in row if name.startswith("validation_")}
    with pytest.raises(ValidationError, match=r"no validation metric probing, only loss, top1, .*probing_auc"):
        settings(["probing"])
    with pytest.raises(ValidationError, match=r"bilinear\.fit\.keep: there is no validation metric probing_auc"):
        BilinearParameters.model_validate({"fit": {"keep": ["probing_auc"]}})
