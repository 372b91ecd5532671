"""Nodes of ``profiles``."""

from cloome_kedro.parameters import ProfileParameters


def measure_profiles(profile_store, plate_store, fields, parameters: ProfileParameters):
    """Measure the fields of the plates whose profiles are missing or outdated.

    Returns
    -------
    profile_index
    """
    from cloome_kedro.imaging import profiles
    from cloome_kedro.imaging.features import ProfileSettings

    settings = ProfileSettings(
        families=tuple(parameters.families),
        compartments=tuple(parameters.compartments),
        nucleus_diameter=parameters.nucleus_diameter,
        minimum_contrast=parameters.minimum_contrast,
    )
    return profiles.measure_profiles(profile_store, plate_store, fields, settings, n_jobs=parameters.n_jobs)


def count_nuclei(profile_store, profile_index):
    """Nuclei in every field.

    Returns
    -------
    cell_counts : empty where nuclei are not among ``params:profiles.compartments``
    """
    from cloome_kedro.imaging import profiles

    return profiles.count_nuclei(profile_store, profile_index)


def normalise_profiles(profile_store, profile_index, fields, parameters: ProfileParameters):
    """Normalise each plate against its controls and select features.

    Returns
    -------
    field_profiles
    """
    from cloome_kedro.imaging import normalisation

    settings = normalisation.NormalisationSettings(
        method=parameters.normalisation,
        minimum_controls=parameters.minimum_controls,
        clip=parameters.clip,
        selection=tuple(parameters.selection),
        na_cutoff=parameters.na_cutoff,
        correlation_threshold=parameters.correlation_threshold,
        selection_fields=parameters.selection_fields,
        seed=parameters.seed,
    )
    return normalisation.normalise_profiles(profile_store, profile_index, fields, settings)
