"""Wiring of ``profile_moa``."""

from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.profile_moa.nodes import join_profile_plates, rank_mechanisms, summarise_mechanisms


def create_pipeline() -> Pipeline:
    """From a table of profiles for each plate to the ranks of mechanisms across plates."""
    return Pipeline(
        [
            node(
                join_profile_plates,
                ["profile_plates", "params:profile_moa"],
                ["profile_wells", "rejected_profiles"],
                name="join_profile_plates",
            ),
            node(
                rank_mechanisms,
                ["profile_wells", "params:profile_moa", "params:seed"],
                "profile_moa_ranks",
                name="rank_mechanisms",
            ),
            node(
                summarise_mechanisms,
                ["profile_moa_ranks", "params:profile_moa", "params:seed"],
                ["profile_moa_metrics", "profile_moa_differences", "profile_moa_summary", "profile_moa_figure"],
                name="summarise_mechanisms",
            ),
        ],
        namespace="profile_moa",
        prefix_datasets_with_namespace=False,
    )
