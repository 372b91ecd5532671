"""The search pipelines on small screens. That a search is shared and survives kills is
tested in tests/tuning, and with `kedro run` in tests/test_tuning_runs.py.
"""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import yaml

from cloome_kedro import schemas
from cloome_kedro.chemistry.splits import split_hash
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.state import FitState
from cloome_kedro.parameters import (
    BilinearParameters,
    FingerprintParameters,
    IngestionParameters,
    ProbingParameters,
    ReportingParameters,
    TrainingParameters,
    TuningParameters,
)
from cloome_kedro.pipelines.bilinear.nodes import train_bilinear
from cloome_kedro.pipelines.featurization.nodes import fingerprint_compounds
from cloome_kedro.pipelines.training.fitting import fit_training
from cloome_kedro.pipelines.training.nodes import train
from cloome_kedro.pipelines.tuning import create_pipeline, create_settings_pipeline
from cloome_kedro.pipelines.tuning.objective import Trial
from cloome_kedro.tuning.store import StudyStore

pytestmark = pytest.mark.usefixtures("one_thread")
COMPOUNDS, FIELDS = 30, 2
RATE, EPOCHS = "learning_rate", "epochs"
FIT = {"warmup_steps": 1, "batch_size": 8, "epochs": 2, "learning_rate": 0.01, "accelerator": "cpu"}
SETTINGS = {
    "params:fingerprints": FingerprintParameters(bits=64),
    "params:ingestion": IngestionParameters(
        screen="s", sources=[{"name": "s", "layout": "load_data_csv", "platemap": {"platemaps": "p.tsv"}}]
    ),
    "params:probing": ProbingParameters(c_grid=[0.1, 10]),
    "params:reporting": ReportingParameters(title="T", simulated=True, screen="s"),
    "params:bilinear": BilinearParameters.model_validate({"fit": FIT}),
    "params:training": TrainingParameters.model_validate(
        {
            "image_encoder": {"layers": [1, 1, 1, 1], "width": 4},
            "structure_encoder": {"layers": 1, "width": 8},
            "augmentation": {"normalisation": "published"},
            "fit": {**FIT, "embedding_size": 8},
        }
    ),
}


def tuning(tunes: str, parameters: dict | None = None, metric: str = "top1", **search) -> TuningParameters:
    searched = parameters or {f"{tunes}.fit.{RATE}": {"log_uniform": [1e-3, 0.1]}}
    return TuningParameters.model_validate(
        {
            "space": "small",
            "search": {"trials": 3, "heartbeat_seconds": 1, "pruner": "none", **search},
            "spaces": {"small": {"tunes": tunes, "metric": metric, "parameters": searched}},
        }
    )


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    """18 compounds for training, 6 for validation, 6 for test; profiles are a linear map of fingerprints."""
    rng = np.random.default_rng(0)
    smiles = [f"{'C' * (1 + i % 6)}{atom}" for i in range(6) for atom in ("N", "O", "Cl", "c1ccccc1", "S")]
    blocks = ["".join(chr(65 + int(digit)) for digit in f"{i:014d}") for i in range(COMPOUNDS)]
    keys = [f"{block}-UHFFFAOYSA-N" for block in blocks]
    compounds = pd.DataFrame(
        {"inchikey": keys, "block": blocks, "smiles": smiles, "scaffold": "C", "name": None, "moa": None}
    )
    store = PlateStore(tmp_path_factory.mktemp("plates"))
    with store.writer("P", "digest") as writer:
        for image in rng.integers(0, 200, (COMPOUNDS * FIELDS, 5, 32, 32), dtype=np.uint8):
            writer.append(image)
        writer.commit(pd.DataFrame({"field_id": "f", "row": np.arange(COMPOUNDS * FIELDS)}))
    shown = np.tile(np.arange(COMPOUNDS), FIELDS)
    pairs = pd.DataFrame(
        {
            "field_id": [f"s/P/A01/{i}" for i in range(len(shown))],
            "screen": "s",
            "plate": "P",
            "well": "A01",
            "site": np.arange(len(shown)),
            "plate_file": "P",
            "row": np.arange(len(shown)),
            "inchikey": np.array(keys)[shown],
            "treatment": np.array(keys)[shown],
        }
    )
    bits = np.unpackbits(fingerprint_compounds(compounds, SETTINGS["params:fingerprints"]), axis=1)
    features = (bits @ rng.normal(size=(64, 6)))[shown] + rng.normal(0, 0.1, (len(shown), 6))
    profiles = pd.DataFrame(features, columns=[f"feature_{i}" for i in range(6)])
    profiles.insert(0, "field_id", pairs["field_id"])
    return {
        "plate_store": store,
        "field_profiles": profiles,
        "pairs": schemas.pairs.validate(pairs),
        "compounds": schemas.compounds.validate(compounds),
        "folds": pd.DataFrame({"inchikey": keys, "fold": ["train"] * 18 + ["validation"] * 6 + ["test"] * 6}),
        "assay_labels": pd.DataFrame(columns=["compound_id"]),
        "compound_keys": pd.DataFrame({"compound_id": keys, "inchikey": keys}),
    }


def run_nodes(nodes, inputs: dict) -> dict:
    """Outputs of all nodes: a runner would let go of those that others take."""
    data = dict(inputs)
    for node in nodes:
        data |= node.run({name: data[name] for name in node.inputs})
    return {name: data[name] for node in nodes for name in node.outputs}


def run(screen, folder, parameters: TuningParameters, split: str = "random", draw: bool = False, **others) -> dict:
    """Outputs of the search pipeline, without its figures unless they are asked for."""
    inputs = {"study": StudyStore(folder), **screen, **SETTINGS, "params:tuning": parameters, **others}
    nodes = create_pipeline(split, parameters.chosen.tunes).nodes
    return run_nodes(nodes if draw else nodes[:1], inputs)


@pytest.mark.parametrize("tunes", ["training", "bilinear"])
def test_the_first_trial_is_the_training_node_at_the_default_configuration(screen, tmp_path, tunes):
    found = run(screen, tmp_path / "study", tuning(tunes))
    trials = found["trials"]
    for name in ("trials", "trial_epochs", "importances"):
        getattr(schemas, name).validate(found[name])
    assert list(trials["source"]) == ["default", "tpe", "tpe"]
    assert set(trials["state"]) == {"COMPLETE"}
    assert trials["split_hash"].eq(split_hash(screen["folds"])).all()
    assert trials["n_validation"].eq(6).all()

    state = FitState(tmp_path / "state")
    fingerprints = fingerprint_compounds(screen["compounds"], SETTINGS["params:fingerprints"])
    tables = [screen["pairs"], screen["compounds"], fingerprints, screen["folds"]]
    if tunes == "training":
        others = [screen["assay_labels"], screen["compound_keys"], SETTINGS["params:training"]]
        settings = [SETTINGS[f"params:{name}"] for name in ("fingerprints", "ingestion", "probing")]
        _, history = train(state, screen["plate_store"], *tables, *others, *settings, 0)
    else:
        settings = [SETTINGS["params:bilinear"], SETTINGS["params:fingerprints"]]
        _, history = train_bilinear(state, screen["field_profiles"], *tables, *settings, 0, split="random")
    assert found["trial_epochs"].query("trial == 0")["value"].tolist() == history["validation_top1"].tolist()
    assert trials["value"][0] == history["validation_top1"][history["best"]].item()
    assert trials["epoch"][0] == history["epoch"][history["best"]].item()


def test_best_parameters_make_the_winners_settings(screen, tmp_path):
    space = {
        "bilinear.fit.learning_rate": {"log_uniform": [1e-3, 0.1]},
        "bilinear.fit.optimizer": {"choices": ["sgd", "adamw"]},
        "fingerprints.bits": {"choices": [32, 64]},
    }
    found = run(screen, tmp_path, tuning("bilinear", space, sampler="random", trials=4))
    best = found["trials"].query("best").iloc[0]
    written = yaml.safe_load(yaml.safe_dump(found["best_parameters"]))
    inputs = {"best_parameters": written, "compounds": screen["compounds"], **SETTINGS}
    made = run_nodes(create_settings_pipeline("bilinear").nodes, inputs)
    assert made["settings"].fit.learning_rate == best["bilinear.fit.learning_rate"]
    assert made["settings"].fit.batch_size == 8, "not searched"
    assert made["fingerprint_settings"].bits == best["fingerprints.bits"]
    assert made["fingerprints"].shape == (COMPOUNDS, best["fingerprints.bits"] // 8)


def test_the_test_fold_is_not_looked_at(screen, tmp_path):
    tested = screen["pairs"]["inchikey"].isin(screen["folds"].query("fold == 'test'")["inchikey"])
    profiles = screen["field_profiles"].copy()
    profiles.loc[tested.to_numpy(), "feature_0"] = np.nan  # refused where it is read
    one = run(screen, tmp_path / "one", tuning("bilinear"))
    other = run({**screen, "field_profiles": profiles}, tmp_path / "other", tuning("bilinear"))
    assert one["trials"]["value"].equals(other["trials"]["value"])


def test_a_study_goes_on_only_with_the_data_and_settings_it_was_begun_with(screen, tmp_path):
    run(screen, tmp_path, tuning("bilinear", trials=2))
    more = run(screen, tmp_path, tuning("bilinear", trials=3, workers=1))
    assert len(more["trials"]) == 3
    other = BilinearParameters.model_validate({"fit": {**FIT, "cycles": 2}})
    with pytest.raises(ValueError, match=r"bilinear.fit.cycles was 1, is 2.*tuning.study"):
        run(screen, tmp_path, tuning("bilinear"), **{"params:bilinear": other})
    folds = screen["folds"].assign(fold=screen["folds"]["fold"].to_numpy()[::-1])
    with pytest.raises(ValueError, match=r"split was "):
        run({**screen, "folds": folds}, tmp_path, tuning("bilinear"))
    housekeeping = BilinearParameters.model_validate({"fit": {**FIT, "checkpoint_minutes": 1}})
    assert len(run(screen, tmp_path, tuning("bilinear"), **{"params:bilinear": housekeeping})["trials"]) == 3


def test_splits_may_share_a_database(screen, tmp_path):
    for split in ("random", "scaffold"):
        found = run(screen, tmp_path, tuning("bilinear", trials=1), split)
        assert found["trials"]["study"].tolist() == [f"s/{split}/small"]


def test_a_trial_that_cannot_train_fails_and_the_search_goes_on(screen, tmp_path):
    space = {f"bilinear.fit.{RATE}": {"choices": [0.01, 1e30]}}
    found = run(screen, tmp_path, tuning("bilinear", space, sampler="grid"), draw=True)
    trials = found["trials"]
    assert trials["state"].tolist() == ["COMPLETE", "FAIL"]
    assert trials["reason"][1].startswith("FloatingPointError")
    assert "FloatingPointError" in found["tuning_summary"]


def test_the_metric_of_the_space_chooses_the_epoch(screen, tmp_path):
    found = run(screen, tmp_path, tuning("training", metric="zero_shot_compound_top1", trials=2))
    kept = found["best_parameters"]["training"]
    assert kept["selected_by"] == "zero_shot_compound_top1"
    assert kept["fit"]["keep"] == ["zero_shot_compound_top1", "top1"]
    assert found["trials"]["metric"].eq("zero_shot_compound_top1").all()


def test_objectives_reach_other_processes(screen):
    groups = {name: SETTINGS[f"params:{name}"] for name in ("training", "fingerprints")}
    train = partial(fit_training, plate_store=screen["plate_store"], probing=SETTINGS["params:probing"])
    trial = Trial(train, screen["compounds"], tuning("training").chosen, groups)
    sent = pickle.loads(pickle.dumps(trial))
    assert (sent.space, sent.groups) == (trial.space, groups)
