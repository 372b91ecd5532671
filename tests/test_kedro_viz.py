"""The graph that kedro-viz draws of the registered pipelines; tests/test_study.py builds its site with previews."""

import json

#: More boxes cannot be read on a screen without zooming.
MOST_BOXES = 40


def boxes(graph, namespace):
    """What kedro-viz shows of a namespace: its members, folded, and the datasets that it reads and writes."""
    folded = graph["modular_pipelines"][namespace]
    shown = {child["id"] for child in folded["children"]} | set(folded.get("inputs", ())) | set(folded["outputs"])
    return shown - {node["id"] for node in graph["nodes"] if node["type"] == "parameters"}


def test_the_default_pipeline_and_each_of_its_namespaces_fit_on_a_screen(project):
    project.kedro("viz", "build")
    graph = json.loads((project.folder / "build/api/pipelines/__default__").read_text())
    numbers = {namespace: len(boxes(graph, namespace)) for namespace in graph["modular_pipelines"]}
    assert {"__root__", "ingestion", "random", "random.cloome", "random.evaluation", "reporting"} < set(numbers)
    assert {namespace: number for namespace, number in numbers.items() if number > MOST_BOXES} == {}
    # bands of layers would make the graph too tall
    assert graph["layers"] == []
