"""Wiring of ``zero_shot``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.wiring import named, task
from cloome_kedro.pipelines.zero_shot import nodes


def create_pipeline(split: str, results: str) -> Pipeline:
    """Classify fields. Parameters are those of the pipeline ``retrieval``."""
    parameters = ("params:study", "params:zero_shot", "params:corrections", "params:seed")
    return Pipeline(
        [
            task(
                nodes.classify_fields,
                named(f"{results}.methods", f"{split}.examples", *parameters),
                [f"{results}.zero_shot_{kind}" for kind in ("ranks", "metrics", "differences")],
                f"{results}.evaluation.zero_shot",
            )
        ]
    )
