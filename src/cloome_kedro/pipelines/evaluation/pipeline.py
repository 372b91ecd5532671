"""Wiring of the steps that all evaluations share."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.evaluation import nodes
from cloome_kedro.pipelines.wiring import GPU, models_namespace, named, task

#: tables from which other methods than the models are made
_TABLES = ("field_profiles", "cell_counts", "truth")


def create_methods_pipeline(split: str, models: Sequence[str], results: str, untrained: str = "") -> Pipeline:
    """Gather the methods of a split.

    Parameters
    ----------
    split, models
        Names of the split and of the models.
    results
        Namespace of models and results: that of the split, or that of its tuned model. For the split, classical
        profiles, confounders and oracles are methods, too. For the tuned model, this model is the only method.
    untrained
        Name of the model with an untrained counterpart; empty if there is none.
    """
    embeddings = {}
    for model in models:
        embeddings[f"{model}_fields"] = f"{results}.{model}.field_embeddings"
        embeddings[f"{model}_compounds"] = f"{results}.{model}.compound_embeddings"
    if untrained:
        embeddings["untrained"] = f"{results}.{untrained}.untrained_embeddings"
    tables = _TABLES if results == split else ()
    return Pipeline(
        [
            task(
                nodes.gather_methods,
                named("params:study", "params:corrections", f"{split}.examples", "fields", *tables, **embeddings),
                f"{results}.methods",
                models_namespace(results),
                GPU,  # it reads embeddings only: the machine that made them gathers them, too
            )
        ]
    )


def create_join_pipeline(split: str, tables: Sequence[str], results: str) -> Pipeline:
    """Join the results of all tasks.

    Parameters
    ----------
    split, results
        As in :func:`create_methods_pipeline`.
    tables
        Names of the tasks. Each has the tables ``<name>_metrics`` and ``<name>_differences``.
    """
    inputs = [f"{results}.{name}_{kind}" for name in tables for kind in ("metrics", "differences")]
    return Pipeline(
        [
            task(
                nodes.join_results,
                named(f"{split}.examples", *inputs),
                [f"{results}.metrics", f"{results}.differences"],
                f"{results}.evaluation",
            )
        ]
    )
