"""The registered pipelines: which there are, what they run over, and that registering them is cheap."""

import subprocess
import sys

import pytest

from cloome_kedro.pipeline_registry import register_pipelines

HEAVY = [
    "torch",
    "torchvision",
    "rdkit",
    "sklearn",
    "scipy",
    "matplotlib",
    "seaborn",
    "tifffile",
    "joblib",
    "pandas",
    "optuna",
]


def namespaces(pipeline) -> set[str]:
    return {node.namespace.split(".")[0] for node in pipeline.nodes}


def test_default_is_the_virtual_screen_and_its_study():
    pipelines = register_pipelines()
    assert namespaces(pipelines["__default__"]) == {
        "simulation", "ingestion", "profiles", "featurization", "reporting", "random", "scaffold"
    }  # fmt: skip
    assert namespaces(pipelines["__default__"]) - namespaces(pipelines["study"]) == {"simulation"}


def test_an_environment_chooses_splits_and_simulation():
    pipelines = register_pipelines(splits=["provided"], simulate=False)
    assert namespaces(pipelines["__default__"]) == {"ingestion", "profiles", "featurization", "reporting", "provided"}
    assert namespaces(pipelines["training"]) == {"provided"}


def test_nothing_writes_to_a_users_profiles():
    pipelines = register_pipelines(measure_profiles=False)
    assert not pipelines["profiles"].nodes
    assert all("field_profiles" not in pipeline.all_outputs() for pipeline in pipelines.values())


def test_a_splits_pipeline_needs_what_the_shared_ones_write():
    """As the documentation has it: ``--pipelines ingestion,profiles,featurization``, then ``--pipeline random``."""
    pipelines = register_pipelines()
    written = set().union(*(pipelines[name].all_outputs() for name in ("ingestion", "profiles", "featurization")))
    handles = {"plate_store", "random.fit_state", "random.bilinear_state", "random.corruption_store"}
    of_the_screen = {"truth", "assay_labels"}
    inputs = {name for name in pipelines["random"].inputs() if not name.startswith("param")}
    assert inputs <= written | handles | of_the_screen


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r"unknown splits \['temporal'\]"):
        register_pipelines(splits=["temporal"])


def test_namespaces_fold_by_split_then_capability():
    folded = {node.namespace for node in register_pipelines()["random"].nodes}
    assert folded == {
        f"random.{name}"
        for name in (
            *("featurization", "training", "bilinear", "embedding"),
            *("retrieval", "zero_shot", "probing", "corruption", "reporting"),
        )
    }


def test_gpu_nodes_are_tagged():
    tagged = register_pipelines()["study"].only_nodes_with_tags("gpu").nodes
    assert {node.namespace.split(".")[1] for node in tagged} == {"training", "bilinear", "embedding", "corruption"}


def test_registering_imports_nothing_heavy():
    """Heavy libraries are imported inside nodes, so that `kedro registry list` stays quick."""
    code = (
        "import sys; from cloome_kedro.pipeline_registry import register_pipelines; register_pipelines();"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("tunes", "trained", "evaluated"),
    [
        ("training", {"training", "embedding"}, {"retrieval", "zero_shot", "probing"}),
        ("bilinear", {"bilinear"}, {"retrieval"}),
    ],
)
def test_the_winner_of_a_search_is_trained_and_evaluated_in_a_namespace_of_its_own(tunes, trained, evaluated):
    pipelines = register_pipelines(splits=["random"], tunes=tunes)
    winner = pipelines["tune_and_train"].filter(node_namespaces=["random.tuned"])
    assert {node.namespace for node in winner.nodes} == {
        f"random.tuned.{name}" for name in {"tuning"} | trained | evaluated
    }
    outside = {name for name in winner.inputs() if not name.startswith(("params:", "random.tuned."))}
    assert "random.best_parameters" in outside
    assert "random.folds" in outside, "it is trained and tested on the split's own folds"
    assert "fingerprints" not in outside, "a search may choose other ones"
    given = {name for name in winner.inputs() if name.startswith("random.tuned.")}
    assert given == {"random.tuned.fit_state" if tunes == "training" else "random.tuned.bilinear_state"}
    assert f"params:{tunes}" in winner.inputs(), "what is not searched stays as it is configured"


def test_nothing_else_depends_on_a_search():
    pipelines = register_pipelines()
    searched = pipelines["tuning"].all_outputs() | pipelines["tune_and_train"].all_outputs()
    for name in ("__default__", "study", "random"):
        assert not searched & pipelines[name].all_outputs()
    assert not searched & pipelines["training"].datasets()
