"""Wiring of the pipeline ``profile_moa``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.profile_moa import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline() -> Pipeline:
    """Create the pipeline: from one table of profiles per plate to the ranks of mechanisms across plates."""
    namespace = "profile_moa"
    parameters = ("params:profile_moa", "params:corrections", "params:seed")
    profiles = ("profile_wells", "profile_controls")
    return Pipeline(
        [
            task(
                nodes.join_profile_plates,
                named("profile_plates", "params:profile_moa"),
                ["profile_wells", "rejected_profiles", "profile_columns", "profile_controls"],
                namespace,
            ),
            task(nodes.rank_mechanisms, named(*profiles, *parameters), "profile_moa_ranks", namespace),
            task(
                nodes.summarise_mechanisms,
                named("profile_moa_ranks", *parameters),
                [f"profile_moa_{kind}" for kind in ("metrics", "differences", "summary", "figure")],
                namespace,
            ),
            task(
                nodes.compare_corrections,
                named(*profiles, "profile_moa_metrics", "profile_moa_differences", *parameters),
                [f"profile_moa_corrections{part}" for part in ("", "_summary", "_figure")],
                namespace,
            ),
        ]
    )
