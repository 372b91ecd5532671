"""docs/how-to/foundation_models.md: the page's study of a small screen, on invented vectors of both sides."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter

from cloome_kedro.parameters import ModelParameters, StructureFeatureParameters
from cloome_kedro.parameters.model import SideParameters
from cloome_kedro.pipeline_registry import tuned_pipeline
from cloome_kedro.study_models import Model
from environments import configured

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "foundation_models.md").read_text()
PREPARE, EMBED = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CATALOG, MODELS, GLOBALS, STRUCTURES = (
    yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
)


def embed_image(image):
    """A vector of 20 numbers, some of which say how bright the channels are."""
    assert image.shape == (5, 32, 32)
    pixels = image.reshape(5, -1).astype(float)
    return np.concatenate([pixels.mean(1), pixels.std(1), np.log1p(pixels[:, :2]).ravel()])


def embed_smiles(smiles):
    return np.array([smiles.count(letter) for letter in "CNOScno1=#"], float)


def test_the_settings_of_the_page_are_right():
    assert ModelParameters.model_validate(MODELS["models"]["foreign"]).field.view.whiten == 16
    sets = StructureFeatureParameters.model_validate(STRUCTURES["structure_features"]).sets
    view = STRUCTURES["models"]["several"]["compound"]["view"]
    side = {"view": view, "encoder": "linear"}
    assert set(TypeAdapter(SideParameters).validate_python(side).view.sets) <= set(sets)


def test_tuning_and_the_winner_read_the_tables_of_the_views():
    """The winner has fingerprints of its own, but the same tables and structural features."""
    models = configured("parameters")["models"] | copy.deepcopy(MODELS["models"])
    models["foreign"]["compound"]["view"] = STRUCTURES["models"]["several"]["compound"]["view"]
    model = Model.configured("foreign", models)
    assert model.sources == ("dino_features", "fields", "structure_features")
    winner = tuned_pipeline("random", model)
    assert {"dino_features", "fields", "structure_features"} <= winner.inputs()
    assert not [name for name in winner.datasets() if name.startswith("random_tuned.structure")]
    with pytest.raises(ValueError, match="the view table needs the setting table"):
        Model.configured(
            "foreign", models | {"foreign": models["foreign"] | {"field": {"view": "table", "encoder": "mlp"}}}
        )


@pytest.fixture(scope="module")
def foreign(study, tmp_path_factory):
    """A copy of the study in which the study of the page has ended, in an environment like conf/test."""
    from project import Project

    project = Project(tmp_path_factory.mktemp("foreign"))
    project.take_screen(study)
    few = {"corruption": {"names": ["random_flip_small_rotation"]}}
    project.environment("foreign", {"splits": ["random"], **GLOBALS}, MODELS, few)
    (project.folder / "conf" / "foreign" / "catalog.yml").write_text(yaml.safe_dump(CATALOG))
    screen = configured("globals", "test")["screen"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.folder)
        names = {"embed_image": embed_image, "embed_smiles": embed_smiles}
        exec(PREPARE.replace("my_screen", screen), names)
    project.names = names
    project.run = project.kedro("run", "--env", "foreign", "--pipelines", "random,reporting")
    return project


@pytest.mark.slow
def test_the_study_on_foreign_embeddings_runs_end_to_end(foreign):
    metrics = foreign.load("random.metrics", "foreign")
    assert {"retrieval", "zero-shot compound", "probing"} <= set(metrics["task"])
    assert {"DINOv2 and CheMeleon", "Bilinear"} <= set(metrics["method"])
    assert "DINOv2 and CheMeleon" in foreign.load("report", "foreign")
    checkpoint = foreign.load("random.foreign.checkpoint", "foreign")
    field, compound = (checkpoint.view(side) for side in ("field", "compound"))
    assert (field.key, field.inputs, len(field.columns)) == ("field_id", 16, 20)
    assert (compound.key, compound.columns[:2]) == ("inchikey", ("chemeleon_0", "chemeleon_1"))
    assert len(foreign.load("random.foreign.field_embeddings", "foreign").keys) == len(foreign.names["fields"])


@pytest.mark.slow
def test_new_features_get_the_embeddings_of_the_study(foreign, monkeypatch):
    monkeypatch.chdir(foreign.folder)
    exec(EMBED, foreign.names)
    names = foreign.names
    for side, found in (("field", names["found"]), ("compound", names["structures"])):
        saved = foreign.load(f"random.foreign.{side}_embeddings", "foreign")
        keys = names["fields"]["field_id"] if side == "field" else names["compounds"]["inchikey"]
        np.testing.assert_allclose(found, saved.of(keys), atol=1e-5)
    assert names["scores"].shape == (len(names["fields"]), len(names["compounds"]))
