"""Helpers that wire nodes: inputs by name, one namespace per node."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import node
from kedro.pipeline.node import Node

#: tag of nodes that can use a GPU: ``kedro run --tags gpu``
GPU = ["gpu"]


def models_namespace(results: str, model: str = "") -> str:
    """Namespace of the nodes of a model, or of what all models of a split share.

    kedro-viz folds all models of a split into one box, and in it each model.

    >>> models_namespace("random", "cloome")
    'random.models.cloome'
    """
    return f"{results}.models.{model}".removesuffix(".")


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
    outputs = outputs if isinstance(outputs, str) else list(outputs)
    names = {"name": function.__name__, "namespace": namespace}
    with warnings.catch_warnings():
        # The report reads datasets of the namespaces of all splits. Kedro warns of this.
        warnings.filterwarnings("ignore", "One or more dataset names contain")
        warnings.filterwarnings("ignore", "The 'preview_fn' feature is experimental")
        return node(bound, inputs, outputs, **names, tags=list(tags), preview_fn=partial(_preview, function))


def description(function: Callable) -> str:
    """First paragraph of a docstring, as one line.

    >>> description(named)
    'Map the arguments of a node function to datasets.'
    """
    paragraph, _, _ = (function.__doc__ or "").strip().partition("\n\n")
    return " ".join(paragraph.split()).replace("``", "")


def _preview(function: Callable):
    """What kedro-viz shows of a node."""
    from kedro.pipeline.preview_contract import TextPreview

    return TextPreview(description(function))
