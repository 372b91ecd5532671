"""A study with models of all kinds, run as a user runs it."""

import re

import pytest

pytestmark = pytest.mark.slow

MODELS = {
    "cloome": "CLOOME",
    "profiles": "Profile model",
    "bilinear": "Bilinear",
    "ridge": "Ridge",
    "together": "Fusion",
}
STEPS = "training,embedding,retrieval,zero_shot,probing,corruption,uncertainty,reporting"


@pytest.fixture(scope="module")
def kinds(study):
    """The study of the test environment with further models, in a variant of its own."""
    parts = {"kind": "fusion", "parts": ["cloome", "profiles", "ridge"]}
    together = parts | {"weights": {"cloome": 1, "profiles": 2, "ridge": 3}}
    changes = {"models": {"together": together}, "corruption": {"names": ["random_flip_small_rotation"]}}
    study.environment("kinds", {"splits": ["random"], "models": MODELS}, changes)
    study.kinds = study.kedro("run", "--env", "kinds", "--pipelines", STEPS, "--params", "variant=kinds")
    return study


def load(kinds, name):
    path = kinds.folder / "data" / name
    import pandas as pd

    return pd.read_parquet(path) if path.suffix == ".parquet" else path.read_text()


def test_all_kinds_are_methods_of_the_study(kinds):
    metrics = load(kinds, "08_reporting/test_screen/random/kinds/seed_0/metrics.parquet")
    clean = metrics[metrics["images"] == "clean"]
    methods = {task: set(rows["method"]) & set(MODELS.values()) for task, rows in clean.groupby("task")}
    assert methods["retrieval"] == set(MODELS.values())
    of_fields = {"CLOOME", "Profile model", "Fusion"}  # a ridge and the bilinear baseline learn nothing of fields
    assert methods["zero-shot compound"] == methods["zero-shot MoA"] == methods["probing"] == of_fields
    corrupted = set(metrics.loc[metrics["images"] != "clean", "method"])
    assert corrupted & set(MODELS.values()) == {"CLOOME"}, "only it sees images"


def test_the_chosen_settings_are_kept_and_shown(kinds):
    ridge = load(kinds, "06_models/test_screen/random/kinds/seed_0/ridge/selection.parquet")
    fusion = load(kinds, "06_models/test_screen/random/kinds/seed_0/together/selection.parquet")
    assert ridge["best"].sum() == 1
    assert dict(zip(fusion["part"], fusion["value"], strict=True)) == {"cloome": 1, "profiles": 2, "ridge": 3}
    section = load(kinds, "08_reporting/test_screen/random/kinds/seed_0/parts/training.html")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", section))
    assert "Ridge alpha" in text
    assert "Fusion weight of Profile model 2 1" in text
    assert "CLOOME: loss, validation top-1" in text
    report = load(kinds, "08_reporting/test_screen/kinds/seed_0/report.html")
    assert all(label in report for label in MODELS.values())


def test_seeds_and_searches_of_such_a_study(kinds):
    done = kinds.kedro("run", "--env", "kinds", "--pipelines", "seeds", "--params", "variant=kinds")
    assert "Fusion" in done.stdout
    refused = kinds.kedro(
        *(
            "run",
            "--env",
            "kinds",
            "--pipelines",
            "tuning",
            "--params",
            "variant=kinds,tuning.spaces.laptop.tunes=ridge",
        ),
        check=False,
    )
    assert refused.returncode
    assert (
        "ridge is a model of the kind ridge, but only contrastive models can be tuned"
        in refused.stderr + refused.stdout
    )
