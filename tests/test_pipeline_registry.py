"""The registered pipelines: which there are, what they run over, and that registering them is cheap."""

import json
import subprocess
import sys
from copy import deepcopy

import pytest
from kedro.config import OmegaConfigLoader

from cloome_kedro.pipeline_registry import Model, register_pipelines
from environments import ROOT, configured, pipelines_of

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
    "distributed",
    "pandas",
    "optuna",
]
CAPABILITIES = {
    *("ingestion", "profiles", "featurization", "training", "embedding"),
    *("retrieval", "zero_shot", "probing", "corruption", "uncertainty", "reporting"),
}

#: models of the default study
MODELS = ("cloome", "profiles", "ridge", "fusion", "bilinear")


def registered(entries=None, **changes):
    """Pipelines of ``conf/base`` with other globals, and with other entries of models beside its own."""
    configuration = {kind: deepcopy(configured(kind)) for kind in ("globals", "parameters")}
    configuration["globals"] |= changes
    configuration["parameters"]["models"] |= entries or {}
    return register_pipelines(configuration)


def namespaces(pipeline, depth=1) -> set[str]:
    return {".".join(node.namespace.split(".")[:depth]) for node in pipeline.nodes}


def short_names(pipeline) -> set[str]:
    return {node.short_name for node in pipeline.nodes}


# ---- what there is


def test_there_is_a_pipeline_for_each_capability_and_split():
    assert set(pipelines_of("base")) == {
        *("__default__", "study", "simulation", *CAPABILITIES),
        *(
            "import_checkpoint",
            "profile_moa",
            "data_report",
            "seeds",
            "index",
            "inspect",
            "structure_probing",
            "compare",
            "tuning",
            "tune_and_train",
            "random",
            "scaffold",
        ),
    }


def test_default_is_the_virtual_screen_and_its_study():
    pipelines = pipelines_of("base")
    assert namespaces(pipelines["__default__"]) == {
        "simulation", "ingestion", "profiles", "featurization", "reporting", "random", "scaffold"
    }  # fmt: skip
    assert namespaces(pipelines["__default__"]) - namespaces(pipelines["study"]) == {"simulation"}
    capabilities = {node for name in CAPABILITIES for node in pipelines[name].nodes}
    assert set(pipelines["study"].nodes) == capabilities


def test_an_environment_chooses_splits_and_simulation():
    pipelines = registered(splits=["provided"], simulate=False)
    assert namespaces(pipelines["__default__"]) == {"ingestion", "profiles", "featurization", "reporting", "provided"}
    assert namespaces(pipelines["training"]) == {"provided"}
    assert {"truth", "provided_folds"} <= pipelines["__default__"].inputs(), "nothing simulates them"
    assert "random" not in pipelines


def test_nothing_writes_to_a_users_profiles():
    pipelines = registered(measure_profiles=False)
    assert not pipelines["profiles"].nodes
    assert all("field_profiles" not in pipeline.all_outputs() for pipeline in pipelines.values())


def test_a_splits_pipeline_needs_what_the_shared_ones_write():
    """As the documentation has it: ``--pipelines ingestion,profiles,featurization``, then ``--pipeline random``."""
    pipelines = pipelines_of("base")
    written = set().union(*(pipelines[name].all_outputs() for name in ("ingestion", "profiles", "featurization")))
    handles = {"run_states", "run_store", "corruption_stores"}
    of_the_screen, of_a_search = {"plate_store", "truth"}, {"later_parts"}
    inputs = {name for name in pipelines["random"].inputs() if not name.startswith("param")}
    assert inputs <= written | handles | of_the_screen | of_a_search


def test_namespaces_fold_by_split_then_models_or_evaluation():
    random = pipelines_of("base")["random"]
    assert namespaces(random, 2) == {
        f"random.{name}" for name in ("featurization", "models", "evaluation", "reporting")
    }
    of_models = {node.namespace for node in random.nodes if node.namespace.startswith("random.models")}
    assert of_models == {"random.models", *(f"random.models.{name}" for name in (*MODELS, "description"))}
    evaluations = {node.namespace for node in random.nodes if node.namespace.startswith("random.evaluation")}
    assert evaluations == {
        "random.evaluation",
        *(f"random.evaluation.{name}" for name in ("retrieval", "zero_shot", "probing", "corruption", "uncertainty")),
    }


def test_gpu_nodes_are_tagged():
    pipelines = pipelines_of("base")
    tagged = pipelines["study"].only_nodes_with_tags("gpu")
    assert namespaces(tagged, 3) == {
        f"{split}.models{part}" for split in ("random", "scaffold") for part in (*(f".{name}" for name in MODELS), "")
    }
    assert short_names(tagged) == {
        *("pretrain", "train", "select_checkpoint", "embed_fields", "embed_compounds", "embed_untrained"),
        *("embed_corrupted", "fit_ridge", "fuse_models", "join_checkpoints", "gather_methods"),
    }
    of_models = {node for node in pipelines["study"].nodes if {*MODELS} & set(node.namespace.split(".")[2:])}
    gathered = {node for node in tagged.nodes if node.name.endswith("gather_methods")}
    assert of_models == set(tagged.nodes) - gathered, "all that a model computes"
    searched = pipelines["tune_and_train"].only_nodes_with_tags("gpu")
    assert {"search_parameters", "use_best", "fingerprint_compounds", "train"} <= short_names(searched)


# ---- models


def test_every_model_is_trained_and_embedded_and_all_are_evaluated_together():
    random = pipelines_of("base")["random"]
    for model in ("cloome", "profiles", "bilinear"):
        assert {f"random.models.{model}.{name}" for name in ("train", "embed_fields", "embed_compounds")} <= {
            node.name for node in random.nodes
        }
    (gathering,) = [node for node in random.nodes if node.short_name == "gather_methods"]
    assert gathering._inputs == {
        "study": "params:study",
        "corrections": "params:corrections",
        "examples": "random.examples",
        "fields": "fields",
        **{name: name for name in ("field_profiles", "cell_counts", "truth")},
        **{
            f"{model}_{side}s": f"random.{model}.{side}_embeddings"
            for model in MODELS
            for side in ("field", "compound")
        },
        "untrained": "random.cloome.untrained_embeddings",
    }


def test_views_say_what_is_read():
    by_name = {node.name: node for node in pipelines_of("base")["random"].nodes}

    images, features = {"plate_store", "plate_statistics"}, {"field_profiles", "fingerprints", "structure_features"}

    def read(name):
        return set(by_name[name].inputs) & (images | features)

    profiles_are_predicted = {*images, "structure_features", "field_profiles"}
    assert read("random.models.cloome.train") == profiles_are_predicted
    assert read("random.models.profiles.train") == {"field_profiles", "structure_features"}
    assert read("random.models.ridge.fit_ridge") == {"field_profiles", "structure_features"}
    assert read("random.models.fusion.fuse_models") == set()
    assert read("random.models.bilinear.train") == {"field_profiles", "fingerprints"}
    assert read("random.models.cloome.embed_fields") == {"plate_store", "plate_statistics"}
    assert read("random.models.cloome.embed_corrupted") == {"plate_store", "plate_statistics"}
    assert read("random.models.cloome.embed_compounds") == {"structure_features"}
    assert read("random.models.bilinear.embed_fields") == {"field_profiles"}
    assert read("random.models.bilinear.embed_compounds") == {"fingerprints"}


def test_a_study_of_profiles_alone_corrupts_no_images():
    pipelines = registered(models={"profiles": "Profile model"})
    random = pipelines["random"]
    readers = {node.namespace for node in random.nodes if "plate_store" in node.inputs}
    assert readers == {"random.reporting.retrieval"}, "whose gallery shows what was found"
    assert not {"embed_corrupted", "rank_corrupted", "probe_corrupted"} & short_names(pipelines["study"])
    assert not any("corrupt" in name for name in random.datasets())
    assert short_names(pipelines["corruption"]) == {"join_results"}
    untrained = [node.name for node in random.nodes if node.short_name == "embed_untrained"]
    assert untrained == ["random.models.profiles.embed_untrained"], "its encoder of fields learns"


def test_a_screen_without_images_is_read_from_tables():
    pipelines = registered(images=False, simulate=False, models={"profiles": "Profile model"})
    assert pipelines["ingestion"].inputs() == {"raw_screen", "params:study", "params:profile_tables"}
    written = {"fields", "compound_table", "rejected_fields", "field_profiles", "cell_counts"}
    assert pipelines["ingestion"].all_outputs() == written
    assert not pipelines["profiles"].nodes
    study = pipelines["__default__"]
    assert not {"plate_store", "plate_statistics", "field_index"} & study.datasets()
    assert not {name for name in study.datasets() if "corrupt" in name or "gallery" in name or "figure_1" in name}
    assert {"report", "replicate_metrics", "random.zero_shot_metrics", "random.probing_metrics"} <= study.all_outputs()


def test_each_fold_of_a_cross_validation_is_a_split():
    folds = [f"scaffold_fold_{number}" for number in (1, 2, 3)]
    pipelines = registered(splits=folds)
    assert set(folds) <= set(pipelines)
    assert namespaces(pipelines["training"]) == set(folds)
    with pytest.raises(ValueError, match="the split scaffold_fold needs a number"):
        registered(splits=["scaffold_fold"])


def test_what_learns_nothing_of_fields_has_no_untrained_counterpart():
    random = registered(models={"bilinear": "Bilinear"})["random"]
    assert "embed_untrained" not in short_names(random)
    assert not any("untrained" in name for name in random.datasets())


def test_the_first_model_alone_has_an_untrained_counterpart_and_all_of_images_are_corrupted():
    random = registered({"second": configured("parameters")["models"]["cloome"]}, models={"cloome": "A", "second": "B"})
    names = {node.name for node in random["random"].nodes}
    assert "random.models.cloome.embed_untrained" in names
    assert "random.models.second.embed_untrained" not in names
    assert {"random.models.cloome.embed_corrupted", "random.models.second.embed_corrupted"} <= names


def test_the_environment_of_the_profile_model():
    pipelines = pipelines_of("profile_model")
    assert namespaces(pipelines["random"], 2) == {
        f"random.{name}" for name in ("featurization", "models", "evaluation", "reporting")
    }
    assert {"random.models.profiles", "random.models.bilinear"} <= namespaces(pipelines["random"], 3)
    assert not any(node.short_name == "embed_corrupted" for node in pipelines["__default__"].nodes)
    assert "random.profiles.untrained_embeddings" in pipelines["random"].all_outputs()
    searching = next(node for node in pipelines["tuning"].nodes if node.name == "random.tuning.search_parameters")
    assert searching._inputs["model"] == "params:models.profiles", "the space of the environment tunes it"
    assert "field_profiles" in searching.inputs
    assert configured("globals", "profile_model")["preset"] == "profile_model", "its results lie beside those of images"


def test_a_model_can_be_written_with_names_alone():
    entries = {
        "short": {"field": {"view": "profiles", "encoder": "mlp"}, "compound": {"view": "morgan", "encoder": "mlp"}}
    }
    model = Model.configured("short", entries)
    assert model == Model("short", ("field_profiles",), ("fingerprints",), sees_images=False, trains_field_encoder=True)
    assert model.sources == ("field_profiles", "fingerprints")


def kinds(**entries):
    """A study of an image model, a ridge and a fusion; ``entries`` replaces entries of models."""
    return registered(entries, models={"cloome": "A", "ridge": "B", "fusion": "C"})


def test_a_ridge_is_fitted_and_a_fusion_joins_embeddings():
    pipelines = kinds(fusion={"kind": "fusion", "parts": ["cloome", "ridge"]})
    nodes = {node.name: node for node in pipelines["random"].nodes}
    assert {name for name in nodes if name.startswith(("random.models.ridge", "random.models.fusion"))} == {
        "random.models.ridge.fit_ridge", "random.models.fusion.fuse_models", "random.models.fusion.join_checkpoints"
    }  # fmt: skip
    fitted, fused = nodes["random.models.ridge.fit_ridge"], nodes["random.models.fusion.fuse_models"]
    assert set(fitted.inputs) == {
        *("random.examples", "run_store", "fields", "compounds", "field_profiles", "structure_features"),
        *("params:models.ridge", "params:seed"),
    }
    parts = {f"random.{part}.{side}_embeddings" for part in ("cloome", "ridge") for side in ("field", "compound")}
    assert set(fused.inputs) == {"random.examples", "params:models.fusion", "params:seed", *parts}
    checkpoints = {"random.cloome.checkpoint", "random.ridge.checkpoint"}
    joined = {"random.fusion.field_embeddings", "params:models.fusion", *checkpoints}
    assert set(nodes["random.models.fusion.join_checkpoints"].inputs) == joined
    assert "random.models.ridge.fit_ridge" in {node.name for node in pipelines["training"].nodes}
    assert "random.models.fusion.fuse_models" in {node.name for node in pipelines["embedding"].nodes}
    (gathering,) = [node for node in nodes.values() if node.short_name == "gather_methods"]
    assert {f"random.{model}.field_embeddings" for model in ("cloome", "ridge", "fusion")} <= set(gathering.inputs)
    described = nodes["random.models.description.describe_training"].inputs
    assert {
        "random.cloome.history",
        "random.cloome.pretraining_history",
        "random.ridge.selection",
        "random.fusion.selection",
    } <= set(described)
    assert not {"random.ridge.history", "random.fusion.checkpoint"} & set(described)
    corrupted = [node.namespace for node in nodes.values() if node.short_name == "embed_corrupted"]
    assert corrupted == ["random.models.cloome"], "the others see no images"
    assert {"fit_ridge", "fuse_models"} <= short_names(pipelines["study"].only_nodes_with_tags("gpu"))


def test_a_study_can_do_without_contrastive_models():
    pipelines = registered(models={"ridge": "Ridge"})
    assert "random.models.ridge.fit_ridge" in {node.name for node in pipelines["random"].nodes}
    assert not pipelines["import_checkpoint"].nodes
    assert not {"train", "embed_fields", "embed_untrained"} & short_names(pipelines["study"])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "fusion", "parts": ["cloome", "profiles"]},
         "models.fusion.parts: profiles is no model of the study: add it to models in globals.yml, before fusion"),
        ({"kind": "fusion", "parts": ["cloome", "fusion"]}, "fusion must come before fusion in models"),
        ({"kind": "fusion", "parts": ["cloome"]}, "models.fusion.parts: a fusion needs the names of two or more"),
        ({"kind": "fusion"}, "models.fusion.parts: a fusion needs the names of two or more"),
        ({"kind": "boosting"}, "models.fusion.kind: there is no kind of model 'boosting', only contrastive, ridge and"),
        ({"kind": "ridge", "field": {"view": "profiles"}}, "models.fusion: field and compound need a view each"),
    ],
)  # fmt: skip
def test_kinds_that_do_not_fit_are_refused(entry, message):
    with pytest.raises(ValueError, match=message):
        kinds(fusion=entry)


def test_a_pre_training_is_a_node_before_the_training():
    entry = configured("parameters")["models"]["cloome"] | {"pretrain": {"target": {"name": "table", "table": "deep"}}}
    pipelines = registered({"cloome": entry})
    nodes = {node.name: node for node in pipelines["random"].nodes}
    pretraining, training = nodes["random.models.cloome.pretrain"], nodes["random.models.cloome.train"]
    sources = {"plate_store", "plate_statistics", "structure_features", "deep_features"}
    assert set(pretraining.inputs) == {
        *("run_states", "run_store", "random.examples", "fields", "compound_keys"),
        *("params:models.cloome", "params:seed", *sources),
    }
    assert pretraining.outputs == ["random.cloome.pretrained", "random.cloome.pretraining_history"]
    assert {"random.cloome.pretrained", *sources} <= set(training.inputs)
    assert not {"random.models.bilinear.pretrain", "random.models.profiles.pretrain"} & set(nodes)
    searched = {node.name: node for node in pipelines["tune_and_train"].nodes}
    assert {"run_states", "fields", "compound_keys", "deep_features"} <= set(
        searched["random.tuning.search_parameters"].inputs
    )
    winner = "random_tuned.models.cloome"
    assert searched[f"{winner}.pretrain"].outputs[0] in searched[f"{winner}.train"].inputs
    without = registered({"cloome": entry | {"pretrain": None}})
    assert "pretrain" not in short_names(without["study"])
    searching = next(node for node in without["tuning"].nodes if node.short_name == "search_parameters")
    assert not {"run_states", "fields", "compound_keys"} & set(searching.inputs)
    with pytest.raises(ValueError, match=r"models\.cloome\.pretrain: a pre-training needs a target, such as profiles"):
        registered({"cloome": entry | {"pretrain": {"weight": 1}}})


# ---- what is refused


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="there is no split 'temporal'; the nearest are: random, scaffold, provided"):
        registered(splits=["random", "temporal"])


def test_an_unknown_model_is_refused():
    message = "globals.yml, models: there is no model clome; the parameters `models` have cloome, bilinear, profiles"
    with pytest.raises(ValueError, match=message):
        registered(models={"clome": "CLOOME"})


@pytest.mark.parametrize(
    ("side", "message"),
    [
        ({"view": "image", "encoder": "mlp"}, "there is no view 'image'; the nearest are: images"),
        ({"view": "images", "encoder": "resnett"}, "there is no encoder 'resnett'; the nearest are: resnet"),
        ({"view": "images"}, "models.mine: field and compound need a view and an encoder each"),
        ({"view": {"crop": 8}, "encoder": "mlp"}, "models.mine: field and compound need a view and an encoder each"),
        (None, "models.mine: field and compound need a view and an encoder each"),
    ],
)
def test_an_unknown_view_or_encoder_is_refused(side, message):
    entries = {"mine": {"field": side, "compound": {"view": "morgan", "encoder": "mlp"}}}
    with pytest.raises(ValueError, match=message):
        registered(entries, models={"mine": "Mine"})


# ---- without a configuration, and cheaply


def test_without_a_configuration_the_base_environment_counts(monkeypatch):
    """Another configuration loader would take over the resolvers of the session's own."""
    expected = {name: {node.name for node in pipeline.nodes} for name, pipeline in pipelines_of("base").items()}

    def started(*args, **kwargs):
        raise AssertionError("a configuration loader was started")

    monkeypatch.setattr(OmegaConfigLoader, "__init__", started)
    monkeypatch.chdir(ROOT)
    found = {name: {node.name for node in pipeline.nodes} for name, pipeline in register_pipelines().items()}
    assert found == expected
    monkeypatch.chdir(ROOT / "src" / "cloome_kedro")
    assert set(register_pipelines()) == set(expected), "anywhere in the project"


def test_without_a_project_there_are_no_pipelines(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert register_pipelines() == {}


def test_a_session_keeps_its_environment_whenever_pipelines_are_asked_for():
    """In a process of its own: the first session asks for pipelines in a hook, the second one when they are there."""
    code = """
import json
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

bootstrap_project(".")
paths = []
for seed in (4, 5):
    with KedroSession.create(project_path=".", env="test", runtime_params={"seed": seed}) as session:
        catalog = session.load_context().catalog
        paths += [str(catalog[name]._filepath) for name in ("fields", "random.cloome.checkpoint")]
    assert "scaffold" in list(pipelines)
print(json.dumps(paths))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for path, end in zip(
        json.loads(done.stdout.splitlines()[-1]),
        (
            "03_primary/test_screen/fields.parquet",
            "06_models/test_screen/random/default/seed_4/cloome/checkpoint",
            "03_primary/test_screen/fields.parquet",
            "06_models/test_screen/random/default/seed_5/cloome/checkpoint",
        ),
        strict=True,
    ):
        assert path.endswith(f"data/{end}")


def test_registering_imports_nothing_heavy():
    """Heavy libraries are imported inside nodes, so that `kedro registry list` stays quick."""
    code = (
        "import sys; from cloome_kedro.pipeline_registry import register_pipelines; assert register_pipelines();"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- a search


@pytest.mark.parametrize(
    ("tunes", "sources"),
    [
        (
            "cloome",
            {"plate_store", "plate_statistics", "structure_features", "field_profiles", "compound_keys"},
        ),
        ("bilinear", {"field_profiles"}),
        ("profiles", {"field_profiles", "structure_features"}),
    ],
)
def test_the_winner_of_a_search_is_trained_and_evaluated_in_a_namespace_of_its_own(tunes, sources):
    configuration = {kind: deepcopy(configured(kind)) for kind in ("globals", "parameters")}
    configuration["parameters"]["tuning"] = {"space": "mine", "spaces": {"mine": {"tunes": tunes}}}
    pipelines = register_pipelines(configuration)
    winner = pipelines["tune_and_train"].filter(node_namespaces=["random_tuned"])
    assert {node.namespace for node in winner.nodes} == {
        *("random_tuned", "random_tuned.models", f"random_tuned.models.{tunes}", "random_tuned.evaluation"),
        *(f"random_tuned.evaluation.{name}" for name in ("retrieval", "zero_shot", "probing")),
    }
    outside = {name for name in winner.inputs() if not name.startswith(("params:", "random_tuned."))}
    assert outside == {
        "random.best_parameters",
        "random.examples",
        "labels",
        "fields",
        "compounds",
        "run_states",
        "run_store",
        *sources,
    }
    assert "fingerprints" not in outside, "a search may choose other ones"
    given = {name for name in winner.inputs() if name.startswith("random_tuned.")}
    assert given == set()
    assert f"params:models.{tunes}" in winner.inputs(), "what is not searched stays as it is configured"
    assert {name for name in winner.all_outputs() if not name.startswith("random_tuned.")} == set()


def test_nothing_else_depends_on_a_search():
    pipelines = pipelines_of("base")
    searched = pipelines["tuning"].all_outputs() | pipelines["tune_and_train"].all_outputs()
    for name in ("__default__", "study", "random"):
        assert not searched & pipelines[name].all_outputs()
    assert not searched & pipelines["training"].datasets()


def test_an_unknown_space_is_left_to_the_parameters():
    """They refuse it by its name before the run; until then the first model stands for the one that is tuned."""
    configuration = {kind: deepcopy(configured(kind)) for kind in ("globals", "parameters")}
    configuration["parameters"]["tuning"]["space"] = "no such space"
    assert "random.tuning.search_parameters" in {
        node.name for node in register_pipelines(configuration)["tuning"].nodes
    }
