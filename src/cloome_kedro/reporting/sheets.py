"""Facts of the publication: what each of its supplementary tables 7 to 12 is of."""

from dataclasses import dataclass

#: the corruption of tables 9 to 12
CHOSEN = "random_flip_small_rotation"


@dataclass(frozen=True)
class Sheet:
    """What one table of the supplement is of.

    Parameters
    ----------
    name : as in the catalog, supplement_table_<name>
    title, task, pool, images : of our metrics; a row's own corruption goes before ``images``
    source : of the published values, as in published.csv; empty where none were published
    rows : source that the rows are taken from, where it is another
    splits : as published
    others : whether a split that the publication does not have is shown too
    """

    name: str
    title: str
    task: str
    pool: str = "full"
    images: str = "clean"
    source: str = ""
    rows: str = ""
    splits: tuple[str, ...] = ("Random", "Scaffold")
    others: bool = True


#: tables 10 and 10_clean have other columns: see `_probing`
SHEETS = (
    Sheet("7", "SI table 7: retrieval among sampled candidates", "retrieval", "sampled", source="SI table 7"),
    Sheet(
        "8",
        "SI table 8: retrieval among all candidates, corrupted images, random split",
        *("retrieval", "full"),
        source="SI table 8",
        splits=("Random",),
    ),
    Sheet(
        "8_clean",
        "Clean counterpart of SI table 8: retrieval among all candidates, random split",
        *("retrieval", "full"),
        source="published notebook",
        rows="SI table 7",
        splits=("Random",),
    ),
    Sheet(
        "9",
        "SI table 9: retrieval among all candidates, images flipped and rotated by up to 10°, scaffold split",
        *("retrieval", "full", CHOSEN),
        source="SI table 9",
        splits=("Scaffold",),
        others=False,
    ),
    Sheet(
        "9_clean",
        "Clean counterpart of SI table 9: retrieval among all candidates, scaffold split",
        *("retrieval", "full"),
        rows="SI table 7",
        splits=("Scaffold",),
        others=False,
    ),
    Sheet(
        "10",
        "SI table 10: linear probing, images flipped and rotated by up to 10°",
        "probing",
        images=CHOSEN,
        source="SI table 10",
    ),
    Sheet("10_clean", "Clean counterpart of SI table 10: linear probing", "probing", source="SI section 1.5"),
    Sheet(
        "11",
        "SI table 11: zero-shot compounds, images flipped and rotated by up to 10°",
        *("zero-shot compound", "full", CHOSEN),
        source="SI table 11",
    ),
    Sheet(
        "11_clean",
        "Clean counterpart of SI table 11 (table 3 of the article): zero-shot compounds",
        "zero-shot compound",
        source="article table 3",
    ),
    Sheet(
        "12",
        "SI table 12: zero-shot mechanisms of action, images flipped and rotated by up to 10°",
        *("zero-shot MoA", "full", CHOSEN),
        source="SI table 12",
    ),
    Sheet(
        "12_clean",
        "Clean counterpart of SI table 12 (table 4 of the article): zero-shot mechanisms of action",
        "zero-shot MoA",
        source="article table 4",
    ),
)
