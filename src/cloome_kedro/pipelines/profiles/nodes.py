"""Nodes of ``profiles``."""

from cloome_kedro.parameters import ProfileParameters


def measure_profiles(profile_store, plate_store, fields, profiles: ProfileParameters):
    """Measure the fields of plates whose profiles are missing or outdated: ``profile_index``."""
    from cloome_kedro.imaging.profiles import measure_profiles

    return measure_profiles(profile_store, plate_store, fields, profiles.measure, n_jobs=profiles.n_jobs)


def count_nuclei(profile_store, profile_index):
    """Count the nuclei of every field: ``cell_counts``, which is empty where nuclei are not measured."""
    from cloome_kedro.imaging.profiles import count_nuclei

    return count_nuclei(profile_store, profile_index)


def normalise_profiles(profile_store, profile_index, fields, profiles: ProfileParameters):
    """Normalise each plate against its controls, and select features: ``field_profiles``."""
    from cloome_kedro.imaging.normalisation import normalise_profiles

    return normalise_profiles(profile_store, profile_index, fields, profiles.normalise, profiles.select)
