"""The tables of an index in a bucket of S3."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.index import Index
from cloome_kedro.index.build import update
from invented_index import small_content

pytest.importorskip("moto", reason="moto, a local S3 server, is not installed (extra dev)")
s3fs = pytest.importorskip("s3fs", reason="the extra `s3` is not installed")


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of a local server, which LanceDB finds by the usual variables of AWS."""
    from s3_server import CREDENTIALS, S3Server

    server = S3Server()
    s3fs.S3FileSystem(**server.options, skip_instance_cache=True).makedirs("indexes", exist_ok=True)
    for name, value in {
        "AWS_ENDPOINT": server.address,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": CREDENTIALS["key"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["secret"],
    }.items():
        monkeypatch.setenv(name, value)
    yield "s3://indexes/screen"
    server.stop()


def test_tables_in_a_bucket_grow_and_answer_as_those_in_a_folder(tmp_path, bucket):
    for plates in (2, 3):
        update(tmp_path / "local", small_content(plates=plates))
        update(tmp_path / "remote", small_content(plates=plates, uri=bucket))
    assert not (tmp_path / "remote" / "lance").exists()
    local, remote = (Index.open(tmp_path / name) for name in ("local", "remote"))
    queries = local.vectors("fields", local.rows("fields")["field_id"][:4])
    for kind in ("fields", "wells", "compounds"):
        pd.testing.assert_frame_equal(
            local.search(queries, kind=kind, top=5), remote.search(queries, kind=kind, top=5), rtol=1e-5
        )
    keys = local.rows("fields")["field_id"]
    np.testing.assert_array_equal(local.thumbnails(keys), remote.thumbnails(keys))
