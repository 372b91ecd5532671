"""The notebooks: how they are kept, and what they show of a study."""

import json
import os
import queue
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient, write_connection_file

import warm_python

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


@contextmanager
def kernel(folder, connection_file):
    """The client of a kernel in a folder. The kernel is a copy of a process that has imported large libraries."""
    environment = {**os.environ, "KEDRO_ENV": "test", "DO_NOT_TRACK": "1"}
    write_connection_file(str(connection_file))
    client = BlockingKernelClient(connection_file=str(connection_file))
    client.load_connection_file()
    options = ("ipykernel_launcher", "-f", str(connection_file))
    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(warm_python.run, *options, folder=folder, environment=environment)
        client.start_channels(hb=False)  # a busy machine answers heartbeats too late
        try:
            _wait_for_outputs(client)
            yield client
        finally:
            client.shutdown()
            client.stop_channels()
            assert ended.result().returncode == 0, ended.result().stderr[-4000:]


def _wait_for_outputs(client, seconds=120):
    for _ in range(seconds):
        client.kernel_info()
        with suppress(queue.Empty):
            client.get_iopub_msg(timeout=1)
            return
    raise TimeoutError(f"the kernel has not answered for {seconds} seconds")


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_a_notebook_runs_on_the_catalog(request, tmp_path, name):
    study = request.getfixturevalue("indexed" if name == "02_query" else "study")
    notebooks = study.folder / "notebooks"
    messages = []
    with kernel(notebooks, tmp_path / "kernel.json") as client:
        for cell in cells_of((notebooks / f"{name}.ipynb").read_text()):
            if cell["cell_type"] == "code":
                source = "".join(cell["source"])
                answer = client.execute_interactive(source, allow_stdin=False, output_hook=messages.append)
                assert answer["content"]["status"] == "ok", "\n".join(answer["content"]["traceback"])
    outputs = [message["content"] for message in messages]
    assert SHOWN[name] <= {kind for output in outputs for kind in output.get("data", {})}
    errors = [output for output in outputs if output.get("name") == "stderr" and "Error" in output["text"]]
    assert errors == []
