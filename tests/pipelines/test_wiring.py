"""How nodes are wired: by names, never by order."""

import inspect
import warnings
from functools import partial

import pytest
from kedro.pipeline.node import Node

from cloome_kedro.pipelines.wiring import GPU, named, task
from environments import WITHOUT_DATA, pipelines_of


def count(examples, limit: int, *, fold: str = "test", **others):
    """A node function."""
    return [len(examples), limit, fold, sorted(others)]


def test_a_dataset_is_the_argument_of_its_own_name():
    assert named("fields", "random.examples", "random.cloome.checkpoint", "params:seed", "params:models.cloome") == {
        "fields": "fields",
        "examples": "random.examples",
        "checkpoint": "random.cloome.checkpoint",
        "seed": "params:seed",
        "cloome": "params:models.cloome",
    }
    assert named() == {}


def test_an_argument_can_be_named():
    inputs = named("fields", model="params:models.cloome", fingerprints="random_tuned.fingerprints")
    assert inputs == {
        "fields": "fields",
        "model": "params:models.cloome",
        "fingerprints": "random_tuned.fingerprints",
    }


def test_a_task_is_named_by_its_function_and_namespace():
    made = task(count, named("random.examples", limit="params:seed"), "random.found", "random.evaluation", GPU)
    assert made.name == "random.evaluation.count"
    assert made.short_name == "count"
    assert made.namespace == "random.evaluation"
    assert made.tags == {"gpu"}
    assert made.func is count
    assert made.outputs == ["random.found"]
    assert made.run({"random.examples": [1, 2], "params:seed": 7})["random.found"] == [2, 7, "test", []]


def test_several_outputs_are_given_in_order():
    made = task(next_two, named("fields"), (name for name in ("first", "second")), "featurization")
    assert made.outputs == ["first", "second"]
    assert made.run({"fields": 3}) == {"first": 3, "second": 4}


def next_two(fields):
    return fields, fields + 1


def test_constants_are_bound_and_leave_name_and_annotations():
    """Kedro finds the type of a parameter by the function's annotation."""
    made = task(count, named("random.examples", limit="params:seed"), "found", "random", fold="validation")
    assert isinstance(made.func, partial)
    assert made.name == "random.count"
    assert inspect.signature(made.func).parameters["limit"].annotation is int
    assert made.run({"random.examples": [], "params:seed": 1})["found"] == [0, 1, "validation", []]


def test_an_argument_that_the_function_lacks_is_refused():
    with pytest.raises(TypeError, match="fields"):
        task(next_two, named("rows"), ["first", "second"], "featurization")


def test_datasets_of_several_namespaces_raise_no_warning():
    """The report reads from the namespaces of all splits."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task(count, named("random.examples", limit="scaffold.limit"), "report", "reporting")


def all_nodes(env: str) -> set[Node]:
    return {node for pipeline in pipelines_of(env).values() for node in pipeline.nodes}


@pytest.mark.parametrize("env", WITHOUT_DATA)
def test_no_node_depends_on_the_order_of_its_inputs(env):
    for node in all_nodes(env):
        assert isinstance(node._inputs, dict), node.name
        constants = getattr(node.func, "keywords", {})
        assert not set(constants) & set(node._inputs), node.name
        inspect.signature(node.func).bind(**node._inputs, **constants)


@pytest.mark.parametrize("env", WITHOUT_DATA)
def test_nodes_have_one_namespace_and_the_name_of_their_function(env):
    for node in all_nodes(env):
        assert node.name == f"{node.namespace}.{node.func.__name__}"
        assert len(set(node.inputs)) == len(node._inputs), f"{node.name}: a dataset stands for two arguments"


@pytest.mark.parametrize("env", WITHOUT_DATA)
def test_a_dataset_is_written_by_one_node_alone(env):
    """But for the checkpoint of the first model, where importing a published one takes the place of the training."""
    writers: dict[str, set[str]] = {}
    for node in all_nodes(env):
        for name in node.outputs:
            writers.setdefault(name, set()).add(node.name)
    shared = {name: nodes for name, nodes in writers.items() if len(nodes) > 1}
    assert all(name.endswith(".checkpoint") for name in shared)
    for nodes in shared.values():
        assert {name.rpartition(".")[2] for name in nodes} == {"select_checkpoint", "import_published"}
