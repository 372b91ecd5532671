"""Wiring of the pipeline ``profile_moa``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.profile_moa import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline() -> Pipeline:
    """Create the pipeline: from one table of profiles per plate to the ranks of mechanisms across plates."""
    namespace = "profile_moa"
    return Pipeline(
        [
            task(
                nodes.join_profile_plates,
                named("profile_plates", "params:profile_moa"),
                ["profile_wells", "rejected_profiles", "profile_columns"],
                namespace,
            ),
            task(
                nodes.rank_mechanisms,
                named("profile_wells", "params:profile_moa", "params:seed"),
                "profile_moa_ranks",
                namespace,
            ),
            task(
                nodes.summarise_mechanisms,
                named("profile_moa_ranks", "params:profile_moa", "params:seed"),
                [f"profile_moa_{kind}" for kind in ("metrics", "differences", "summary", "figure")],
                namespace,
            ),
        ]
    )
