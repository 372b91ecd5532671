"""Wiring of ``embedding``."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.embedding import nodes
from cloome_kedro.pipelines.embedding.fusion import fuse_models, join_checkpoints
from cloome_kedro.pipelines.wiring import GPU, models_namespace, named, task

_SIDES = ("field", "compound")


def create_pipeline(
    results: str, model: str, field_sources: Sequence[str], compound_sources: Sequence[str], untrained: bool = False
) -> Pipeline:
    """Embed with one model of one split.

    Parameters
    ----------
    results
        Namespace of the trained model: the name of the split, or ``<split>_tuned``.
    model
        Name of the model.
    field_sources, compound_sources
        Names of the datasets that its views of fields and of compounds read.
    untrained
        Whether the untrained model embeds fields, too.
    """
    made, namespace = f"{results}.{model}", models_namespace(results, model)
    checkpoint = f"{made}.checkpoint"
    tasks = [
        task(
            nodes.embed_fields,
            named(checkpoint, "fields", "params:embedding", *field_sources, embedding_parts="run_states"),
            f"{made}.field_embeddings",
            namespace,
            GPU,
            place=f"embeddings/{results}/{model}",
        ),
        task(
            nodes.embed_compounds,
            named(checkpoint, "compounds", "params:embedding", *compound_sources),
            f"{made}.compound_embeddings",
            namespace,
            GPU,
        ),
    ]
    if untrained:
        tasks.append(
            task(
                nodes.embed_untrained,
                named(checkpoint, f"{results}.examples", "params:embedding", "params:seed", *field_sources),
                f"{made}.untrained_embeddings",
                namespace,
                GPU,
            )
        )
    return Pipeline(tasks)


def create_fusion_pipeline(split: str, model: str, parts: Sequence[str]) -> Pipeline:
    """Join the embeddings of several models of one split, and their checkpoints.

    Parameters
    ----------
    split, model
        Names of the split and of the fusion.
    parts
        Names of the models.
    """
    made, namespace = f"{split}.{model}", models_namespace(split, model)
    embeddings = {f"{part}_{side}s": f"{split}.{part}.{side}_embeddings" for part in parts for side in _SIDES}
    return Pipeline(
        [
            task(
                fuse_models,
                named(f"{split}.examples", "params:seed", model=f"params:models.{model}", **embeddings),
                [*(f"{made}.{side}_embeddings" for side in _SIDES), f"{made}.selection"],
                namespace,
                GPU,
            ),
            task(
                join_checkpoints,
                named(
                    f"{made}.field_embeddings",
                    model=f"params:models.{model}",
                    **{f"{part}_checkpoint": f"{split}.{part}.checkpoint" for part in parts},
                ),
                f"{made}.checkpoint",
                namespace,
                GPU,
            ),
        ]
    )
