"""Wiring of ``uncertainty``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.uncertainty import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline(split: str, results: str) -> Pipeline:
    """Calibrate answers on the validation fold, and measure them on the test fold.

    Parameters
    ----------
    split
        Name of the split.
    results
        Namespace of methods and results.
    """
    namespace = f"{results}.evaluation.uncertainty"
    common = (f"{results}.methods", f"{split}.examples", "params:study", "params:uncertainty")
    return Pipeline(
        [
            task(
                nodes.measure_sets,
                named(*common, "params:retrieval", "params:zero_shot", "params:seed"),
                [f"{results}.candidate_sets", f"{results}.answered", f"{results}.softmax_calibration"],
                namespace,
            ),
            task(
                nodes.calibrate_probabilities,
                named(*common, f"{results}.probing_scores", "labels", "params:probing"),
                f"{results}.probe_calibration",
                namespace,
            ),
            task(
                nodes.measure_familiarity,
                named(*common, "fingerprints", "params:retrieval", "params:seed"),
                f"{results}.familiarity",
                namespace,
            ),
        ]
    )
