"""The default study at its full size: training reaches far more than chance, by learning and not by a leak.

It has the random split alone, because it is the longest run of all tests. Both splits run in the environment ``test``.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.words import CLEAN, DIRECTIONS, PROBING, RETRIEVAL, ZERO_SHOT
from environments import configured
from project import Project

pytestmark = pytest.mark.slow

MODELS = configured("globals")["models"]


@pytest.fixture(scope="module")
def default_study(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("default"))
    local = project.folder / "conf" / "local"
    local.mkdir(exist_ok=True)
    (local / "globals.yml").write_text("splits: [random]\n")
    project.kedro("run")
    return project


def load(project, name):
    return project.load(name, env="local")


def test_retrieval_is_well_above_chance(default_study):
    metrics = load(default_study, "random.retrieval_metrics")
    top1 = metrics.query(
        "pool == 'sampled' and metric == 'top-1' and candidates == 100 and draws == 1 and shown_by == 'field'"
    ).set_index(["method", "direction"])
    for direction in DIRECTIONS:
        found = top1.loc[("CLOOME", direction)]
        assert found["n"] >= 250
        assert found["value"] >= 0.33
        assert found["low"] > 0.01
        assert found["chance"] == pytest.approx(0.01)
        # the oracle that knows every phenotype is the ceiling; the one that knows the mechanism only is far below it
        ceiling = top1.loc[("Oracle (phenotype)", direction), "value"]
        assert top1.loc[("Oracle (mechanism)", direction), "value"] < ceiling
        assert found["value"] < ceiling


def test_models_are_ahead_of_the_bilinear_baseline(default_study):
    """Over draws and in each direction; the fusion of all is ahead of its parts."""
    asked = (
        "task == 'retrieval' and images == 'clean' and pool == 'sampled' and shown_by == 'field' and metric == 'top-1'"
    )
    metrics = load(default_study, "random.metrics").query(f"{asked} and draws == 10")
    metrics = metrics.set_index(["method", "direction"])
    differences = load(default_study, "random.differences").query(asked)
    for direction in DIRECTIONS:
        value = {method: metrics.loc[(method, direction), "value"] for method in MODELS.values()}
        assert value["Fusion"] > max(value["CLOOME"], value["Profile model"], value["Ridge"])
        paired = differences[(differences["direction"] == direction) & (differences["against"] == "method Bilinear")]
        paired = paired.set_index("method")
        for model in ("CLOOME", "Profile model", "Fusion"):
            assert paired.loc[model, "difference"] == pytest.approx(value[model] - value["Bilinear"], abs=1e-6)
            assert paired.loc[model, "low"] > 0, (model, direction)
        assert metrics.loc[("Bilinear", direction), "low"] > metrics.loc[("Bilinear", direction), "chance"]


def test_retrieval_over_draws_and_by_means(default_study):
    """The single draw lies within the draws' spread, and all fields of a compound tell more than one."""
    metrics = load(default_study, "random.retrieval_metrics").query("method == 'CLOOME' and metric == 'top-10'")
    for direction in DIRECTIONS:
        full = metrics[(metrics["pool"] == "full") & (metrics["direction"] == direction)].set_index(
            ["shown_by", "draws"]
        )
        one, many = full.loc[("field", 1)], full.loc[("field", 10)]
        assert 0 < many["spread"] < 0.1
        assert abs(one["value"] - many["value"]) < 4 * many["spread"]
        assert full.loc[("mean", 1), "value"] > many["high"]
        assert many["low"] > many["chance"]


def test_retrieval_is_more_than_the_plates(default_study):
    metrics = load(default_study, "random.retrieval_metrics")
    rows = metrics.query("method == 'CLOOME' and metric == 'top-1' and pool == 'same plate'")
    assert len(rows) == 2
    assert (rows["low"] > rows["chance"]).all()


def test_mechanisms_are_found_above_chance_and_above_an_untrained_encoder(default_study):
    """Over draws, with intervals apart; also without the query's compound as reference, whose well gives it away."""
    metrics = load(default_study, "random.zero_shot_metrics")
    found = metrics.query("task == 'zero-shot MoA' and metric == 'top-1' and pool == 'full' and draws == 10")
    for excluded in ("none", "compound"):
        rows = found[found["excluded"] == excluded].set_index("method")
        assert rows.loc["CLOOME", "low"] > rows.loc["Untrained", "high"]
        assert rows.loc["Untrained", "low"] > rows.loc["CLOOME", "chance"]
    well = rows.loc["Well position only"]
    assert well["low"] < well["chance"] < well["high"]


def test_every_corruption_is_paired_with_clean_images(default_study):
    names = set(load(default_study, "params:corruption").names)
    tables = ("corruption_differences", "corrupted_probing_differences")
    differences = pd.concat([load(default_study, f"random.{name}") for name in tables])
    assert set(differences["against"]) == {CLEAN}
    assert (differences["low"] <= differences["difference"]).all()
    assert (differences["difference"] <= differences["high"]).all()
    by_task = differences.groupby("task")["images"].agg(set).to_dict()
    chosen = {"random_flip_small_rotation"}
    assert by_task == {RETRIEVAL: names, **dict.fromkeys((*ZERO_SHOT, PROBING), chosen)}
    blurred = differences.query(
        "images == 'gaussian_blur' and shown_by == 'mean' and pool == 'sampled' and metric == 'top-1'"
    )
    assert len(blurred) == 2
    assert (blurred["high"] < 0).all(), "out of focus, images tell less"


def test_every_table_of_the_supplement_is_filled(default_study):
    """Nothing of ours is missing in the tables with the random split; what the publication lacks is its own."""
    from cloome_kedro.reporting.sheets import SHEETS

    assert {sheet.name for sheet in SHEETS} >= {"7", *(f"{n}{kind}" for n in range(8, 13) for kind in ("", "_clean"))}
    for sheet in (sheet for sheet in SHEETS if "Random" in sheet.splits):
        table = load(default_study, f"supplement_table_{sheet.name}").table
        rows = table[~table["Method"].str.contains("published only")]
        rows = rows[rows["Split"] == "Random"] if "Split" in rows else rows
        ours = rows[[name for name in table.columns if not name.startswith("Published")]]
        assert len(ours)
        assert not ours.isin(["–", ""]).any(axis=None), sheet.name
        assert ours.notna().all(axis=None), sheet.name


def test_all_results_of_a_split_are_in_one_table(default_study):
    """What the report reads has every task, model and confounder."""
    metrics = load(default_study, "random.metrics")
    assert set(metrics["task"]) == {RETRIEVAL, *ZERO_SHOT, PROBING}
    asked = metrics[metrics["images"] == CLEAN].groupby("task")["method"].agg(set)
    assert asked[RETRIEVAL] >= {*MODELS.values(), "Oracle (phenotype)", "Oracle (mechanism)"}
    of_fields = {"CLOOME", "Profile model", "Fusion"}
    for task in (*ZERO_SHOT, PROBING):
        assert asked[task] >= {"Profiles", "Untrained", "Plate only", "Well position only", "Cell count only"}
        assert asked[task] & {*MODELS.values()} == of_fields, "the others learn nothing of fields alone"
    assert metrics["split_hash"].nunique() == 1


def test_shuffled_labels_are_not_learned(default_study, tmp_path):
    """With the training compounds' labels shuffled, accuracy on test compounds is chance: nothing leaks."""
    from cloome_kedro.evaluation.methods import gather_methods
    from cloome_kedro.parameters import (
        EmbeddingParameters,
        ModelParameters,
        ProbingParameters,
        RetrievalParameters,
        StudyParameters,
    )
    from cloome_kedro.pipelines.embedding.nodes import embed_compounds, embed_fields
    from cloome_kedro.pipelines.retrieval.nodes import rank_matches, summarise_retrieval
    from cloome_kedro.pipelines.training.nodes import pretrain, train

    names = ("fields", "compounds", "compound_keys", "labels", "random.examples")
    fields, compounds, keys, labels, examples = (load(default_study, name) for name in names)
    images = {name: load(default_study, name) for name in ("plate_store", "plate_statistics")}
    structures = {"structure_features": load(default_study, "structure_features")}
    sources = {**images, **structures, "field_profiles": load(default_study, "field_profiles")}
    model, probing, retrieval, study = (
        group.model_validate(load(default_study, f"params:{name}"))
        for name, group in [
            ("models.cloome", ModelParameters),
            ("probing", ProbingParameters),
            ("retrieval", RetrievalParameters),
            ("study", StudyParameters),
        ]
    )
    assert model.pretrain is not None
    before = model.pretrain.model_copy(update={"fit": dataclasses.replace(model.pretrain.fit, epochs=2)})
    few = model.model_copy(update={"fit": dataclasses.replace(model.fit, epochs=3), "pretrain": before})
    trained_on = np.flatnonzero(examples["fold"] == "train")
    of_compound = ["inchikey", "structure_row", "treatment", "moa"]
    shuffled = examples.copy()
    permuted = np.random.default_rng(0).permutation(trained_on)
    shuffled.loc[trained_on, of_compound] = examples.loc[permuted, of_compound].to_numpy()

    common = {"fit_states": tmp_path, "examples": shuffled, "model": few, "seed": 0, **sources}
    pretrained, _ = pretrain(fields=fields, compound_keys=keys, **common)
    checkpoints, history = train(subfolder="state", labels=labels, probing=probing, pretrained=pretrained, **common)
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0], "the shuffled labels were trained on"
    of_fields = embed_fields(checkpoints["top1"], fields, EmbeddingParameters(), **images)
    of_compounds = embed_compounds(checkpoints["top1"], compounds, EmbeddingParameters(), **structures)
    methods = gather_methods(examples, {"CLOOME": (of_fields, of_compounds)})
    ranks = rank_matches(methods, examples, retrieval, 0)
    metrics, differences = summarise_retrieval(ranks, examples, study, retrieval, 0)
    assert differences.empty, "there is nothing to compare with"
    assert set(metrics["method"]) == {"CLOOME", "Random"}
    top1 = metrics.query("method == 'CLOOME' and pool == 'sampled' and metric == 'top-1' and shown_by == 'field'")
    top1 = top1[top1["draws"] == 1]
    assert len(top1) == 2
    assert (top1["low"] <= 0.01).all()
    assert (top1["high"] >= 0.01).all()
