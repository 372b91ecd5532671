"""Wiring of the pipeline ``profiles``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.profiles import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline() -> Pipeline:
    """Create the pipeline: from plate files to one normalised profile per field."""
    raw_profiles = ("profile_store", "profile_index")
    return Pipeline(
        [
            task(
                nodes.measure_profiles,
                named("profile_store", "plate_store", "fields", "params:profiles"),
                "profile_index",
                "profiles",
            ),
            task(nodes.count_nuclei, named(*raw_profiles), "cell_counts", "profiles"),
            task(
                nodes.normalise_profiles,
                named(*raw_profiles, "fields", "params:profiles"),
                "field_profiles",
                "profiles",
            ),
        ]
    )
