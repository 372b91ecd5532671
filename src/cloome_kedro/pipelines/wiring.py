"""Helpers that wire nodes: inputs by name, one namespace per node."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import node
from kedro.pipeline.node import Node

#: tag of nodes that can use a GPU: ``kedro run --tags gpu``
GPU = ["gpu"]


def named(*datasets: str, **arguments: str) -> dict[str, str]:
    """Map the arguments of a node function to datasets.

    Parameters
    ----------
    datasets
        Datasets for the arguments that have their names, without ``params:`` and namespace. A dataset that is given
        twice, such as one that a node and a view of its model read, counts once.
    arguments
        Argument -> dataset of another name.

    Raises
    ------
    ValueError
        If two datasets are given for one argument.

    Examples
    --------
    >>> named("random.examples", "params:seed", model="params:models.cloome")
    {'examples': 'random.examples', 'seed': 'params:seed', 'model': 'params:models.cloome'}
    """
    datasets = tuple(dict.fromkeys(datasets))
    inputs = {name.rpartition(":")[2].rpartition(".")[2]: name for name in datasets} | arguments
    if len(inputs) < len(datasets) + len(arguments):
        raise ValueError(f"two of these datasets have the same argument: {', '.join((*datasets, *arguments.values()))}")
    return inputs


def task(
    function: Callable,
    inputs: dict[str, str],
    outputs: str | Sequence[str],
    namespace: str,
    tags: Sequence[str] = (),
    **constants: Any,
) -> Node:
    """Make a node with the name of its function.

    Parameters
    ----------
    function, inputs, outputs, tags
        As in :func:`kedro.pipeline.node`.
    namespace
        Namespace of the node. kedro-viz folds its nodes into one box.
    constants
        Arguments of the function that are not datasets.
    """
    bound = update_wrapper(partial(function, **constants), function) if constants else function
    with warnings.catch_warnings():
        # The report reads datasets of the namespaces of all splits. Kedro warns of this.
        warnings.filterwarnings("ignore", "One or more dataset names contain")
        outputs = outputs if isinstance(outputs, str) else list(outputs)
        return node(bound, inputs, outputs, name=function.__name__, namespace=namespace, tags=list(tags))
