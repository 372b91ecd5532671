"""Nodes of ``inspect``. :mod:`cloome_kedro.schemas` describes the tables, by their names."""

import dataclasses
import logging
from pathlib import Path

from cloome_kedro.parameters import (
    IngestionParameters,
    InspectParameters,
    LabelParameters,
    ModelParameters,
    ProfileTableParameters,
    SplitParameters,
    StructureParameters,
    StudyParameters,
)
from cloome_kedro.pipelines.inspect.compounds import check_compounds
from cloome_kedro.words import counted, one_line

logger = logging.getLogger(__name__)


def check_images(
    *,
    raw_screen: Path,
    plate_store,
    assay_labels,
    ingestion: IngestionParameters,
    structures: StructureParameters,
    labels: LabelParameters,
    inspect: InspectParameters,
):
    """Check a screen with images: fields, wells, compounds, labels, images, doubled files, disk and time.

    Returns
    -------
    screen_check, screen_check_plates
    """
    return _check_images(
        raw_screen, plate_store, assay_labels, ingestion, structures=structures, labels=labels, inspect=inspect
    )


def check_images_and_training(
    *,
    raw_screen: Path,
    plate_store,
    assay_labels,
    ingestion: IngestionParameters,
    structures: StructureParameters,
    labels: LabelParameters,
    splits: SplitParameters,
    inspect: InspectParameters,
    model: ModelParameters,
    history,
):
    """Check a screen whose images the first model learns from: as `check_images`, and the time of the training.

    ``history`` is the table of an earlier training.

    Returns
    -------
    screen_check, screen_check_plates
    """
    from cloome_kedro.pipelines.inspect.estimates import describe_training

    def describe(fields, shape):
        return describe_training(fields, shape, model, splits, history, inspect.training_seconds)

    return _check_images(
        raw_screen,
        plate_store,
        assay_labels,
        ingestion,
        structures=structures,
        labels=labels,
        inspect=inspect,
        describe_training=describe,
    )


def _check_images(
    raw_screen,
    plate_store,
    assay_labels,
    ingestion: IngestionParameters,
    *,
    structures,
    labels,
    inspect: InspectParameters,
    describe_training=None,
):
    from cloome_kedro.chemistry.standardise import identify
    from cloome_kedro.imaging.inspection import doubled, fields, images
    from cloome_kedro.imaging.inspection.findings import findings_table
    from cloome_kedro.imaging.remote import use_remote
    from cloome_kedro.pipelines.inspect.estimates import describe_ingestion

    use_remote(ingestion.remote)
    index = fields.index_sources(raw_screen, ingestion.screen, ingestion.sources, ingestion.missing, identify)
    plates = fields.plate_table(index)
    sample = images.sample_fields(index.fields, ingestion.storage, inspect.fields, inspect.seconds)
    findings = [
        *index.findings,
        *fields.check_fields(plates, index.rejected, ingestion.max_rejected_fraction),
        *images.check_images(sample, index.fields, ingestion.storage),
        *doubled.check_doubled(index.fields, inspect.files, inspect.seconds),
        *check_compounds(index.compounds, assay_labels, structures, labels, inspect),
    ]
    cost = images.ingestion_cost(sample, index.fields, ingestion.storage, ingestion.n_jobs)
    findings += describe_ingestion(cost, plate_store.folder)
    good = sample[sample["reason"].isna()]
    if describe_training is not None and len(good):
        shape = ingestion.storage.stored_shape((int(good["height"].iloc[0]), int(good["width"].iloc[0])))
        findings += describe_training(index.fields, shape)
    return findings_table(findings), images.described_plates(plates, sample)


def check_profiles(
    *,
    raw_screen: Path,
    assay_labels,
    study: StudyParameters,
    profile_tables: ProfileTableParameters,
    structures: StructureParameters,
    labels: LabelParameters,
    inspect: InspectParameters,
):
    """Check a screen without images: wells, compounds and labels of its tables of profiles.

    Returns
    -------
    screen_check, screen_check_plates
    """
    from cloome_kedro.chemistry.standardise import identify
    from cloome_kedro.imaging.inspection import fields
    from cloome_kedro.imaging.inspection.findings import Finding, findings_table
    from cloome_kedro.imaging.profile_screen import read_profile_screen

    try:
        screen = read_profile_screen(
            raw_screen,
            study.screen,
            profile_tables.source,
            profile_tables.columns,
            normalisation=dataclasses.replace(profile_tables.normalise, method=None),
            selection=dataclasses.replace(profile_tables.select, operations=()),
            repeats=profile_tables.repeats,
            max_rejected_fraction=1,
            identify=identify,
        )
    except (OSError, ValueError) as error:
        index = fields.nothing(Finding("source", "error", one_line(error)))
        return findings_table(index.findings), fields.plate_table(index)
    index = fields.Index(screen.fields, screen.compounds, screen.rejected, [])
    plates = fields.plate_table(index)
    features = screen.profiles.drop(columns="field_id")
    empty = int(features.isna().sum().gt(0).sum())
    text = f"{features.shape[1]:,} features" + (f", {empty:,} of them with missing values" if empty else "")
    findings = [
        *fields.check_fields(plates, screen.rejected, profile_tables.max_rejected_fraction),
        Finding("profiles", "ok", text),
        *check_compounds(screen.compounds, assay_labels, structures, labels, inspect),
    ]
    return findings_table(findings), plates


def describe_check(screen_check, screen_check_plates, study: StudyParameters):
    """Write the findings as text: ``screen_check_summary``. It is logged if there are errors."""
    verdicts = screen_check["verdict"].value_counts()
    errors, warnings = int(verdicts.get("error", 0)), int(verdicts.get("warning", 0))
    result = (
        f"{counted(errors, 'error')} and {counted(warnings, 'warning')}: correct the errors before the ingestion"
        if errors
        else f"OK, with {counted(warnings, 'warning')}"
        if warnings
        else "OK"
    )
    lines = [f"Screen {study.screen}", ""]
    for row in screen_check.itertuples():
        lines.append(f"{row.verdict.upper():8}{row.check}: {row.text}")
    lines += ["", f"{study.screen}: {result}", ""]
    if errors:  # otherwise the text is printed after the run
        logger.error("check of the screen\n%s", "\n".join(lines))
    return "\n".join(lines)


def stop_at_errors(screen_check, screen_check_summary):
    """End the run with an error if the check has found one. There are no outputs.

    Raises
    ------
    ValueError
        The message has the first error.
    """
    errors = screen_check[screen_check["verdict"] == "error"]
    if len(errors):
        raise ValueError(f"the screen has {counted(len(errors), 'error')}. The first is: {errors['text'].iloc[0]}")
    return []
