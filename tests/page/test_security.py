"""Hosts that are answered, and headers of every answer."""

import pytest
from fastapi.testclient import TestClient

from cloome_kedro.page.app import create_app
from cloome_kedro.page.security import POLICY, Guard, allowed_hosts

PATHS = ("/", "/editor", "/static/main.js", "/static/jsme/jsme.nocache.js", "/api/indexes", "/api/nothing")


@pytest.mark.parametrize("path", [*PATHS, "/api/drawing.svg?smiles=CCO"])
def test_every_answer_has_security_headers(client, path):
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy  # no other origin
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    may_be_framed = path == "/editor" or "jsme" in path
    assert answer.headers["x-frame-options"] == ("SAMEORIGIN" if may_be_framed else "DENY")
    assert ("unsafe-eval" in policy) == may_be_framed
    if path.startswith("/api/i"):
        assert answer.headers["cache-control"] == "no-store"


def test_the_page_runs_no_inline_code(client):
    text = client.get("/").text
    assert "unsafe" not in POLICY
    assert "style=" not in text
    assert all("src=" in part.split(">")[0] for part in text.split("<script")[1:])
    assert "http" not in text.replace("https or", "")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *[(name, 200) for name in ("127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000")],
        *[
            (name, 403)
            for name in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::1", "10.0.0.5")
        ],
    ],
)
def test_a_page_of_this_machine_answers_to_its_names(client, host, status):
    """A site whose name leads to this machine (DNS rebinding) gets nothing."""
    for path in ("/", "/api/indexes"):
        assert client.get(path, headers={"host": host}).status_code == status


def test_a_page_for_others_answers_to_addresses_and_given_names(index_folders):
    app = create_app(index_folders, "cpu", host="0.0.0.0", names=["cells.lab.example"])
    client = TestClient(app, base_url="http://10.0.0.5")
    assert client.get("/api/indexes").status_code == 200
    assert client.get("/api/indexes", headers={"host": "cells.lab.example:8000"}).status_code == 200
    assert client.get("/api/indexes", headers={"host": "evil.example"}).status_code == 403


def test_other_sites_cannot_call_the_interface_but_can_link_to_the_page(client):
    other = {"sec-fetch-site": "cross-site"}
    assert client.get("/api/indexes", headers=other).status_code == 403
    assert client.get("/?smiles=CCO", headers=other).status_code == 200
    assert client.options("/api/indexes").headers.get("access-control-allow-origin") is None


def test_allowed_hosts_are_names_without_brackets():
    assert allowed_hosts("::1") == {"localhost", "127.0.0.1", "::1"}
    assert "name.example" in allowed_hosts("127.0.0.1", ["Name.Example"])


def test_a_wrong_length_is_refused(client):
    guard = Guard(None, frozenset({"a"}), any_address=False, largest=10)
    problem = guard._problem("POST", "/api/x", {"host": "a", "content-length": "-1"})
    assert problem is not None
    assert problem[0] == 413


def test_no_route_shows_scripts_of_other_origins(client):
    """FastAPI's own pages load scripts from a network."""
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
    assert client.get("/api/openapi.json").json()["info"]["title"] == "Ask the model"
