"""Typed requests and answers of the page's JSON interface."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cloome_kedro.page.limits import LONGEST_NAME, LONGEST_SMILES, MOST_HITS

Kind = Literal["fields", "compounds"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
Smiles = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_SMILES)]


class Strict(BaseModel):
    """A model without further keys."""

    model_config = ConfigDict(extra="forbid")


class Selection(Strict):
    """Which hits are wanted.

    Attributes
    ----------
    kind
        What is searched. None: fields for a structure, compounds for an image.
    top
        Number of hits.
    plate, moa, fold
        Filters. ``fold`` may be ``control``.
    """

    kind: Kind | None = None
    top: int = Field(default=20, ge=1, le=MOST_HITS)
    plate: Name | None = None
    moa: Name | None = None
    fold: Literal["train", "validation", "test", "control"] | None = None


class Question(Selection):
    """A question, with exactly one of ``smiles``, ``compound``, ``field`` and ``well``."""

    smiles: Smiles | None = None
    compound: Name | None = None
    field: Name | None = None
    well: Name | None = None


class UploadSelection(Selection):
    """Which hits of uploaded images are wanted, and the plate of the screen with which the images were made."""

    scaled_by: Name | None = None


class IndexSummary(Strict):
    """One served index, for the select."""

    id: str
    label: str
    screen: str
    split: str
    model: str


class IndexDetails(IndexSummary):
    """What the page must know about an index.

    Attributes
    ----------
    accepts
        Whether the model embeds new ``smiles`` and new ``images``.
    advice
        Sentence that names models which do, if it does not embed one of them. Empty otherwise.
    plates, mechanisms, folds
        Values of the filters.
    thumbnail
        Height and width of thumbnails; None if the screen has no images.
    limits
        Black and white level of each channel, (5, 2).
    colours
        Channel -> red, green and blue, from 0 to 1, in the order of the stack.
    """

    simulated: bool
    counts: dict[str, int]
    accepts: dict[str, bool]
    advice: str
    plates: list[str]
    mechanisms: list[str]
    folds: list[str]
    thumbnail: list[int] | None
    limits: list[list[float]] | None
    colours: dict[str, list[float]]
    weights: str
    example: str | None


class Well(Strict):
    """A well on the map of a plate. ``row`` and ``column`` count from 0."""

    well_id: str
    well: str
    row: int
    column: int
    compound: str | None
    inchikey: str | None
    moa: str | None
    concentration_um: float | None
    control: bool
    fold: str | None
    fields: list[str]


class Plate(Strict):
    """Wells of a plate, with the numbers of its rows and columns."""

    plate: str
    rows: int
    columns: int
    wells: list[Well]


class Points(Strict):
    """Points of one kind on the map. ``moa``, ``plate`` and ``fold`` are positions in lists of names; -1: none."""

    keys: list[str]
    names: list[str]
    x: list[float]
    y: list[float]
    moa: list[int]
    plate: list[int]
    fold: list[int]
    total: int


class SpaceMap(Strict):
    """A map of the embedding space.

    Attributes
    ----------
    explained
        Share of the variance that each of the two components explains.
    moa, plate, fold
        Names to which the positions of the points belong.
    """

    explained: list[float]
    fields: Points
    compounds: Points
    moa: list[str]
    plate: list[str]
    fold: list[str]


class Hit(Strict):
    """One hit. ``key`` is the field id or the InChIKey."""

    rank: int
    score: float
    worth: float | None
    key: str
    compound: str | None
    inchikey: str | None
    smiles: str | None
    moa: str | None
    fold: str | None
    plate: str | None = None
    well: str | None = None
    site: int | None = None
    concentration_um: float | None = None
    control: bool = False
    fields: int | None = None


class Asked(Strict):
    """The query of an answer. ``fields`` are field ids that show it."""

    text: str
    compound: str | None
    inchikey: str | None
    smiles: str | None
    fold: str | None
    trained: bool | None
    fields: list[str]


class CandidateSet(Strict):
    """How many hits must be listed so that the match is among them, as a sentence and in numbers."""

    level: float
    first: int
    candidates: int
    coverage: float | None
    low: float | None
    high: float | None
    text: str


class Answered(Strict):
    """An answer."""

    kind: Kind
    direction: str | None
    candidates: int
    search: str
    asked: Asked
    hits: list[Hit]
    sets: list[CandidateSet]
    warnings: list[str]
    notes: list[str]


class Problem(Strict):
    """An error as one sentence, and the part of the question that it is about."""

    detail: str
    about: str
