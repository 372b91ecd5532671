"""Wiring of the corruption study."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from cloome_kedro.learning.views import VIEWS
from cloome_kedro.pipelines.corruption import evaluation, nodes
from cloome_kedro.pipelines.wiring import GPU, models_namespace, named, task


def create_pipeline(split: str, models: Sequence[str]) -> Pipeline:
    """Embed corrupted test images by each model, and evaluate them.

    Parameters
    ----------
    split
        Name of the split.
    models
        Names of its models that see images. Without any, the pipeline is empty.
    """
    if not models:
        return Pipeline([])
    namespace = f"{split}.evaluation.corruption"
    common = [
        "corruption_stores",
        f"{split}.methods",
        f"{split}.examples",
        "params:study",
        "params:corruption",
        "params:seed",
    ]
    corrupted = {f"{model}_fields": f"{split}.{model}.corrupted_fields" for model in models}
    embedding = [
        task(
            nodes.embed_corrupted,
            named(
                *("corruption_stores", f"{split}.{model}.checkpoint", f"{split}.{model}.field_embeddings"),
                *(f"{split}.examples", "params:corruption", "params:embedding", "params:seed"),
                *VIEWS.facts("images")["reads"],
            ),
            f"{split}.{model}.corrupted_fields",
            models_namespace(split, model),
            GPU,
            place=f"{split}/{model}",
        )
        for model in models
    ]
    return Pipeline(
        [
            *embedding,
            task(
                evaluation.rank_corrupted,
                named(*common, "params:retrieval", "params:zero_shot", **corrupted),
                [f"{split}.corruption_{kind}" for kind in ("ranks", "metrics", "differences")],
                namespace,
            ),
            task(
                evaluation.probe_corrupted,
                named(*common, "labels", "params:probing", **corrupted),
                [f"{split}.corrupted_probing_{kind}" for kind in ("scores", "metrics", "differences")],
                namespace,
            ),
        ]
    )
