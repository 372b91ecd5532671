"""Wiring of ``training``."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.training import nodes
from cloome_kedro.pipelines.training.ridge import fit_ridge
from cloome_kedro.pipelines.wiring import GPU, models_namespace, named, task


def create_pipeline(
    split: str, model: str, sources: Sequence[str], results: str = "", settings: str = "", *, pretrains: bool = False
) -> Pipeline:
    """Train one model on one split.

    Parameters
    ----------
    split, model
        Names of the split and of the model.
    sources
        Names of the datasets that the views of the model read.
    results
        Namespace of the trained model. By default the name of the split.
    settings
        Dataset with the settings of the model. By default its entry under ``models:``.
    pretrains
        Whether the encoder of fields is pre-trained.
    """
    trained, namespace = f"{results or split}.{model}", models_namespace(results or split, model)
    settings = settings or f"params:models.{model}"
    examples, pretrained = f"{split}.examples", f"{trained}.pretrained"
    pretraining = task(
        nodes.pretrain,
        named(
            *("run_store", examples, "fields", "compound_keys", "params:seed", *sources),
            fit_states="run_states",
            model=settings,
        ),
        [pretrained, f"{trained}.pretraining_history"],
        namespace,
        GPU,
        subfolder=f"{results or split}/{model}",
    )
    return Pipeline(
        [
            *([pretraining] if pretrains else []),
            task(
                nodes.train,
                named(
                    *("run_store", examples, "labels", "params:probing", "params:seed", *sources),
                    *([pretrained] if pretrains else []),
                    fit_states="run_states",
                    model=settings,
                ),
                [f"{trained}.checkpoints", f"{trained}.history"],
                namespace,
                GPU,
                subfolder=f"{results or split}/{model}",
            ),
            task(
                nodes.select_checkpoint,
                named(f"{trained}.checkpoints", model=settings),
                f"{trained}.checkpoint",
                namespace,
                GPU,
            ),
        ]
    )


def create_ridge_pipeline(split: str, model: str, sources: Sequence[str]) -> Pipeline:
    """Fit a ridge on one split, and embed all fields and compounds with it.

    Parameters are those of :func:`create_pipeline`.
    """
    return Pipeline(
        [
            task(
                fit_ridge,
                named(
                    *(f"{split}.examples", "run_store", "fields", "compounds", "params:seed", *sources),
                    model=f"params:models.{model}",
                ),
                [
                    f"{split}.{model}.{name}"
                    for name in ("field_embeddings", "compound_embeddings", "selection", "checkpoint")
                ],
                models_namespace(split, model),
                subfolder=f"{split}/{model}",
                tags=GPU,  # not for its speed: evaluations of the machine that trains need its embeddings
            )
        ]
    )
