"""Wiring of ``tuning`` and ``tune_and_train``."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.featurization.nodes import fingerprint_compounds
from cloome_kedro.pipelines.tuning import nodes
from cloome_kedro.pipelines.wiring import GPU, named, task


def create_pipeline(split: str, model: str, sources: Sequence[str], pretrains: bool = False) -> Pipeline:
    """Search for the settings of one model on one split.

    Parameters
    ----------
    split, model
        Names of the split and of the model.
    sources
        Names of the datasets that the views of the model read. Fingerprints are made for each trial instead.
    pretrains
        Whether the model has a pre-training. Each trial then begins with it. Trials with equal settings share it.
    """
    namespace = f"{split}.tuning"
    tables = [f"{split}.{name}" for name in ("trials", "trial_epochs", "importances")]
    trials, _, importances = tables
    figures = [f"{split}.search_{name}_figure" for name in ("history", "slices", "importance")]
    return Pipeline(
        [
            task(
                nodes.search_parameters,
                named(
                    *(f"{split}.search_store", f"{split}.examples", "labels", "compounds", "params:fingerprints"),
                    *("params:probing", "params:tuning", *(name for name in sources if name != "fingerprints")),
                    *(("fields", "compound_keys") if pretrains else ()),
                    **({"fit_states": "run_states"} if pretrains else {}),
                    model=f"params:models.{model}",
                ),
                [*tables, f"{split}.best_parameters"],
                namespace,
                GPU,
            ),
            task(
                nodes.draw_search,
                named(*tables, "params:study"),
                [*figures, f"{split}.tuning_summary"],
                namespace,
            ),
            task(
                nodes.describe_search,
                named(
                    *(trials, importances, f"{split}.metrics", "params:study", *figures),
                    tuned_metrics=f"{split}_tuned.metrics",
                ),
                f"{split}.tuning_part",
                f"{split}.reporting",  # not the namespace of the search, since it needs the trained winner
            ),
        ]
    )


def create_settings_pipeline(split: str, model: str) -> Pipeline:
    """Make the settings of the best trial of a split, and fingerprints with these settings."""
    namespace = f"{split}_tuned"
    return Pipeline(
        [
            task(
                nodes.use_best,
                named(f"{split}.best_parameters", "params:fingerprints", model=f"params:models.{model}"),
                [f"{namespace}.settings", f"{namespace}.fingerprint_settings"],
                namespace,
                GPU,
            ),
            task(
                fingerprint_compounds,
                named("compounds", fingerprints=f"{namespace}.fingerprint_settings"),
                f"{namespace}.fingerprints",
                namespace,
                GPU,
            ),
        ]
    )
