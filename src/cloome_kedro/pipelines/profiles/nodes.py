"""Nodes of the pipeline ``profiles``."""

from cloome_kedro.parameters import ProfileParameters


def measure_profiles(profile_store, plate_store, fields, profiles: ProfileParameters):
    """Measure the plates whose profiles are missing or outdated, and return ``profile_index``."""
    from cloome_kedro.imaging.profiles import measure_profiles

    return measure_profiles(profile_store, plate_store, fields, profiles.measure, n_jobs=profiles.n_jobs)


def count_nuclei(profile_store, profile_index):
    """Return the number of nuclei in each field, ``cell_counts``. It is empty if nuclei are not measured."""
    from cloome_kedro.imaging.profiles import count_nuclei

    return count_nuclei(profile_store, profile_index)


def normalise_profiles(profile_store, profile_index, fields, profiles: ProfileParameters):
    """Normalise each plate against its controls, select features, and return ``field_profiles``."""
    from cloome_kedro.imaging.normalisation import normalise_profiles

    return normalise_profiles(profile_store, profile_index, fields, profiles.normalise, profiles.select)
