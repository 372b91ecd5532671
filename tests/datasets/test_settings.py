"""Parameters as YAML, plain or as a parameter group."""

import pytest
import yaml
from kedro.io import DatasetError

from cloome_kedro.datasets.settings import Settings
from cloome_kedro.parameters import FingerprintParameters, ModelParameters

FINGERPRINTS = "cloome_kedro.parameters.FingerprintParameters"
MODEL = {
    "field": {"view": "profiles", "encoder": {"name": "mlp", "layers": 1, "width": 32}},
    "compound": {"view": "morgan", "encoder": {"name": "linear", "start": "zeros"}},
    "objective": {"name": "info_loob", "hopfield_beta": 8.0},
    "fit": {"epochs": 2, "batch_size": 16, "learning_rate": 0.001},
}


def test_nested_values_come_back_in_their_order(tmp_path):
    dataset = Settings(filepath=str(tmp_path / "deep" / "best.yml"), save_args={"sort_keys": False})
    assert not dataset.exists()
    values = {"models": {"cloome": {"fit": {"learning_rate": 1.0e-3, "batch_size": 16}, "embedding_size": 8}}}
    dataset.save(values)
    assert dataset.exists()
    assert dataset.load() == values
    text = (tmp_path / "deep" / "best.yml").read_text()
    assert text.index("learning_rate") < text.index("batch_size") < text.index("embedding_size")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["best.yml"]


def test_a_group_is_saved_as_plain_yaml_and_comes_back_as_the_group(tmp_path):
    dataset = Settings(filepath=str(tmp_path / "fingerprints.yml"), group=FINGERPRINTS)
    group = FingerprintParameters(radius=2, bits=64)
    dataset.save(group)
    assert dataset.load() == group
    assert yaml.safe_load((tmp_path / "fingerprints.yml").read_text()) == {"radius": 2, "bits": 64, "chirality": True}


def test_a_model_keeps_its_views_encoders_and_objective(tmp_path):
    dataset = Settings(filepath=str(tmp_path / "model.yml"), group="cloome_kedro.parameters.ModelParameters")
    model = ModelParameters.model_validate(MODEL)
    dataset.save(model)
    loaded = dataset.load()
    assert loaded == model
    assert type(loaded.compound.encoder) is type(model.compound.encoder)
    assert type(loaded.objective) is type(model.objective)
    assert yaml.safe_load((tmp_path / "model.yml").read_text())["objective"]["name"] == "info_loob"


def test_a_file_that_does_not_fit_the_group_is_refused(tmp_path):
    path = tmp_path / "fingerprints.yml"
    dataset = Settings(filepath=str(path), group=FINGERPRINTS)
    path.write_text("radius: 2\ncolour: red\n")
    with pytest.raises(DatasetError, match="colour"):
        dataset.load()
    path.write_text("bits: 3\n")
    with pytest.raises(DatasetError, match="bits"):
        dataset.load()


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    dataset = Settings(filepath=str(tmp_path / "best.yml"))
    dataset.save({"a": 1})

    def write_half(data, file, **options):
        file.write("a: ")
        raise OSError("no space left on device")

    monkeypatch.setattr(yaml, "dump", write_half)
    with pytest.raises(DatasetError, match="no space left"):
        dataset.save({"a": 2})
    monkeypatch.undo()
    assert dataset.load() == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["best.yml"]


@pytest.mark.parametrize("group", [None, FINGERPRINTS])
@pytest.mark.parametrize("text", ["", "# nothing", "radius", "- radius", "radius: [", "\0"])
def test_a_file_without_parameters_is_refused_with_its_path(tmp_path, group, text):
    (tmp_path / "best.yml").write_text(text)
    with pytest.raises(DatasetError, match=r"best\.yml"):
        Settings(filepath=str(tmp_path / "best.yml"), group=group).load()
