"""Facts of the publication: what each of its supplementary tables 7 to 12 is of."""

from dataclasses import dataclass

from cloome_kedro.words import CLEAN, PROBING, RETRIEVAL, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

#: the corruption of tables 9 to 12
CHOSEN = "random_flip_small_rotation"


@dataclass(frozen=True)
class Sheet:
    """What one table of the supplement is of.

    Attributes
    ----------
    name
        As in the catalog, ``supplement_table_<name>``.
    title
        As it is shown.
    task, pool, images
        Of our metrics. Where the row of the publication names a corruption, that is used instead of ``images``.
    source
        Of the published values, as in published.csv; empty where none were published.
    rows
        Source that the rows are taken from, where it is another.
    splits
        As published.
    others
        Whether a split that the publication does not have is shown, too.
    """

    name: str
    title: str
    task: str
    pool: str = "full"
    images: str = CLEAN
    source: str = ""
    rows: str = ""
    splits: tuple[str, ...] = ("Random", "Scaffold")
    others: bool = True


#: tables 10 and 10_clean have other columns: see `_probing`
SHEETS = (
    Sheet("7", "SI table 7: retrieval among sampled candidates", RETRIEVAL, "sampled", source="SI table 7"),
    Sheet(
        "8",
        "SI table 8: retrieval among all candidates, corrupted images, random split",
        *(RETRIEVAL, "full"),
        source="SI table 8",
        splits=("Random",),
    ),
    Sheet(
        "8_clean",
        "Clean counterpart of SI table 8: retrieval among all candidates, random split",
        *(RETRIEVAL, "full"),
        source="published notebook",
        rows="SI table 7",
        splits=("Random",),
    ),
    Sheet(
        "9",
        "SI table 9: retrieval among all candidates, images flipped and rotated by up to 10°, scaffold split",
        *(RETRIEVAL, "full", CHOSEN),
        source="SI table 9",
        splits=("Scaffold",),
        others=False,
    ),
    Sheet(
        "9_clean",
        "Clean counterpart of SI table 9: retrieval among all candidates, scaffold split",
        *(RETRIEVAL, "full"),
        rows="SI table 7",
        splits=("Scaffold",),
        others=False,
    ),
    Sheet(
        "10",
        "SI table 10: linear probing, images flipped and rotated by up to 10°",
        PROBING,
        images=CHOSEN,
        source="SI table 10",
    ),
    Sheet("10_clean", "Clean counterpart of SI table 10: linear probing", PROBING, source="SI section 1.5"),
    Sheet(
        "11",
        "SI table 11: zero-shot compounds, images flipped and rotated by up to 10°",
        *(ZERO_SHOT_COMPOUND, "full", CHOSEN),
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
        *(ZERO_SHOT_MOA, "full", CHOSEN),
        source="SI table 12",
    ),
    Sheet(
        "12_clean",
        "Clean counterpart of SI table 12 (table 4 of the article): zero-shot mechanisms of action",
        ZERO_SHOT_MOA,
        source="article table 4",
    ),
)
