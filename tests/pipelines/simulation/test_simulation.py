"""The pipeline as Kedro runs it, through the schemas of the catalog."""

import pytest
from kedro.validation.type_extractor import TypeExtractor

from cloome_kedro import schemas
from cloome_kedro.datasets.folder import FolderDataset
from cloome_kedro.parameters import SimulationParameters
from cloome_kedro.pipelines.simulation import create_pipeline
from cloome_kedro.pipelines.simulation.nodes import design_virtual_screen, write_virtual_screen
from planted_examples import run_pipeline

SETTINGS = {
    "screen": {"compounds": 24, "platemaps": 1, "replicates": 1, "control_wells": 4, "field_size": 32, "assays": 3},
    "n_jobs": 1,
}


def run(folder):
    parameters = SimulationParameters.model_validate(SETTINGS)
    folders = {
        "virtual_screen_folder": FolderDataset(filepath=str(folder), create=True),
        "raw_screen": FolderDataset(filepath=str(folder)),
    }
    return run_pipeline(create_pipeline(), {"params:simulation": parameters}, **folders)


def test_pipeline_writes_a_screen_with_truth_and_labels(tmp_path):
    folder = tmp_path / "screen"
    found = run(folder)
    assert len(schemas.truth.validate(found["truth"])) == 28
    assert len(schemas.assay_labels.validate(found["assay_labels"])) == 24
    assert found["raw_screen"] == folder
    assert (folder / "manifest.csv").read_text() == "plate,platemap,fields\nVRT1000,VRT-MAP-01,28\n"
    assert len(list(folder.rglob("*.tiff"))) == 28 * 5


def test_a_screen_that_is_being_rewritten_has_no_manifest(tmp_path, monkeypatch):
    """``--only-missing-outputs`` must not take the rest of a killed run for a whole screen."""
    run(tmp_path)

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cloome_kedro.simulation.screen.write_screen", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    assert not FolderDataset(filepath=str(tmp_path)).exists()
    run(tmp_path)
    assert FolderDataset(filepath=str(tmp_path)).exists()


@pytest.mark.parametrize("file", ["manifest.csv", "assay_labels.parquet", "images/P1/a.tiff"])
def test_files_of_a_user_stay(tmp_path, file):
    """A user's screen under the name of the environment, and ``simulate`` left true."""
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    with pytest.raises(ValueError, match="contains files that are not of the virtual screen"):
        run(tmp_path)
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]
    for write in (design_virtual_screen, write_virtual_screen):
        with pytest.raises(ValueError, match="contains files"):
            write(tmp_path, SimulationParameters.model_validate(SETTINGS))
    assert path.read_text() == "mine"


def test_parameters_are_typed_for_kedro():
    found = TypeExtractor({"simulation": create_pipeline()}).extract_types_from_pipelines()
    assert found == {"simulation": SimulationParameters}
