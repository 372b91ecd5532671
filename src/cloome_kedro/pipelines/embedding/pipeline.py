"""Wiring of ``embedding``."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.embedding import nodes
from cloome_kedro.pipelines.wiring import GPU, named, task


def create_pipeline(
    results: str, model: str, of_fields: Sequence[str], of_compounds: Sequence[str], untrained: bool = False
) -> Pipeline:
    """Embed with one model of one split.

    Parameters
    ----------
    results
        Namespace of the trained model: the split's, or that of its tuned model.
    model
        Its name.
    of_fields, of_compounds
        Datasets that the model's views of fields and of compounds read.
    untrained
        Whether fields are embedded by the untrained model, too.
    """
    of_model = f"{results}.{model}"
    checkpoint = f"{of_model}.checkpoint"
    tasks = [
        task(
            nodes.embed_fields,
            named(checkpoint, "fields", "params:embedding", *of_fields),
            f"{of_model}.field_embeddings",
            of_model,
            GPU,
        ),
        task(
            nodes.embed_compounds,
            named(checkpoint, "compounds", "params:embedding", *of_compounds),
            f"{of_model}.compound_embeddings",
            of_model,
            GPU,
        ),
    ]
    if untrained:
        tasks.append(
            task(
                nodes.embed_untrained,
                named(checkpoint, f"{results}.examples", "params:embedding", "params:seed", *of_fields),
                f"{of_model}.untrained_embeddings",
                of_model,
                GPU,
            )
        )
    return Pipeline(tasks)
