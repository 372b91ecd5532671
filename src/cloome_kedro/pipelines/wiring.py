"""How nodes are wired: inputs by name, one namespace each."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import node
from kedro.pipeline.node import Node

#: nodes that a GPU machine runs: ``kedro run --tags gpu``
GPU = ["gpu"]


def named(*datasets: str, **arguments: str) -> dict[str, str]:
    """Inputs of a node: each dataset for the argument of its name, and those given by the argument's name.

    >>> named("random.examples", "params:seed", model="params:models.cloome")
    {'examples': 'random.examples', 'seed': 'params:seed', 'model': 'params:models.cloome'}
    """
    inputs = {name.rpartition(":")[2].rpartition(".")[2]: name for name in datasets} | arguments
    if len(inputs) < len(datasets) + len(arguments):
        raise ValueError(f"two of these inputs go to one argument: {', '.join((*datasets, *arguments.values()))}")
    return inputs


def task(
    function: Callable,
    inputs: dict[str, str],
    outputs: str | Sequence[str],
    namespace: str,
    tags: Sequence[str] = (),
    **constants: Any,
) -> Node:
    """A node with the name of its function.

    Parameters
    ----------
    function, inputs, outputs, tags
        As Kedro's own.
    namespace
        What kedro-viz folds it into.
    constants
        Arguments of the function that no dataset has.
    """
    chosen = update_wrapper(partial(function, **constants), function) if constants else function
    with warnings.catch_warnings():
        # The report reads from the namespaces of all splits, of which Kedro warns.
        warnings.filterwarnings("ignore", "One or more dataset names contain")
        outputs = outputs if isinstance(outputs, str) else list(outputs)
        return node(chosen, inputs, outputs, name=function.__name__, namespace=namespace, tags=list(tags))
