"""The words that tables, parameters and figures share, each in one place."""

from collections.abc import Iterable

FOLDS = ("train", "validation", "test")

#: directions of retrieval: what is asked with, and what is ranked
IMAGE_TO_COMPOUND, COMPOUND_TO_IMAGE = "image to compound", "compound to image"
#: directions as tables hold them -> as figures and reports show them
DIRECTIONS = {IMAGE_TO_COMPOUND: "image → compound", COMPOUND_TO_IMAGE: "compound → image"}

RETRIEVAL, PROBING = "retrieval", "probing"
ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA = "zero-shot compound", "zero-shot MoA"
ZERO_SHOT = (ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA)
TASKS = (RETRIEVAL, *ZERO_SHOT, PROBING)

#: validation metrics of retrieval: top-k accuracy as the mean of both directions, or of one
RETRIEVAL_METRICS = tuple(
    f"top{k}{suffix}" for k in (1, 5, 10) for suffix in ("", "_image_to_compound", "_compound_to_image")
)

#: images as they were stored; corrupted images have the name of their corruption
CLEAN = "clean"

#: methods that are not models of the study
PROFILES, UNTRAINED = "Profiles", "Untrained"
PLATE_ONLY, WELL_ONLY, CELL_COUNT_ONLY = "Plate only", "Well position only", "Cell count only"
RANDOM = "Random"
ORACLE_PHENOTYPE, ORACLE_MECHANISM = "Oracle (phenotype)", "Oracle (mechanism)"

#: stands for the hash of the folds that a published model was trained on
UNKNOWN_SPLIT = "unknown"


def feature_columns(table: Iterable) -> list[str]:
    """Columns of a table of profiles that are features: all but ``field_id`` and ``Metadata_...``.

    >>> feature_columns(["field_id", "Metadata_Plate", "Nuclei_Count"])
    ['Nuclei_Count']
    """
    return [str(name) for name in table if name != "field_id" and not str(name).startswith("Metadata_")]
