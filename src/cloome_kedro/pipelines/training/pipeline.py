"""Wiring of ``training``."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.training import nodes
from cloome_kedro.pipelines.wiring import GPU, named, task


def create_pipeline(split: str, model: str, sources: Sequence[str], results: str = "", settings: str = "") -> Pipeline:
    """Train one model on one split.

    Parameters
    ----------
    split, model
        Their names.
    sources
        Datasets that the model's views read.
    results
        Namespace of the trained model; the split's if not given.
    settings
        Dataset with the model's settings; those of ``models:`` if not given.
    """
    of_model = f"{results or split}.{model}"
    settings = settings or f"params:models.{model}"
    return Pipeline(
        [
            task(
                nodes.train,
                named(
                    "fit_states", f"{split}.examples", "labels", "params:probing", "params:seed", *sources,
                    model=settings,
                ),
                [f"{of_model}.checkpoints", f"{of_model}.history"],
                of_model,
                GPU,
                place=f"{results or split}/{model}",
            ),
            task(
                nodes.select_checkpoint,
                named(f"{of_model}.checkpoints", model=settings),
                f"{of_model}.checkpoint",
                of_model,
                GPU,
            ),
        ]
    )  # fmt: skip
