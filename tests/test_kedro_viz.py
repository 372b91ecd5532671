"""What kedro-viz makes of the registered pipelines; tests/test_study.py builds its site from a study with previews."""

import json


def test_layers_are_drawn_of_every_pipeline(project):
    """kedro-viz draws none where what goes into a namespace is of a later layer than what comes out of it."""
    project.kedro("viz", "build")
    graphs = {path.name: json.loads(path.read_text()) for path in (project.folder / "build/api/pipelines").iterdir()}
    assert {"__default__", "tuning", "tune_and_train", "profile_moa", "seeds"} < set(graphs)
    assert [name for name, graph in graphs.items() if not graph["layers"]] == []
    assert graphs["__default__"]["layers"][0] == "raw"
