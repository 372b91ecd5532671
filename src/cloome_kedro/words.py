"""Names and values that several tables, parameters or figures use."""

import math
from collections.abc import Iterable

FOLDS = ("train", "validation", "test")

#: kinds of models: the default, which is trained by contrastive learning, and two that are computed in closed form
CONTRASTIVE, RIDGE, FUSION = "contrastive", "ridge", "fusion"

#: directions of retrieval: from the query to the candidates
IMAGE_TO_COMPOUND, COMPOUND_TO_IMAGE = "image to compound", "compound to image"
#: directions: value in tables -> text in figures and reports
DIRECTIONS = {IMAGE_TO_COMPOUND: "image → compound", COMPOUND_TO_IMAGE: "compound → image"}

RETRIEVAL, PROBING = "retrieval", "probing"
ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA = "zero-shot compound", "zero-shot MoA"
ZERO_SHOT = (ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA)
TASKS = (RETRIEVAL, *ZERO_SHOT, PROBING)

#: validation metrics of retrieval: top-k accuracy of one direction, or its mean over both (no suffix)
RETRIEVAL_METRICS = tuple(
    f"top{k}{suffix}" for k in (1, 5, 10) for suffix in ("", "_image_to_compound", "_compound_to_image")
)

#: value of the column `images` for images without corruption; otherwise it is the name of the corruption
CLEAN = "clean"

#: methods that are not trained models of the study
PROFILES, UNTRAINED = "Profiles", "Untrained"
PLATE_ONLY, WELL_ONLY, CELL_COUNT_ONLY = "Plate only", "Well position only", "Cell count only"
RANDOM = "Random"
ORACLE_PHENOTYPE, ORACLE_MECHANISM = "Oracle (phenotype)", "Oracle (mechanism)"

#: split hash of published models: their training fold is not known
UNKNOWN_SPLIT = "unknown"

#: usual words for a missing value, in lower case. -666 is a convention of the Broad Institute, \\N one of databases
MISSING: tuple[str, ...] = (
    *("na", "n/a", "n.a.", "#n/a", "<na>", "nan", "nat", "null", "(null)", "[null]", "\\n", "none", "nil"),
    *("-", "--", "–", "—", "?", ".", "nd", "n.d.", "tbd", "-666", "-999", "-9999"),
    *("missing", "unknown", "undefined", "unspecified", "no data", "not available", "not applicable"),
    *("not annotated", "not determined", "not known", "#value!", "#ref!", "#name?", "#div/0!"),
)


def counted(number: float, noun: str, plural: str = "") -> str:
    """Number with its noun in singular or plural. ``plural`` is the noun with an s if it is not given.

    >>> counted(1, "candidate"), counted(2115, "candidate"), counted(1.5, "class", "classes")
    ('1 candidate', '2,115 candidates', '1.5 classes')
    """
    text = f"{round(number, 1):,}".removesuffix(".0")
    return f"{text} {noun if text == '1' else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Write a duration in a unit that fits.

    >>> duration(41), duration(150), duration(5400), duration(4 * 86400)
    ('41 seconds', '2.5 minutes', '90 minutes', '4 days')
    """
    for unit, length, most in (("second", 1, 100), ("minute", 60, 6000), ("hour", 3600, 172800)):
        if seconds < most:
            return counted(float(f"{seconds / length:.2g}"), unit)
    return counted(float(f"{seconds / 86400:.2g}"), "day")


def size(number: float) -> str:
    """Write a number of bytes in a unit that fits.

    >>> size(1500), size(41.1e6), size(3.456e12)
    ('1.5 kB', '41 MB', '3.5 TB')
    """
    power = 0 if number < 1 else min(4, int(math.log10(number) / 3))
    value = float(f"{number / 1000**power:.2g}")
    return f"{value:,.1f}".removesuffix(".0") + f" {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


def one_line(text: object, width: int | None = None) -> str:
    """Shorten text of the user to one line of at most ``width`` characters, without control characters.

    Examples
    --------
    >>> one_line("a\\tlong\\nname\\x07", width=6)
    'a lon…'
    """
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return line if width is None or len(line) <= width else line[: width - 1] + "…"


def feature_columns(table: Iterable) -> list[str]:
    """Feature columns of a table of profiles: all columns except ``field_id`` and ``Metadata_...``.

    >>> feature_columns(["field_id", "Metadata_Plate", "Nuclei_Count"])
    ['Nuclei_Count']
    """
    return [str(name) for name in table if name != "field_id" and not str(name).startswith("Metadata_")]
