"""Indexes of the invented screen, and an application that serves them."""

import pytest

import small_index

pytest.importorskip("fastapi", reason="the extra `page` is not installed")
pytest.importorskip("python_multipart", reason="the extra `page` is not installed")
pytest.importorskip("lancedb", reason="the extra `index` is not installed")


@pytest.fixture(scope="session")
def index_folders(tmp_path_factory):
    """An index with a model, and one without."""
    folder = tmp_path_factory.mktemp("indexes")
    return [small_index.build(folder / "cloome"), small_index.build(folder / "ridge", model="ridge", has_model=False)]


@pytest.fixture(scope="session")
def app(index_folders):
    from cloome_kedro.page.app import create_app

    return create_app(index_folders, device="cpu")


@pytest.fixture(scope="session")
def client(app):
    from fastapi.testclient import TestClient

    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client
