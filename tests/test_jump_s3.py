"""A screen with the folders and tables of JUMP, from an S3 server: the same tables and images as from a folder."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("moto", reason="moto is not installed (extra dev)")
pytest.importorskip("s3fs", reason="s3fs is not installed (extra s3)")

from cloome_kedro.imaging.illumination.plate import PROVIDED, read_kept
from cloome_kedro.imaging.index import PATHS
from jump_screen import BUCKET, PLATES, write_jump_screen
from project import Project
from s3_server import S3Server

pytestmark = pytest.mark.slow

TABLES = (
    *("field_index", "rejected_index", "compound_table", "fields", "rejected_fields", "plate_statistics"),
    *("compounds", "compound_keys", "rejected_compounds", "merged_compounds", "pairs", "random.examples"),
)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """The screen in a folder, and its tables of wells, plates and compounds."""
    folder = tmp_path_factory.mktemp("gallery")
    write_jump_screen(folder / BUCKET, folder / "metadata")
    return folder


@pytest.fixture(scope="module")
def server(gallery):
    server = S3Server()
    server.upload(gallery / BUCKET, BUCKET)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def copy(gallery, tmp_path_factory) -> Project:
    """The project with the environment jump_small: cpg0016 with small stored fields."""
    project = Project(tmp_path_factory.mktemp("jump"))
    shutil.copytree(gallery / "metadata", project.folder / "data/01_raw/cpg0016/metadata")
    environment = project.folder / "conf/jump_small"
    shutil.copytree(project.folder / "conf/cpg0016", environment)
    settings = (environment / "parameters.yml").read_text()
    small = re.sub(r"crop: 960\n(\s+)size: \[240, 240\]", r"crop: null\n\1size: [16, 16]", settings)
    assert small != settings
    (environment / "parameters.yml").write_text(small)
    return project


def run(project: Project, **environment: str):
    for layer in ("02_intermediate", "03_primary", "04_feature", "05_model_input"):
        shutil.rmtree(project.folder / "data" / layer, ignore_errors=True)
    done = project.kedro("run", "--env", "jump_small", "--pipelines", "ingestion,featurization", **environment)
    tables = {name: project.load(name, env="jump_small") for name in TABLES}
    plates = sorted((project.folder / "data/02_intermediate/cpg0016/plates").glob("*.npy"))
    return tables, {path.name: np.load(path) for path in plates}, done.stdout + done.stderr


@pytest.fixture(scope="module")
def on_server(copy, server):
    server.requests.clear()
    result = run(copy, AWS_ENDPOINT_URL_S3=server.address)
    return *result, dict(server.requests)


@pytest.fixture(scope="module")
def on_disk(copy, gallery, on_server):
    catalog = copy.folder / "conf/jump_small/catalog.yml"
    catalog.write_text(catalog.read_text().replace("s3://cellpainting-gallery", str(gallery / BUCKET)))
    return run(copy)


def test_the_same_tables_and_images(on_server, on_disk):
    for name in TABLES:
        tables = [result[0][name].drop(columns=PATHS, errors="ignore") for result in (on_server, on_disk)]
        pd.testing.assert_frame_equal(*tables, obj=name)
    assert list(on_server[1]) == list(on_disk[1])
    for name, images in on_server[1].items():
        np.testing.assert_array_equal(images, on_disk[1][name])


def test_the_plates_of_compounds_of_two_sources_are_read(on_server):
    tables = on_server[0]
    compound_plates = {source: plate for source, _, plate, kind, _ in PLATES if kind == "COMPOUND"}
    index = tables["field_index"]
    assert index.groupby("source")["plate"].unique().map(list).to_dict() == {
        source: [plate] for source, plate in compound_plates.items()
    }
    assert tables["rejected_fields"].empty
    assert tables["fields"].groupby("plate").size().to_dict() == dict.fromkeys(compound_plates.values(), 32)
    assert tables["fields"]["control"].sum() == 2 * 8, "wells with DMSO"
    assert tables["compounds"]["inchikey"].nunique() == tables["pairs"]["inchikey"].nunique() == 24
    assert index["path_DNA"].str.startswith("s3://cellpainting-gallery/cpg0016-jump/source_").all()


def test_images_are_divided_by_the_functions_of_the_gallery(copy, on_disk):
    plates = [plate for _, _, plate, kind, _ in PLATES if kind == "COMPOUND"]
    for plate in plates:
        kept = read_kept(copy.folder / f"data/02_intermediate/cpg0016/plates/illumination/{plate}.npz")
        assert kept.basis == PROVIDED
        assert kept.functions[:, 0, -1] == pytest.approx(np.array([1.2, 1.3, 1.4, 1.5, 1.6]) / 1.02)


def test_few_requests(on_server):
    requests = on_server[3]
    assert requests["GET"] == 2 * 32 * 5 + 2 * 5 + 2, (
        "images, illumination functions and LoadData tables; those of the other plate are not touched"
    )
    assert requests["list"] < 40
    assert requests.get("HEAD", 0) == 0
