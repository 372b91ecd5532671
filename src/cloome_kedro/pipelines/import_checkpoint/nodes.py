"""Nodes of ``import_checkpoint``: a published checkpoint is saved as a checkpoint of this project."""

from cloome_kedro.parameters import ImportParameters, ModelParameters


def import_published(published_checkpoint, import_checkpoint: ImportParameters, model: ModelParameters, name: str):
    """Return the checkpoint, to be saved as the checkpoint of a split.

    Parameters
    ----------
    model
        Entry of the model that the checkpoint stands for. Its views decide which tables embedding reads.
    name
        Name of this entry under ``models:``.

    Raises
    ------
    ValueError
        If no variant is given, since ``default`` is reserved for models that are trained here, or if the views of the
        entry are not those of the checkpoint.
    """
    from cloome_kedro.learning.views import VIEWS

    if import_checkpoint.variant == "default":
        raise ValueError("a published checkpoint needs another variant than default: add --params variant=published")
    for side, view in (("field", model.field.view), ("compound", model.compound.view)):
        configured, published = VIEWS.name_of(view), published_checkpoint.config["views"][side]["name"]
        if configured != published:
            raise ValueError(
                f"models.{name}.{side}.view is {configured}, but the published checkpoint has the view {published}: "
                f"add --params models.{name}.{side}.view={published}"
            )
    return published_checkpoint
