"""The notebooks: how they are kept, and what they show of a study."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
#: notebook -> kinds of outputs that it must have
SHOWN = {
    "01_screen_at_a_glance": {"image/png", "text/html"},
    "02_query": {"image/png", "text/html"},
    "03_probing": {"image/png", "text/html"},
    "04_embedding_map": {"image/png", "text/html"},
    "05_corruption": {"image/png", "text/html"},
    "06_own_screen": {"image/png", "text/html"},
    "07_compare_models": {"image/png", "text/html", "text/markdown"},
}


def cells_of(text):
    return json.loads(text)["cells"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_short_and_has_no_outputs(path):
    cells = cells_of(path.read_text())
    assert len(cells) < 25
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
    assert cells[0]["cell_type"] == "markdown"
    assert "".join(cells[0]["source"]).startswith("# ")


def test_every_notebook_is_executed():
    assert [path.stem for path in NOTEBOOKS] == list(SHOWN)


@pytest.fixture(scope="module")
def indexed(study):
    """The study with the index that queries need."""
    pytest.importorskip("lancedb", reason="the extra `index` is not installed")
    study.kedro("run", "--env", "test", "--pipelines", "index")
    return study


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_a_notebook_runs_on_the_catalog(request, name):
    study = request.getfixturevalue("indexed" if name == "02_query" else "study")
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", "nbconvert", "--execute", "--to", "notebook", "--stdout",
         str(study.folder / "notebooks" / f"{name}.ipynb")],
        cwd=study.folder / "notebooks",
        env={**os.environ, "KEDRO_ENV": "test", "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    outputs = [output for cell in cells_of(done.stdout) for output in cell.get("outputs", [])]
    assert SHOWN[name] <= {kind for output in outputs for kind in output.get("data", {})}
    errors = [output for output in outputs if output.get("name") == "stderr" and "Error" in "".join(output["text"])]
    assert errors == []
