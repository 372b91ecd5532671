"""Nodes of the pipeline ``ingestion``."""

from pathlib import Path

from cloome_kedro.parameters import IngestionParameters, ProfileTableParameters, StudyParameters


def index_fields(raw_screen: Path, ingestion: IngestionParameters):
    """List all fields of the screen, and join them to compounds.

    Returns
    -------
    field_index, compound_table, rejected_index
    """
    from cloome_kedro.chemistry.standardise import identify
    from cloome_kedro.imaging.index import check_rejected, index_screen
    from cloome_kedro.imaging.remote import use_remote

    use_remote(ingestion.remote)
    index, compounds, rejected = index_screen(
        raw_screen, ingestion.screen, ingestion.sources, ingestion.missing, identify
    )
    check_rejected(rejected, len(index) + len(rejected), ingestion.max_rejected_fraction)
    return index, compounds, rejected


def ingest_plates(plate_store, raw_screen: Path, field_index, rejected_index, ingestion: IngestionParameters):
    """Write the plate files that are missing or outdated.

    The images are in ``raw_screen``, or at the addresses to which it has access. So are illumination functions, if the
    screen provides them.

    Returns
    -------
    fields, rejected_fields
    """
    from cloome_kedro.imaging import plates
    from cloome_kedro.imaging.illumination.provided import find_functions
    from cloome_kedro.imaging.illumination.settings import ProvidedIllumination
    from cloome_kedro.imaging.remote import use_remote

    use_remote(ingestion.remote)
    illumination, functions = ingestion.storage.illumination, None
    if isinstance(illumination, ProvidedIllumination):
        plates_of_source = field_index.groupby("source")["plate"].unique().to_dict()
        functions = find_functions(raw_screen, ingestion.sources, plates_of_source, illumination)
    return plates.ingest_plates(
        plate_store,
        field_index,
        rejected_index,
        ingestion.storage,
        functions=functions,
        max_rejected_fraction=ingestion.max_rejected_fraction,
        n_jobs=ingestion.n_jobs,
    )


def _files_outside(plate_store, raw_screen: Path, field_index, rejected_index, ingestion: IngestionParameters):
    """Folders of images outside of the screen's folder; None if images or functions may lie on a server or anywhere."""
    from cloome_kedro.imaging.illumination.settings import ProvidedIllumination
    from cloome_kedro.imaging.stacks import folders_outside

    functions = ingestion.storage.illumination
    if isinstance(functions, ProvidedIllumination) and (functions.files is None or functions.files.startswith("/")):
        return None
    return folders_outside(field_index, raw_screen)


ingest_plates.files_outside = _files_outside  # type: ignore[attr-defined]


def measure_controls(fields, ingestion: IngestionParameters):
    """Compute robust mean and deviation of the pixels of each plate's control wells: ``plate_statistics``."""
    from cloome_kedro.imaging.plate_statistics import plate_statistics

    return plate_statistics(fields, ingestion.minimum_control_wells)


def read_profiles(raw_screen: Path, study: StudyParameters, profile_tables: ProfileTableParameters):
    """Read a screen without images from its tables of profiles.

    Returns
    -------
    fields, compound_table, rejected_fields, field_profiles, cell_counts
    """
    from cloome_kedro.chemistry.standardise import identify
    from cloome_kedro.imaging.profile_screen import read_profile_screen

    screen = read_profile_screen(
        raw_screen,
        study.screen,
        profile_tables.source,
        profile_tables.columns,
        normalisation=profile_tables.normalise,
        selection=profile_tables.select,
        repeats=profile_tables.repeats,
        max_rejected_fraction=profile_tables.max_rejected_fraction,
        identify=identify,
    )
    return screen.fields, screen.compounds, screen.rejected, screen.profiles, screen.cell_counts
