"""The search pipelines on small screens. That a search is shared and survives kills is
tested in tests/tuning, and with `kedro run` in tests/test_tuning_runs.py.
"""

import pickle

import numpy as np
import pandas as pd
import pytest
import yaml

from cloome_kedro import schemas
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.learning.views.features import Features
from cloome_kedro.parameters import (
    FingerprintParameters,
    ModelParameters,
    ProbingParameters,
    StructureFeatureParameters,
    StudyParameters,
    TuningParameters,
)
from cloome_kedro.parameters.tuning import Settings
from cloome_kedro.pipelines.featurization.nodes import compute_structure_features, fingerprint_compounds
from cloome_kedro.pipelines.training.fitting import TrainingData
from cloome_kedro.pipelines.training.nodes import train
from cloome_kedro.pipelines.tuning import create_pipeline, create_settings_pipeline
from cloome_kedro.pipelines.tuning.nodes import describe_search
from cloome_kedro.pipelines.tuning.objective import TrialTraining
from cloome_kedro.tuning.store import StudyStore
from small_models import BILINEAR, IMAGE_MODEL

pytestmark = pytest.mark.usefixtures("one_thread")
COMPOUNDS, FIELDS = 30, 2
FIT = {"warmup_steps": 1, "batch_size": 8, "epochs": 2, "learning_rate": 0.01, "accelerator": "cpu"}
FINGERPRINTS, PROBING = FingerprintParameters(bits=64), ProbingParameters(c_grid=[0.1, 10])
STUDY = StudyParameters(screen="s", simulated=True, models={"cloome": "CLOOME", "bilinear": "Bilinear"})
MODELS = {
    name: ModelParameters.model_validate({**model, "fit": FIT})
    for name, model in (("cloome", IMAGE_MODEL), ("bilinear", BILINEAR))
}
FOREIGN = {
    **BILINEAR,
    "field": {
        "view": {"name": "table", "table": "dino", "scaling": "controls", "minimum_controls": 1, "whiten": 3},
        "encoder": "identity",
    },
    "compound": {"view": {"name": "structures", "sets": ["keys"]}, "encoder": {"name": "linear", "start": "zeros"}},
    "fit": FIT,
}
MODELS["foreign"] = ModelParameters.model_validate(FOREIGN)
SOURCES = {
    "foreign": ("dino_features", "fields", "structure_features"),
    "cloome": ("plate_store", "fingerprints"),
    "bilinear": ("field_profiles", "fingerprints"),
}


def tuning(tunes: str, parameters: dict | None = None, metric: str = "top1", **search) -> TuningParameters:
    searched = parameters or {"fit.learning_rate": {"log_uniform": [1e-3, 0.1]}}
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
    keys = np.array([f"{block}-UHFFFAOYSA-N" for block in blocks])
    compounds = pd.DataFrame(
        {
            "inchikey": keys,
            "block": blocks,
            "smiles": smiles,
            "scaffold": "C",
            "stripped": None,
            "name": None,
            "moa": None,
        }
    )
    store = PlateStore(tmp_path_factory.mktemp("plates"))
    storage = {"channels": ["Mito", "ER", "RNA", "AGP", "DNA"], "crop": None}
    with store.writer("P", "digest", storage) as writer:
        for image in rng.integers(0, 200, (COMPOUNDS * FIELDS, 5, 32, 32), dtype=np.uint8):
            writer.append(image)
        writer.commit(pd.DataFrame({"field_id": "f", "row": np.arange(COMPOUNDS * FIELDS)}))
    shown = np.tile(np.arange(COMPOUNDS), FIELDS)
    examples = pd.DataFrame(
        {
            "field_id": [f"s/P/A01/{i}" for i in range(len(shown))],
            "screen": "s",
            "plate": "P",
            "well": "A01",
            "site": np.arange(len(shown)),
            "plate_file": "P",
            "row": np.arange(len(shown)),
            "inchikey": keys[shown],
            "structure_row": shown,
            "treatment": keys[shown],
            "moa": None,
            "fold": np.array(["train"] * 18 + ["validation"] * 6 + ["test"] * 6)[shown],
            "split": "random",
            "split_hash": "0123456789abcdef",
        }
    )
    fingerprints = fingerprint_compounds(compounds, FINGERPRINTS)
    bits = np.unpackbits(fingerprints.packed, axis=1)
    features = (bits @ rng.normal(size=(64, 6)))[shown] + rng.normal(0, 0.1, (len(shown), 6))
    values = features[:, :4].astype(np.float32)
    profiles = pd.DataFrame(features, columns=[f"feature_{i}" for i in range(6)])
    profiles.insert(0, "field_id", examples["field_id"])
    return {
        "plate_store": store,
        "field_profiles": profiles,
        "dino_features": Features(examples[["field_id"]], ("a", "b", "c", "d"), values, "dino.npy"),
        "fields": examples[["field_id", "screen", "plate", "well", "site"]].assign(control=examples["fold"] == "test"),
        "structure_features": compute_structure_features(
            compounds, StructureFeatureParameters(sets={"keys": {"kind": "maccs"}}, n_jobs=1)
        ),
        "examples": schemas.examples.validate(examples),
        "compounds": schemas.compounds.validate(compounds),
        "fingerprints": fingerprints,
        "labels": pd.DataFrame(columns=["inchikey"]),
    }


def run_nodes(nodes, data: dict) -> dict:
    """Outputs of all nodes: a runner would let go of those that others take."""
    data = dict(data)
    for node in nodes:
        data |= node.run({name: data[name] for name in node.inputs})
    return {name.partition(".")[2]: data[name] for node in nodes for name in node.outputs}


def run(screen, folder, parameters: TuningParameters, model: ModelParameters | None = None, draw: bool = False) -> dict:
    """Outputs of the search pipeline, without its figures unless they are asked for."""
    tunes, split = parameters.chosen.tunes, screen["examples"]["split"].iloc[0]
    inputs = {
        **screen,
        f"{split}.examples": screen["examples"],
        f"{split}.search_store": StudyStore(folder),
        "params:study": STUDY,
        "params:fingerprints": FINGERPRINTS,
        "params:probing": PROBING,
        "params:tuning": parameters,
        f"params:models.{tunes}": model or MODELS[tunes],
    }
    nodes = create_pipeline(split, tunes, SOURCES[tunes]).nodes
    return run_nodes(nodes[: 2 if draw else 1], inputs)


def test_settings_of_views_of_any_features_are_searched(screen, tmp_path):
    """A search reads the tables of the views, ``fields`` for the controls of plates among them."""
    parameters = {
        "field.view.whiten": {"integer": [2, 4]},
        "compound.view.counts_transform": {"choices": ["none", "log1p"]},
    }
    outputs = run(screen, tmp_path / "study", tuning("foreign", parameters))
    assert outputs["trials"]["state"].eq("COMPLETE").all()
    view = outputs["best_parameters"]["models"]["foreign"]["field"]["view"]
    assert view["whiten"] in (2, 3, 4)
    moved = Features(screen["dino_features"].metadata, ("a", "b", "c", "d"), screen["dino_features"].values[::-1], "n")
    with pytest.raises(ValueError, match="content of fields"):
        run({**screen, "dino_features": moved}, tmp_path / "study", tuning("foreign", parameters))


@pytest.mark.parametrize("tunes", ["cloome", "bilinear"])
def test_the_first_trial_is_the_training_node_at_the_default_configuration(screen, tmp_path, tunes):
    tables = run(screen, tmp_path / "study", tuning(tunes))
    trials = tables["trials"]
    for name in ("trials", "trial_epochs", "importances"):
        getattr(schemas, name).validate(tables[name])
    assert list(trials["source"]) == ["default", "tpe", "tpe"]
    assert set(trials["state"]) == {"COMPLETE"}
    assert trials["split_hash"].eq("0123456789abcdef").all()
    assert trials["n_validation"].eq(6).all()
    assert trials["tunes"].eq(tunes).all()

    sources = {name: screen[name] for name in SOURCES[tunes]}
    tables_read = {name: screen[name] for name in ("examples", "labels")}
    settings = {"model": MODELS[tunes], "probing": PROBING, "seed": 0}
    _, history = train(fit_states=tmp_path, subfolder="state", **tables_read, **settings, **sources)
    assert tables["trial_epochs"].query("trial == 0")["value"].tolist() == history["validation_top1"].tolist()
    assert trials["value"][0] == history["validation_top1"][history["best"]].item()
    assert trials["epoch"][0] == history["epoch"][history["best"]].item()


def test_best_parameters_make_the_winners_settings(screen, tmp_path):
    space = {
        "fit.learning_rate": {"log_uniform": [1e-3, 0.1]},
        "fit.optimizer": {"choices": ["sgd", "adamw"]},
        "fingerprints.bits": {"choices": [32, 64]},
    }
    tables = run(screen, tmp_path, tuning("bilinear", space, sampler="random", trials=4))
    best = tables["trials"].query("best").iloc[0]
    written = yaml.safe_load(yaml.safe_dump(tables["best_parameters"]))
    assert written["models"]["bilinear"]["fit"]["learning_rate"] == best["fit.learning_rate"]
    inputs = {
        "random.best_parameters": written,
        "params:fingerprints": FINGERPRINTS,
        "params:models.bilinear": MODELS["bilinear"],
        "compounds": screen["compounds"],
    }
    made = run_nodes(create_settings_pipeline("random", "bilinear").nodes, inputs)
    assert made["settings"].fit.learning_rate == best["fit.learning_rate"]
    assert made["settings"].fit.batch_size == 8, "not searched"
    assert made["fingerprint_settings"].bits == best["fingerprints.bits"]
    assert made["fingerprints"].packed.shape == (COMPOUNDS, best["fingerprints.bits"] // 8)


def test_the_test_fold_is_not_looked_at(screen, tmp_path):
    tested = (screen["examples"]["fold"] == "test").to_numpy()
    profiles = screen["field_profiles"].copy()
    profiles.loc[tested, "feature_0"] = np.nan  # refused where it is read
    one = run(screen, tmp_path / "one", tuning("bilinear"))
    other = run({**screen, "field_profiles": profiles}, tmp_path / "other", tuning("bilinear"))
    assert one["trials"]["value"].equals(other["trials"]["value"])


def test_a_study_goes_on_only_with_the_data_and_settings_it_was_begun_with(screen, tmp_path):
    run(screen, tmp_path, tuning("bilinear", trials=2))
    more = run(screen, tmp_path, tuning("bilinear", trials=3, workers=1))
    assert len(more["trials"]) == 3
    other = ModelParameters.model_validate({**BILINEAR, "fit": {**FIT, "cycles": 2}})
    with pytest.raises(ValueError, match=r"fit.cycles was 1, is 2.*tuning.study"):
        run(screen, tmp_path, tuning("bilinear"), other)
    examples = screen["examples"].assign(split_hash="f" * 16)
    with pytest.raises(ValueError, match=r"split was "):
        run({**screen, "examples": examples}, tmp_path, tuning("bilinear"))
    profiles = screen["field_profiles"].assign(feature_0=0.0)
    with pytest.raises(ValueError, match=r"content of fields was "):
        run({**screen, "field_profiles": profiles}, tmp_path, tuning("bilinear"))
    housekeeping = ModelParameters.model_validate({**BILINEAR, "fit": {**FIT, "checkpoint_minutes": 1}})
    assert len(run(screen, tmp_path, tuning("bilinear"), housekeeping)["trials"]) == 3


def test_trials_share_a_pre_training_if_its_settings_are_equal(screen, tmp_path):
    model = ModelParameters.model_validate(
        {
            **BILINEAR,
            "field": {"view": "profiles", "encoder": {"name": "mlp", "layers": 1, "width": 8}},
            "compound": IMAGE_MODEL["compound"],
            "embedding_size": 8,
            "fit": FIT,
            "pretrain": {"target": "profiles", "fit": FIT},
        }
    )
    fields = screen["examples"].assign(control=False, compound_id=screen["examples"]["inchikey"])
    keys = fields[["compound_id", "inchikey"]].drop_duplicates()
    searched = {"pretrain.weight": {"choices": [0, 1.0]}, "pretrain.fit.epochs": {"choices": [1, 2]}}
    parameters = tuning("bilinear", searched, sampler="grid", trials=4)
    inputs = {
        **{name: screen[name] for name in ("labels", "compounds", "field_profiles")},
        "random.examples": screen["examples"],
        "random.search_store": StudyStore(tmp_path / "study"),
        "run_states": tmp_path / "states",
        "fields": fields,
        "compound_keys": keys,
        "params:fingerprints": FINGERPRINTS,
        "params:probing": PROBING,
        "params:tuning": parameters,
        "params:models.bilinear": model,
    }
    node = create_pipeline("random", "bilinear", SOURCES["bilinear"], pretrains=True).nodes[0]
    trials = run_nodes([node], inputs)["trials"]
    assert trials["state"].tolist() == ["COMPLETE"] * 4
    assert len(list((tmp_path / "states" / "pretraining").glob("*.done.pt"))) == 2, "one for each number of epochs"
    changed = {**inputs, "field_profiles": screen["field_profiles"].assign(feature_0=0.0)}
    with pytest.raises(ValueError, match="content of targets was "):
        run_nodes([node], changed)


def test_splits_may_share_a_database(screen, tmp_path):
    for split in ("random", "scaffold"):
        examples = screen["examples"].assign(split=split)
        tables = run({**screen, "examples": examples}, tmp_path, tuning("bilinear", trials=1))
        assert tables["trials"]["study"].tolist() == [f"s/{split}/small"]


def test_a_trial_that_cannot_train_fails_and_the_search_goes_on(screen, tmp_path):
    space = {"fit.learning_rate": {"choices": [0.01, 1e30]}}
    tables = run(screen, tmp_path, tuning("bilinear", space, sampler="grid"), draw=True)
    trials = tables["trials"]
    assert trials["state"].tolist() == ["COMPLETE", "FAIL"]
    assert trials["reason"][1].startswith("FloatingPointError")
    assert "FloatingPointError" in tables["tuning_summary"]


def test_the_metric_of_the_space_chooses_the_epoch(screen, tmp_path):
    tables = run(screen, tmp_path, tuning("cloome", metric="zero_shot_compound_top1", trials=2))
    kept = tables["best_parameters"]["models"]["cloome"]
    assert kept["selected_by"] == "zero_shot_compound_top1"
    assert kept["fit"]["keep"] == ["zero_shot_compound_top1", "top1"]
    assert tables["trials"]["metric"].eq("zero_shot_compound_top1").all()


def test_a_search_is_described_beside_the_results_of_default_and_winner(screen, tmp_path):
    tables = run(screen, tmp_path, tuning("bilinear", trials=2))
    row = {
        "split": "random", "task": "retrieval", "method": "Bilinear", "images": "clean", "pool": "full",
        "shown_by": "field", "excluded": None, "draws": 1, "candidates": 6.0, "metric": "top-1", "low": 0.1,
        "high": 0.9, "interval": "exact", "n": 6, "compounds": 6, "successes": 3, "spread": None, "chance": 1 / 6,
        "split_hash": "0123456789abcdef",
    }  # fmt: skip
    directions = ("image to compound", "compound to image")
    default, winner, stale = (
        pd.DataFrame([row | {"direction": direction, "value": value} for direction in directions])
        for value in (0.125, 0.375, 0.625)
    )
    metrics = pd.concat([default, stale.assign(split_hash="f" * 16)])
    figures = {f"search_{name}_figure": f"data:{name}" for name in ("history", "slices", "importance")}
    described = {"trials": tables["trials"], "importances": tables["importances"], "study": STUDY, **figures}
    part = describe_search(metrics=metrics, tuned_metrics=winner, **described)
    for text in (
        "0123456789abcdef",
        "12.5\N{NO-BREAK SPACE}%",
        "37.5\N{NO-BREAK SPACE}%",
        ", model bilinear",
        'src="data:history"',
    ):
        assert text in part
    assert "62.5" not in part, "of other folds"
    assert "has not been trained" in describe_search(metrics=metrics, tuned_metrics=winner.iloc[:0], **described)


def test_objectives_reach_other_processes(screen):
    data = TrainingData(screen["examples"], screen["labels"], PROBING, {"plate_store": screen["plate_store"]})
    trial = TrialTraining(
        data, screen["compounds"], tuning("cloome").chosen, Settings(MODELS["cloome"], FINGERPRINTS), seed=0
    )
    sent = pickle.loads(pickle.dumps(trial))
    assert (sent.space, sent.settings) == (trial.space, trial.settings)
