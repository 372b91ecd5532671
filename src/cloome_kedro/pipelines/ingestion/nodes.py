"""Nodes of ``ingestion``."""

from pathlib import Path

from cloome_kedro.parameters import IngestionParameters


def index_fields(raw_screen: Path, parameters: IngestionParameters):
    """Find all fields of the screen by the names of their images and join them to compounds.

    Returns
    -------
    field_index, compound_table, rejected_index
    """
    from cloome_kedro.imaging.index import check_rejected, index_screen

    sources = [source.model_dump() for source in parameters.sources]
    index, compounds, rejected = index_screen(raw_screen, parameters.screen, sources)
    check_rejected(rejected, len(index) + len(rejected), parameters.max_rejected_fraction)
    return index, compounds, rejected


def ingest_plates(plate_store, field_index, rejected_index, parameters: IngestionParameters):
    """Make the plate files that are missing or outdated.

    Returns
    -------
    fields, rejected_fields
    """
    from cloome_kedro.imaging import plates

    return plates.ingest_plates(
        plate_store,
        field_index,
        plates.PlateSettings(
            outlier_percent=parameters.outlier_percent,
            scale=parameters.scale,
            scope=parameters.scope,
            crop=parameters.crop,
            size=parameters.size,
        ),
        rejected_index=rejected_index,
        max_rejected_fraction=parameters.max_rejected_fraction,
        n_jobs=parameters.n_jobs,
    )
