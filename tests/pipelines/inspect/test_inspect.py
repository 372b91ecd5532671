"""The check of a screen, from its folder to the summary."""

import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from kedro.validation.type_extractor import TypeExtractor

from cloome_kedro import schemas
from cloome_kedro.imaging.config import Normalisation, Selection
from cloome_kedro.imaging.profile_table import ProfileFiles, WellColumns
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning import speed
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.speed import training_rate
from cloome_kedro.parameters import (
    IngestionParameters,
    InspectParameters,
    LabelParameters,
    ModelParameters,
    ProfileTableParameters,
    SplitParameters,
    StructureParameters,
    StudyParameters,
)
from cloome_kedro.pipelines.inspect import create_pipeline
from cloome_kedro.pipelines.inspect.estimates import describe_training
from environments import configured
from planted_examples import run_pipeline
from raw_screens import SMILES, write_screen

STUDY = StudyParameters(screen="s", simulated=False, models={"cloome": "CLOOME"})
INSPECT = InspectParameters(fields=1, training_seconds=0.01)
LABELS = pd.DataFrame({"compound": ["c1", "c2", "other"], "x": ["1", "0", "1"]})


def inputs(folder, **changes):
    given = {
        "assay_labels": LABELS,
        "params:study": STUDY,
        "params:structures": StructureParameters(),
        "params:labels": LabelParameters(table={}),
        "params:inspect": INSPECT,
        "raw_screen": folder,
    }
    return given | changes


def image_inputs(folder, source, **changes):
    return inputs(folder) | {
        "plate_store": PlateStore(folder),
        "params:ingestion": IngestionParameters(screen="s", sources=[source], storage={"size": (12, 12)}, n_jobs=1),
        "params:splits": SplitParameters(),
        **changes,
    }


def check(pipeline, given):
    found = run_pipeline(pipeline, given)
    table = schemas.screen_check.validate(found["screen_check"])
    schemas.screen_check_plates.validate(found["screen_check_plates"])
    return found | {"findings": list(zip(table["check"], table["verdict"], table["text"], strict=True))}


def test_a_screen_that_is_in_order(tmp_path):
    found = check(create_pipeline(), image_inputs(tmp_path, write_screen(tmp_path)))
    assert [finding[:2] for finding in found["findings"]] == [
        *(("fields", "ok"), ("wells", "ok"), ("images", "ok"), ("doubled files", "ok")),
        *(("compounds", "ok"), ("labels", "ok"), ("disk and time", "ok")),
    ]
    texts = {name: text for name, _, text in found["findings"]}
    assert "2 compounds with 2 labels (1 active) in 1 assay, joined by id or name (2 compounds" in texts["labels"]
    assert "1 compound of the table with 1 label are not in the screen" in texts["labels"]
    assert found["screen_check_summary"].endswith("s: OK\n")
    assert "OK      compounds: 3 compounds: all have a structure" in found["screen_check_summary"]


def test_structures_and_labels_that_cannot_be_used(tmp_path):
    source = write_screen(tmp_path)
    (tmp_path / "compounds.csv").write_text(f"compound,smiles\nc1,\nc2,C(C\nc3,{SMILES['c3']}\n")
    given = image_inputs(tmp_path, source, assay_labels=LABELS.assign(x=["1", "0", "-1"]))
    with pytest.raises(ValueError, match=r"the screen has 1 error\. The first is: .* has the labels 0 and -1"):
        run_pipeline(create_pipeline(), given)
    found = check(create_pipeline(), {**given, "assay_labels": LABELS})
    verdicts = [finding for finding in found["findings"] if finding[1] != "ok"]
    assert [name for name, _, _ in verdicts] == ["compounds", "compounds", "labels"]
    assert "1 of 3 compounds have no structure, e.g. c1" in verdicts[0][2]
    assert "1 structures of 3 compounds cannot be used, e.g. c2" in verdicts[1][2]
    assert found["screen_check_summary"].endswith("s: OK, with 3 warnings\n")


def test_of_many_compounds_some_are_read(tmp_path):
    given = image_inputs(tmp_path, write_screen(tmp_path))
    given["params:inspect"] = INSPECT.model_copy(update={"structures": 2})
    texts = {name: text for name, _, text in check(create_pipeline(), given)["findings"]}
    assert texts["compounds"] == "3 compounds, of which 2 drawn at random were read: all have a structure"
    assert "not in the screen" not in texts["labels"]


def test_a_screen_that_is_not_there(tmp_path, caplog):
    source = write_screen(tmp_path) | {"folder": "elsewhere"}
    with pytest.raises(ValueError, match=r"the screen has 2 errors\. The first is: source phenix: there is no folder"):
        run_pipeline(create_pipeline(), image_inputs(tmp_path, source))
    assert "ERROR   source: source phenix: there is no folder" in caplog.text


def test_a_screen_without_images(tmp_path):
    generator = np.random.default_rng(0)
    table = pd.DataFrame(generator.normal(size=(8, 3)), columns=["Cells_a", "Cells_b", "Nuclei_c"])
    table.insert(0, "Metadata_Plate", ["P1", "P2"] * 4)
    table.insert(1, "Metadata_Well", [f"A0{i // 2 + 1}" for i in range(8)])
    table.insert(2, "Metadata_broad_sample", ["c1", "c1", "c2", "c2", "c3", "c3", "DMSO", "DMSO"])
    table.insert(3, "Metadata_smiles", [*np.repeat(list(SMILES.values()), 2), "CS(C)=O", "CS(C)=O"])
    (tmp_path / "profiles").mkdir()
    table.to_csv(tmp_path / "profiles" / "a.csv", index=False)
    parameters = ProfileTableParameters(
        source=ProfileFiles(files="profiles/*"), columns=WellColumns(), normalise=Normalisation(), select=Selection()
    )
    found = check(create_pipeline(images=False), inputs(tmp_path, **{"params:profile_tables": parameters}))
    texts = {name: text for name, _, text in found["findings"]}
    assert texts["fields"] == "8 fields in 8 wells of 2 plates are complete"
    assert texts["profiles"] == "3 features"
    assert found["screen_check_plates"]["controls"].tolist() == [1, 1]
    with pytest.raises(ValueError, match="has no table profiles"):
        run_pipeline(create_pipeline(images=False), inputs(tmp_path / "x", **{"params:profile_tables": parameters}))


# ---- the time of a training


def test_the_time_of_a_training_follows_from_its_rate():
    """60 of 100 treated fields in 10 epochs, and with 20 controls in 20 epochs before: 2,200 at 11 per second."""
    fields = pd.DataFrame({"control": [False] * 100 + [True] * 20})
    model = ModelParameters.model_validate(configured("parameters")["models"]["cloome"])
    history = pd.DataFrame({"fields_per_second": [1.0, 11.0, 100.0]})
    (found,) = describe_training(fields, (64, 64), model, SplitParameters(), history, 1)
    assert found.text.startswith(
        "training: about 3.3 minutes for each split, for 10 epochs of 60 fields after 20 epochs"
    )
    assert "the median rate of its last training" in found.text
    (measured,) = describe_training(fields, (64, 64), model, SplitParameters(), history.iloc[:0], 0.01)
    assert "measured now on random images" in measured.text
    (small,) = describe_training(fields, (8, 8), model, SplitParameters(), history.iloc[:0], 0.01)
    assert (small.verdict, "at least 29 x 29 pixels" in small.text) == ("error", True)


def test_a_larger_network_learns_from_fewer_fields(monkeypatch):
    """By the time of the processor, which other work on the machine does not change."""
    monkeypatch.setattr(speed, "time", SimpleNamespace(perf_counter=time.process_time))
    fit = FitConfig(batch_size=8, accelerator="cpu", warmup_steps=1, learning_rate=1e-3)
    small, large = (
        training_rate(ResNet(layers=(1, 1, 1, 1), width=width), 5, (32, 32), fit, seconds=0.05) for width in (2, 64)
    )
    assert 0 < large < small


def test_parameters_are_typed_for_kedro():
    pipelines = {"images": create_pipeline(model="cloome", split="random"), "tables": create_pipeline(images=False)}
    types = TypeExtractor(pipelines).extract_types_from_pipelines()
    assert set(types) == {
        *("study", "ingestion", "splits", "structures", "labels", "inspect", "profile_tables", "models.cloome"),
    }
