"""Nodes of ``import_checkpoint``: a published checkpoint is saved as a checkpoint of this project."""

from cloome_kedro.parameters import ImportParameters


def import_published(published_checkpoint, import_checkpoint: ImportParameters):
    """Return the checkpoint, to be saved as the checkpoint of a split.

    Raises
    ------
    ValueError
        If no variant is given, since ``default`` is reserved for models that are trained here.
    """
    if import_checkpoint.variant == "default":
        raise ValueError("a published checkpoint needs another variant than default: add --params variant=published")
    return published_checkpoint
