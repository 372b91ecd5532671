"""Wiring of ``profiles``."""

from kedro.pipeline import Pipeline, node

from cloome_kedro.pipelines.profiles.nodes import count_nuclei, measure_profiles, normalise_profiles


def create_pipeline() -> Pipeline:
    """From plate files to one normalised profile a field."""
    return Pipeline(
        [
            node(
                measure_profiles,
                ["profile_store", "plate_store", "fields", "params:profiles"],
                "profile_index",
                name="measure_profiles",
            ),
            node(count_nuclei, ["profile_store", "profile_index"], "cell_counts", name="count_nuclei"),
            node(
                normalise_profiles,
                ["profile_store", "profile_index", "fields", "params:profiles"],
                "field_profiles",
                name="normalise_profiles",
            ),
        ],
        namespace="profiles",
        prefix_datasets_with_namespace=False,
    )
