"""The supplementary tables 7 to 12 of the publication and their clean counterparts: contents of each table."""

from dataclasses import dataclass

from cloome_kedro.words import CLEAN, PROBING, RETRIEVAL, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

#: the corruption of tables 9 to 12
FLIP_AND_ROTATION = "random_flip_small_rotation"


@dataclass(frozen=True)
class Sheet:
    """Contents of one table of the supplement.

    Attributes
    ----------
    name
        The dataset of the table is ``supplement_table_<name>``.
    title
        Title of the table.
    task, pool, images
        Values in our table ``metrics``. If a published row names a corruption, it replaces ``images``.
    source
        Source of the published values in ``published.csv``. It is empty if none were published.
    rows
        Source of the names of rows, if it is not ``source``.
    splits
        Published splits.
    other_splits
        Whether the table also shows splits that the publication does not have.
    """

    name: str
    title: str
    task: str
    pool: str = "full"
    images: str = CLEAN
    source: str = ""
    rows: str = ""
    splits: tuple[str, ...] = ("Random", "Scaffold")
    other_splits: bool = True


#: tables 10 and 10_clean have other columns than the rest, see `cloome_kedro.reporting.supplement`
SHEETS = (
    Sheet(
        "7",
        "SI table 7: retrieval among sampled candidates",
        RETRIEVAL,
        pool="sampled",
        source="SI table 7",
    ),
    Sheet(
        "8",
        "SI table 8: retrieval among all candidates, corrupted images, random split",
        RETRIEVAL,
        source="SI table 8",
        splits=("Random",),
    ),
    Sheet(
        "8_clean",
        "Clean counterpart of SI table 8: retrieval among all candidates, random split",
        RETRIEVAL,
        source="published notebook",
        rows="SI table 7",
        splits=("Random",),
    ),
    Sheet(
        "9",
        "SI table 9: retrieval among all candidates, images flipped and rotated by up to 10°, scaffold split",
        RETRIEVAL,
        images=FLIP_AND_ROTATION,
        source="SI table 9",
        splits=("Scaffold",),
        other_splits=False,
    ),
    Sheet(
        "9_clean",
        "Clean counterpart of SI table 9: retrieval among all candidates, scaffold split",
        RETRIEVAL,
        rows="SI table 7",
        splits=("Scaffold",),
        other_splits=False,
    ),
    Sheet(
        "10",
        "SI table 10: linear probing, images flipped and rotated by up to 10°",
        PROBING,
        images=FLIP_AND_ROTATION,
        source="SI table 10",
    ),
    Sheet(
        "10_clean",
        "Clean counterpart of SI table 10: linear probing",
        PROBING,
        source="SI section 1.5",
    ),
    Sheet(
        "11",
        "SI table 11: zero-shot compounds, images flipped and rotated by up to 10°",
        ZERO_SHOT_COMPOUND,
        images=FLIP_AND_ROTATION,
        source="SI table 11",
    ),
    Sheet(
        "11_clean",
        "Clean counterpart of SI table 11 (table 3 of the article): zero-shot compounds",
        ZERO_SHOT_COMPOUND,
        source="article table 3",
    ),
    Sheet(
        "12",
        "SI table 12: zero-shot mechanisms of action, images flipped and rotated by up to 10°",
        ZERO_SHOT_MOA,
        images=FLIP_AND_ROTATION,
        source="SI table 12",
    ),
    Sheet(
        "12_clean",
        "Clean counterpart of SI table 12 (table 4 of the article): zero-shot mechanisms of action",
        ZERO_SHOT_MOA,
        source="article table 4",
    ),
)
