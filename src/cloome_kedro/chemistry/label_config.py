"""Settings of tables of labels, which need only the standard library."""

import re
from dataclasses import dataclass, field
from typing import ClassVar, Literal


@dataclass(frozen=True)
class LabelColumns:
    """How a table of labels is read.

    Attributes
    ----------
    form
        ``wide``: one column per assay. ``long``: one row per measurement. None: long if the table has a column of
        assays and a column of values, otherwise wide.
    inchikey, compound, smiles
        Names of columns that say which compound it is: by InChIKey (or its first 14 or 25 characters), by compound id
        or name, and by structure. None: usual names are recognised. '': there is no such column.
    assay, value
        Columns of a long table. None: usual names are recognised.
    assays
        Regular expressions for the assay columns of a wide table. Empty: all columns that do not name a compound.
    threshold
        Values are numbers, and a compound is active on one side of this threshold. None: values are labels.
    thresholds
        Thresholds of single assays, in place of ``threshold``.
    active
        ``above``: active at or above the threshold. ``below``: active at or below it.
    both
        What a table means that has both 0 and -1: ``zero_not_measured`` (-1 is inactive) or ``minus_one_not_measured``
        (0 is inactive). None: such a table is refused.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    form: Literal["wide", "long"] | None = None
    inchikey: str | None = None
    compound: str | None = None
    smiles: str | None = None
    assay: str | None = None
    value: str | None = None
    assays: tuple[str, ...] = ()
    threshold: float | None = None
    thresholds: dict[str, float] = field(default_factory=dict)
    active: Literal["above", "below"] = "above"
    both: Literal["zero_not_measured", "minus_one_not_measured"] | None = None

    def __post_init__(self):
        for pattern in self.assays:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"labels.table.assays: {pattern} is no regular expression: {error}") from error
