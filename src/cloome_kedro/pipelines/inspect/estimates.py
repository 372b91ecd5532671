"""What ingestion and training will need: disk and time."""

import math

from cloome_kedro.parameters import ModelParameters, SplitParameters
from cloome_kedro.words import counted, duration, size


def describe_ingestion(cost, folder):
    """Judge whether the disk has room for the plate store, and say how long the ingestion will take."""
    import shutil

    from cloome_kedro.imaging.inspection.findings import Finding

    if math.isnan(cost.seconds):
        return []
    free = shutil.disk_usage(folder).free
    text = (
        f"ingestion: about {duration(cost.seconds)}, from the fields that were read; {size(cost.raw_bytes)} of images "
        f"become {size(cost.stored_bytes)} in {folder}, where {size(free)} are free"
    )
    return [Finding("disk and time", "ok" if cost.stored_bytes < free else "error", text)]


def describe_training(fields, shape, model: ModelParameters, splits: SplitParameters, history, seconds):
    """Say how long a training of a model of images will take.

    The rate is that of an earlier training of this study, if there is one. Otherwise it is measured.

    Parameters
    ----------
    fields
        Table ``field_index``.
    shape
        (height, width) of stored fields.
    history
        Table of this name. It has no rows if the model was not trained.
    """
    from cloome_kedro.imaging.channels import CHANNELS
    from cloome_kedro.imaging.inspection.findings import Finding
    from cloome_kedro.learning.speed import training_rate

    controls = int(fields["control"].astype(bool).sum())
    learned = splits.train * (len(fields) - controls)
    shown = model.fit.epochs * learned
    parts = f"{model.fit.epochs} epochs of {counted(round(learned), 'field')}"
    if model.pretrain is not None:
        pretrained = learned + controls * model.pretrain.controls
        shown += model.pretrain.fit.epochs * pretrained
        parts += f" after {model.pretrain.fit.epochs} epochs of pre-training"
    if len(history):
        rate, how = float(history["fields_per_second"].median()), "the median rate of its last training"
    else:
        crop = getattr(model.field.view, "crop", None)
        cut = (crop, crop) if crop else shape
        try:
            rate = training_rate(model.field.encoder, len(CHANNELS), cut, model.fit, model.embedding_size, seconds)
        except (ValueError, RuntimeError) as error:
            return [Finding("disk and time", "error", f"the encoder of fields cannot learn from {cut}: {error}")]
        how = "measured now on random images: forward and backward pass of the encoder of fields on this machine"
    text = (
        f"training: about {duration(shown / rate)} for each split, for {parts} at {rate:,.0f} fields per second ({how})"
    )
    return [Finding("disk and time", "ok", text)]
