"""Wiring of ``probing``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.probing import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline(split: str, results: str) -> Pipeline:
    """Probe assays. Parameters are those of the pipeline ``retrieval``."""
    return Pipeline(
        [
            task(
                nodes.probe_assays,
                named(
                    *(f"{results}.methods", f"{split}.examples", "labels", "params:study", "params:probing"),
                    "params:seed",
                ),
                [f"{results}.probing_{kind}" for kind in ("scores", "metrics", "differences")],
                f"{results}.evaluation.probing",
            )
        ]
    )
