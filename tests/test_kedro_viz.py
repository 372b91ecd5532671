"""The graph that kedro-viz draws of the registered pipelines; tests/test_study.py builds its site with previews."""

import pytest

from environments import WITHOUT_DATA, configured, pipelines_of

#: More boxes cannot be read on a screen without zooming. For a study of two models, no namespace has more.
MOST_BOXES = 40
#: What a further model adds to the boxes of the models of its split: itself, its checkpoint, its embeddings of fields
#: and of compounds, and a history or the table `selection`. Their description reads two of them.
BOXES_OF_A_MODEL = {".models": 5, ".models.description": 2}


def catalog_of(env):
    from kedro.io import DataCatalog

    entries = {name: entry for name, entry in configured("catalog", env).items() if not name.startswith("_")}
    return DataCatalog.from_config(entries, {"study_storage": {}})


def boxes(tree, namespace, parameters):
    """What kedro-viz shows of a namespace: its members, folded, and the datasets that it reads and writes."""
    folded = tree[namespace]
    return ({child.id for child in folded.children} | set(folded.inputs) | set(folded.outputs)) - parameters


def test_the_default_pipeline_and_each_of_its_namespaces_fit_on_a_screen():
    """In the graph that `kedro viz build` writes, made without its site and in this process."""
    from kedro_viz.data_access.managers import DataAccessManager

    default = pipelines_of("base")["__default__"]
    catalog = catalog_of("base")
    for name in default.datasets():
        if name.startswith("params:"):
            catalog[name] = None
    graph = DataAccessManager()
    graph.add_catalog(catalog, {"__default__": default})
    graph.add_pipelines({"__default__": default})
    tree = graph.create_modular_pipelines_tree_for_registered_pipeline("__default__")
    nodes = graph.get_nodes_for_registered_pipeline("__default__")
    parameters = {node.id for node in nodes if node.type == "parameters"}
    numbers = {namespace: len(boxes(tree, namespace, parameters)) for namespace in tree}
    assert {"__root__", "ingestion", "random", "random.models.cloome", "random.evaluation", "reporting"} < set(numbers)
    study = configured("globals")
    more = len(study["models"]) - 2
    most = {
        f"{split}{part}": MOST_BOXES + n * more for split in study["splits"] for part, n in BOXES_OF_A_MODEL.items()
    }
    assert set(most) < set(numbers)
    too_many = {name: number for name, number in numbers.items() if number > most.get(name, MOST_BOXES)}
    assert too_many == {}
    # bands of layers would make the graph too tall
    assert graph.get_sorted_layers_for_registered_pipeline("__default__") == []


@pytest.mark.parametrize("env", WITHOUT_DATA)
def test_every_node_has_one_line_of_description(env):
    """Its preview is the first paragraph of the docstring of its function."""
    nodes = {node.name: node for pipeline in pipelines_of(env).values() for node in pipeline.nodes}
    texts = {name: node.preview().content for name, node in nodes.items()}
    assert [name for name, text in texts.items() if not 20 < len(text) < 130 or not text.endswith(".")] == []


def test_datasets_without_a_table_or_figure_show_their_description():
    catalog = catalog_of("base")
    previews = {name: catalog[name].preview() for name in ("run_states", "report", "random.methods", "raw_screen")}
    assert previews["report"] == "The report of the study: one HTML file for people"
    assert all(previews.values())
    kinds = {}
    for name in set().union(*(pipeline.datasets() for pipeline in pipelines_of("base").values())):
        if not name.startswith("param"):
            kinds[name] = type(catalog[name]).preview.__annotations__["return"]
    assert {getattr(kind, "__name__", kind) for kind in kinds.values()} == {
        *("TextPreview", "TablePreview", "ImagePreview", "JSONPreview"),
    }
