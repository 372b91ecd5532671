"""Import: a published checkpoint becomes one of this project, below a variant of its own."""

from cloome_kedro.parameters import ImportParameters


def import_published(published_checkpoint, import_checkpoint: ImportParameters):
    """Pass the checkpoint on to be saved as a split's.

    Raises
    ------
    ValueError
        If no variant is named: ``default`` is kept for models that are trained here.
    """
    if import_checkpoint.variant == "default":
        raise ValueError("a published checkpoint needs a variant of its own: add --params variant=published")
    return published_checkpoint
