"""Files of the state of a training: damaged ones and those of other trainings start the training anew."""

import shutil

import pytest
import torch

from cloome_kedro.learning.state import FitState

STATE = {"model": {"weight": torch.arange(3.0)}, "optimizer": {}, "precision": {}, "progress": {"step": 2}}
RESULTS = {"history": [{"epoch": 0}], "best": {"top1": {"epoch": 0}}, "stopped": False}


@pytest.fixture
def state(tmp_path):
    return FitState(tmp_path / "state")


def of_another_training(path):
    other = FitState(path.parent / "other")
    other.save("def", STATE)
    other.finish("ghi", RESULTS)
    shutil.copy(path.parent / "other" / ("ghi.done.pt" if ".done" in path.name else "def.pt"), path)


OTHER_CONTENT = {
    "zero bytes": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[:300]),
    "text": lambda path: path.write_text("no state"),
    "a tensor": lambda path: torch.save(torch.arange(3), path),
    "a list": lambda path: torch.save([1, 2], path),
    "nothing": lambda path: torch.save(None, path),
    "other entries": lambda path: torch.save({"weight": torch.arange(3)}, path),
    "weights only": lambda path: torch.save({"model": {}, "best": {}}, path),
    "of another training": of_another_training,
}


@pytest.mark.parametrize("kind", OTHER_CONTENT)
def test_a_file_with_other_content_counts_as_missing(state, kind, caplog):
    state.save("abc", STATE)
    OTHER_CONTENT[kind](state.folder / "abc.pt")
    assert state.unfinished("abc") is None
    state.finish("abc", RESULTS)
    OTHER_CONTENT[kind](state.folder / "abc.done.pt")
    assert state.finished("abc") is None
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert all("the training starts from the beginning" in record.getMessage() for record in caplog.records)
    assert "abc.pt cannot be read" in caplog.records[0].getMessage()


def test_what_was_saved_is_read(state):
    assert state.unfinished("abc") is None
    assert state.finished("abc") is None
    state.save("abc", STATE)
    loaded = state.unfinished("abc")
    assert torch.equal(loaded.pop("model")["weight"], STATE["model"]["weight"])
    assert loaded == {name: value for name, value in STATE.items() if name != "model"}
    state.finish("abc", RESULTS)
    assert state.finished("abc") == RESULTS
    assert state.unfinished("abc") is None
