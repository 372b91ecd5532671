"""Facts of a run."""

import pandas as pd
import pytest

from cloome_kedro import provenance
from cloome_kedro.reporting import about
from synthetic_study import make_study


def layout(*rows, fold="test"):
    return pd.DataFrame(rows, columns=["inchikey", "plate", "well"]).assign(fold=fold)


def test_compounds_in_the_same_well_of_all_plates_are_counted():
    rows = [("A", "1", "B02"), ("A", "2", "B02"), ("B", "1", "C03"), ("B", "2", "C03"), ("C", "1", "B02")]
    text = about.same_well_text(layout(*rows), "test")
    assert text.startswith(
        "Well position only: 2 of 2 test compounds on several plates are in the same well on each of them."
    )
    assert about.same_well_text(layout(*rows, fold="train"), "test") == ""


@pytest.mark.parametrize("rows", [[("A", "1", "B02")], [("A", "1", "B02"), ("A", "2", "C03")]])
def test_without_replicates_in_one_well_there_is_nothing_to_say(rows):
    assert about.same_well_text(layout(*rows), "test") == ""


def test_settings_of_a_model_are_those_of_its_checkpoint():
    config = make_study()["checkpoints"]["cloome"].config
    facts = about.facts_of_model(config)
    assert facts["images"] == "images → resnet"
    assert facts["compounds"] == "morgan → mlp"
    kept = {**config, "selected_by": "top1", "epoch": 3}
    for validation, why in (({"validation_top1": 0.5}, "best validation top1"), ({}, "nothing was validated")):
        assert about.facts_of_model({**kept, "validation": validation})["checkpoint"] == f"epoch 3, {why}"
    published = about.facts_of_model({**config, "fit": None, "objective": None})
    assert published == {name: facts[name] for name in ("images", "compounds", "embedding size")}


def test_facts_of_writing_name_commit_versions_and_device(monkeypatch):
    monkeypatch.setattr(provenance, "commit", lambda folder: "0a1b (modified)")
    facts = about.facts_of_writing()
    assert facts["git commit"] == "0a1b (modified)"
    assert {"written", "device", "Python", "torch", "cloome-kedro"} < facts.keys()
    monkeypatch.setattr(provenance, "commit", lambda folder: "")
    assert about.facts_of_writing()["git commit"].startswith("not known")


def test_facts_of_a_study():
    facts = about.facts_of_study("mine", True, {"a": "A", "b": "B"}, "", ["random"], 3)
    assert facts["screen"] == "mine (simulated)"
    assert facts["model of this report"] == "A"
    assert facts["reference"] == "–"
    assert facts["seed"] == "3"
