"""Importing a published file: through the nodes and datasets, and once as a user does it."""

import json

import pytest
from kedro.io import DatasetError
from kedro.validation.type_extractor import TypeExtractor

import published_file
from cloome_kedro.datasets.checkpoint import CheckpointDataset
from cloome_kedro.datasets.published import PublishedCheckpoint
from cloome_kedro.learning.checkpoint import Checkpoint
from cloome_kedro.parameters import ImportParameters, ModelParameters
from cloome_kedro.pipeline_registry import register_pipelines
from cloome_kedro.pipelines.import_checkpoint import create_pipeline
from planted_examples import run_pipeline
from published_file import SMALL


@pytest.fixture
def published(tmp_path):
    return published_file.write(tmp_path / "p.pt", published_file.state_dict(**SMALL))


def entry(**views):
    """A model of images and Morgan fingerprints; ``views`` replaces them."""
    views = {"field": "images", "compound": "morgan"} | views
    sides = {side: {"view": view, "encoder": "mlp"} for side, view in views.items()}
    return ModelParameters.model_validate({**sides, "objective": "info_nce", "fit": {}})


def run(published, folder, variant="published", **views):
    datasets = {
        "published_checkpoint": PublishedCheckpoint(filepath=str(published)),
        "random.cloome.checkpoint": CheckpointDataset(filepath=str(folder)),
    }
    parameters = {"params:import_checkpoint": ImportParameters(variant=variant), "params:models.cloome": entry(**views)}
    return run_pipeline(create_pipeline("random", "cloome"), parameters, **datasets)["random.cloome.checkpoint"]


def test_a_published_file_becomes_a_checkpoint(published, tmp_path):
    for _ in range(2):  # importing again is no harm
        checkpoint = run(published, tmp_path / "checkpoint")
        expected = PublishedCheckpoint(filepath=str(published)).load()
        assert checkpoint.config == expected.config
        assert all(tensor.equal(checkpoint.tensors[name]) for name, tensor in expected.tensors.items())


def test_it_needs_a_variant_of_its_own(published, tmp_path):
    with pytest.raises(ValueError, match="variant=published"):
        run(published, tmp_path / "checkpoint", variant="default")
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.parametrize(
    ("side", "view", "needed"),
    [
        ("compound", {"name": "structures", "sets": ["morgan_counts"]}, "morgan"),
        ("field", "profiles", "images"),
    ],
)
def test_the_model_must_have_its_views(published, tmp_path, side, view, needed):
    message = rf"models\.cloome\.{side}\.view is .* view {needed}: add --params models\.cloome\.{side}\.view={needed}$"
    with pytest.raises(ValueError, match=message):
        run(published, tmp_path / "checkpoint", **{side: view})
    assert not (tmp_path / "checkpoint").exists()


def test_a_trained_checkpoint_is_never_replaced(published, tmp_path):
    dataset = CheckpointDataset(filepath=str(tmp_path / "checkpoint"))
    imported = PublishedCheckpoint(filepath=str(published)).load()
    config = {key: value for key, value in imported.config.items() if key != "source"}
    dataset.save(Checkpoint(config, imported.tensors))
    with pytest.raises(DatasetError, match="holds a checkpoint that was trained here"):
        run(published, tmp_path / "checkpoint")
    assert "source" not in dataset.load().config


def test_the_published_file_is_only_read(published, tmp_path):
    dataset = PublishedCheckpoint(filepath=str(published))
    assert dataset.exists()
    with pytest.raises(DatasetError, match="read only"):
        dataset.save(dataset.load())
    missing = PublishedCheckpoint(filepath=str(tmp_path / "none.pt"))
    assert not missing.exists()
    with pytest.raises(DatasetError, match=r"none\.pt does not exist.*--params checkpoint=FILE"):
        missing.load()


def test_it_is_part_of_no_other_pipeline():
    """The first model is imported, the others are trained, so that what follows finds all of them."""
    pipelines = register_pipelines()
    splits, others = ("random", "scaffold"), ("profiles", "bilinear")
    imported = pipelines["import_checkpoint"]
    written = {name for name in imported.all_outputs() if name.endswith(".checkpoint")}
    assert written == {f"{split}.{model}.checkpoint" for split in splits for model in ("cloome", "ridge", *others)}
    trained = {node.namespace for node in imported.nodes if node.short_name == "train"}
    assert trained == {f"{split}.models.{model}" for split in splits for model in others}
    fitted = {node.namespace for node in imported.nodes if node.short_name == "fit_ridge"}
    assert fitted == {f"{split}.models.ridge" for split in splits}
    assert not [node for node in imported.nodes if node.short_name == "pretrain"], "the first model is given"
    for name, pipeline in pipelines.items():
        assert (name == "import_checkpoint") == ("published_checkpoint" in pipeline.inputs()), name


def test_parameters_are_typed_for_kedro():
    pipeline = create_pipeline("random", "cloome")
    found = TypeExtractor({"import_checkpoint": pipeline}).extract_types_from_pipelines()
    assert found == {"import_checkpoint": ImportParameters, "models.cloome": ModelParameters}
    assert [node.name for node in pipeline.nodes] == ["random.models.cloome.import_published"]


@pytest.mark.slow
def test_a_user_imports_a_model_and_studies_the_screen(study, tmp_path):
    """A published file on the small virtual screen, with a warning instead of a refusal."""
    path = published_file.write(tmp_path / "cloome.pt", published_file.state_dict(**SMALL | {"bits": 1024}))
    models = {"cloome": "CLOOME", "bilinear": "Bilinear"}
    env = study.environment("imported", {"splits": ["random"], "models": models})
    command = ["run", "--env", env, "--pipelines", "import_checkpoint"]
    trained = study.load("random.cloome.checkpoint").config
    refused = study.kedro(*command, "--params", f"checkpoint={path}", check=False)
    assert refused.returncode != 0
    assert "variant=published" in refused.stdout + refused.stderr
    unlike = study.kedro(*command, "--params", f"variant=published,checkpoint={path}", check=False)
    assert unlike.returncode != 0
    assert "models.cloome.compound.view=morgan" in unlike.stdout + unlike.stderr
    command[-1] += ",embedding,retrieval,zero_shot,probing,corruption,uncertainty,reporting"
    few = "corruption.names=[random_flip_small_rotation]"
    settings = f"variant=published,checkpoint={path},models.cloome.compound.view=morgan,{few}"
    done = study.kedro(*command, "--params", settings)
    assert "TRAINING COMPOUNDS ARE NOT KNOWN" in done.stdout + done.stderr
    assert study.load("random.cloome.checkpoint").config == trained
    folder = study.folder / "data" / "06_models" / "test_screen" / "random" / "published" / "seed_0"
    assert json.loads((folder / "cloome" / "checkpoint" / "config.json").read_text())["source"] == "published"
    folder = study.folder / "data" / "08_reporting" / "test_screen" / "random" / "published" / "seed_0"
    metrics = {path.name for path in folder.glob("*metrics.parquet")}
    tasks = ("retrieval", "zero_shot", "probing", "corruption", "corrupted_probing")
    assert metrics == {"metrics.parquet", *(f"{task}_metrics.parquet" for task in tasks)}
    report = study.folder / "data" / "08_reporting" / "test_screen" / "published" / "seed_0" / "report.html"
    assert report.read_text().count("not trained here") == 1
