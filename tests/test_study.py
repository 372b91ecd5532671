"""The whole study in the test environment, run as a user runs it."""

import json
import os
import time

import pandas as pd
import pytest

import warm_python
from environments import configured

pytestmark = pytest.mark.slow

MODELS = configured("globals")["models"]
CAPABILITIES = [
    *("ingestion", "profiles", "featurization", "training", "embedding", "retrieval", "zero_shot", "probing"),
    *("corruption", "uncertainty", "reporting"),
]


def report_of(study):
    (report,) = study.folder.glob("data/08_reporting/*/default/seed_0/report.html")
    return report


def last_lines(study) -> str:
    """What a run prints last: the end of the summary, and where the report is."""
    return f"{study.load('summary').rstrip().splitlines()[-1].strip()}\n\nThe report: {report_of(study)}\n"


def test_one_command_runs_the_study(study):
    """Every table of both splits is there, and the summary and the report are the last things on the screen."""
    report = study.load("report")
    assert "SIMULATED" in report.upper()
    assert "random" in report
    assert "scaffold" in report
    assert study.run.stdout.endswith(last_lines(study))
    for split in ("random", "scaffold"):
        metrics = study.load(f"{split}.retrieval_metrics")
        assert set(metrics["method"]) == {*MODELS.values(), "Random", "Oracle (phenotype)", "Oracle (mechanism)"}
        assert set(metrics["direction"]) == {"image to compound", "compound to image"}
        examples = study.load(f"{split}.examples")
        tested = examples.loc[examples["fold"] == "test", "inchikey"].nunique()
        assert metrics.query("metric == 'top-1' and pool != 'same plate'")["n"].eq(tested).all()
        folds_hash = examples["split_hash"].iloc[0]
        assert set(metrics["split_hash"]) == {folds_hash}
        for model in ("cloome", "profiles", "bilinear"):
            assert study.load(f"{split}.{model}.checkpoint").config["split_hash"] == folds_hash
        for model in MODELS:
            assert study.load(f"{split}.{model}.field_embeddings").meta["split_hash"] == folds_hash
        pretrained = study.load(f"{split}.cloome.checkpoint").config["pretrained"]
        assert pretrained["weights"] == study.load(f"{split}.cloome.pretrained").weights
        for model in ("ridge", "fusion"):
            assert study.load(f"{split}.{model}.selection")["best"].any()
        joined = study.load(f"{split}.metrics")
        assert set(joined["task"]) == {"retrieval", "zero-shot compound", "zero-shot MoA", "probing"}
        verdicts = study.load(f"{split}.differences").query("task == 'retrieval' and images == 'clean'")
        compared = verdicts[verdicts["against"] == "method Bilinear"]
        assert set(compared["method"]) == {*MODELS.values()} - {"Bilinear"}, "every model with the reference"
        assert {"clean", "random_flip", "random_flip_small_rotation"} <= set(joined["images"])


def test_two_splits_run_at_the_same_time(study):
    printed = " ".join((study.run.stdout + study.run.stderr).split())
    assert "at the same time: random; scaffold" in printed


def test_a_repeated_study_has_nothing_to_do(untouched):
    """Then a missing file is made again, alone. The summary is printed each time."""
    printed_last = last_lines(untouched)
    done = untouched.kedro("run", "--env", "test")
    assert "nodes: nothing has changed, nothing to run" in " ".join((done.stdout + done.stderr).split())
    assert "Running node" not in done.stdout + done.stderr
    assert done.stdout.endswith(printed_last)
    report = report_of(untouched)
    report.unlink()
    done = untouched.kedro("run", "--env", "test")
    assert "Completed 1 out of 1 tasks" in done.stdout + done.stderr
    assert report.is_file()
    assert done.stdout.endswith(printed_last)


def test_every_model_says_how_sure_it_is(study):
    """Candidate sets of all models, in both directions, calibrated and measured on one query per compound."""
    report = study.load("report")
    assert report.count("<h3>How sure an answer is</h3>") == 2
    for split in ("random", "scaffold"):
        examples = study.load(f"{split}.examples")
        counts = examples.groupby("fold")["inchikey"].nunique()
        sets = study.load(f"{split}.candidate_sets").query("task == 'retrieval'")
        assert set(sets["method"]) == set(MODELS.values())
        assert len(sets) == len(MODELS) * 2 * 2 * 2 * 3, "directions, one field and mean, kinds, levels"
        assert sets["calibration"].eq(counts["validation"]).all()
        assert sets["compounds"].eq(counts["test"]).all()
        assert sets["coverage"].between(0, 1).all()
        assert (sets["size_mean"] <= sets["candidates"]).all()
        of_model = study.load(f"{split}.softmax_calibration").query("task == 'retrieval' and method == 'CLOOME'")
        scale = study.load(f"{split}.cloome.field_embeddings").meta["inverse_temperature"]
        assert of_model.loc[~of_model["calibrated"], "temperature"].tolist() == pytest.approx([1 / scale] * 4)
        assert set(study.load(f"{split}.familiarity")["method"].dropna()) == set(MODELS.values())
        assert set(study.load(f"{split}.probe_calibration")["method"]) >= {"CLOOME", "Random"}


def test_controls_are_kept_and_never_paired(study):
    fields, pairs = study.load("fields"), study.load("pairs")
    controls = fields.loc[fields["control"], "field_id"]
    assert len(controls) == 16
    assert not pairs["field_id"].isin(controls).any()
    assert set(controls) <= set(study.load("random.cloome.field_embeddings").keys)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_each_capability_runs_alone(study, capability):
    """On one split, and whole where it has parts for all splits in common."""
    of_split = [] if capability in ("ingestion", "profiles", "featurization") else ["--namespaces", "random"]
    done = study.kedro("run", "--env", "test", "--pipeline", capability, *of_split, "--fresh")
    assert "Pipeline execution completed" in done.stdout + done.stderr


def test_corrupted_fields_are_embedded_once(study):
    """What a killed or an earlier run has embedded stays; a corruption that is missing is made again, alone."""
    (study.load("corruption_stores") / "random" / "cloome" / "random_flip.parquet").unlink()
    done = study.kedro("run", "--env", "test", "--pipelines", "corruption", "--namespaces", "random")
    log = done.stdout + done.stderr
    assert "random_flip: 48 fields to embed" in log
    assert log.count("fields to embed") == 1
    assert log.count("already embedded") == 4


def test_seeds_and_variants_are_written_beside(study):
    before = study.load("random.retrieval_metrics")
    study.kedro(
        "run", "--env", "test", "--pipelines", "training,embedding,retrieval", "--namespaces", "random",
        "--params",
        "seed=1,variant=hopfield,models.cloome.objective.name=info_loob,models.cloome.objective.hopfield_beta=14.3",
    )  # fmt: skip
    folder = study.folder / "data" / "06_models" / "test_screen" / "random" / "hopfield" / "seed_1"
    config = json.loads((folder / "cloome" / "checkpoint" / "config.json").read_text())
    assert config["seed"] == 1
    assert config["objective"] == {"name": "info_loob", "hopfield_beta": 14.3}
    assert study.load("random.retrieval_metrics").equals(before)
    done = study.kedro("run", "--env", "test", "--pipelines", "seeds", "--params", "variant=hopfield")
    table = study.folder / "data" / "08_reporting" / "test_screen" / "hopfield" / "seeds_metrics.csv"
    assert set(pd.read_csv(table, dtype=str)["seeds"]) == {"1"}
    assert done.stdout.rstrip().splitlines()[-1].split()[-1] == "1", "the seeds of the last row, printed last"


def test_a_killed_run_goes_on_and_ends_with_the_same_weights(study):
    """`--only-missing-outputs` leaves what is there, and training goes on from its state."""

    def arguments(variant):
        settings = ",".join(
            [f"variant={variant}", *(f"models.cloome.fit.{name}" for name in ("checkpoint_steps=1", "epochs=20"))]
        )
        command = ["run", "--env", "test", "--pipelines", "featurization,training"]
        command += ["--namespaces", "random.featurization,random.models.cloome"]
        return [*command, "--only-missing-outputs", "--params", settings]

    models = study.folder / "data" / "06_models" / "test_screen"

    def folder(variant):
        return models / "random" / variant / "seed_0" / "cloome"

    study.kedro(*arguments("undisturbed"))
    process = study.start(*arguments("killed"))
    while (
        not list((models / "fit_states" / "killed" / "seed_0" / "random" / "cloome").glob("[!.]*.pt"))
        and process.poll() is None
    ):
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (folder("killed") / "checkpoints").exists()
    done = study.kedro(*arguments("killed"))
    assert "training continues from step" in done.stdout + done.stderr
    assert "Running 2 out of 5 nodes" in done.stdout + done.stderr  # examples, leaks and the pre-training are there
    weights = [folder(variant) / "checkpoint" / "model.safetensors" for variant in ("undisturbed", "killed")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_gpu_nodes_run_by_tag(study):
    done = study.kedro("run", "--env", "test", "--tags", "gpu", "--namespaces", "random", "--fresh")
    assert "Completed 19 out of 19 tasks" in done.stdout + done.stderr


def test_the_console_script_is_kedro_run(study):
    command = ["--env", "test", "--pipelines", "retrieval"]
    done = warm_python.run("cloome_kedro", *command, folder=study.folder, environment=dict(os.environ))
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Completed 6 out of 6 tasks" in done.stdout + done.stderr


def test_commands_about_the_project(study):
    listed = study.kedro("registry", "list").stdout
    for capability in CAPABILITIES:
        assert f"- {capability}\n" in listed
    assert "fingerprints" in study.kedro("catalog", "describe-datasets", "--env", "test").stdout


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("models.cloome.fit.learning_rat=1", "learning_rat"),
        ("models.cloome.field.encoder.wdith=8", "there is no setting wdith; its settings are: layers, width"),
        ("corruption.names=[gausian_blur],corruption.chosen=gausian_blur", "the nearest are: gaussian_blur"),
    ],
)
def test_a_misspelt_parameter_stops_the_run_at_once(study, setting, told):
    done = study.kedro("run", "--env", "test", "--params", setting, check=False)
    assert done.returncode != 0
    assert told in done.stdout + done.stderr
    assert "Running node" not in done.stdout + done.stderr


def test_kedro_viz_builds_a_static_site(study):
    study.kedro("viz", "build", "--include-previews", KEDRO_ENV="test")
    graph = json.loads((study.folder / "build" / "api" / "main").read_text())
    assert {"random", "random.models.cloome", "scaffold.evaluation.retrieval"} <= {
        node["id"] for node in graph["nodes"] if node["type"] == "modularPipeline"
    }
    nodes = {node["name"]: study.folder / "build" / "api" / "nodes" / node["id"] for node in graph["nodes"]}
    table = json.loads(nodes["supplement_table_7"].read_text())["preview"]
    assert table["data"] == study.load("supplement_table_7").table.to_numpy().tolist()
    for name in (
        "random.retrieval_metrics",
        "random.zero_shot_metrics",
        "supplement_audits",
        "random.rank_distribution_figure",
    ):
        assert json.loads(nodes[name].read_text())["preview"], name
