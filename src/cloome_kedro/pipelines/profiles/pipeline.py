"""Wiring of ``profiles``."""

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines.profiles import nodes
from cloome_kedro.pipelines.wiring import named, task


def create_pipeline() -> Pipeline:
    """From plate files to one normalised profile per field."""
    measured = ("profile_store", "profile_index")
    return Pipeline(
        [
            task(
                nodes.measure_profiles,
                named("profile_store", "plate_store", "fields", "params:profiles"),
                "profile_index",
                "profiles",
            ),
            task(nodes.count_nuclei, named(*measured), "cell_counts", "profiles"),
            task(nodes.normalise_profiles, named(*measured, "fields", "params:profiles"), "field_profiles", "profiles"),
        ]
    )
