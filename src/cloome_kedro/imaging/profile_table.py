"""Settings of tables of profiles, which pydantic fills from the configuration.

This module loads no pandas, since parameters import it before a run.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from cloome_kedro.words import MISSING

#: usual words for a control. Case does not matter, and 1.0 is 1
CONTROL_VALUES: tuple[str, ...] = (
    *("negcon", "DMSO", "control", "negative control", "negative", "neg", "ctrl"),
    *("vehicle", "solvent", "mock", "untreated", "True", "yes", "1"),
)
#: expressions for numbers and positions, which CellProfiler writes beside features, and which spreadsheets add
NEVER_FEATURES: tuple[str, ...] = (
    r"^(Unnamed: \d+|index|Row|Col|Column|Well|Plate|Site|Field|Replicate|Batch)$",
    r"(^|_|Closest)(Image|Table|Object)_?Number",
    r"_(Parent|Children)_",
    r"_Location_",
    r"_AreaShape_(Center|BoundingBoxMinimum|BoundingBoxMaximum)_",
    r"^(concentration|conc|dose)(_|$)",
)


@dataclass(frozen=True)
class ProfileColumns:
    """Names of columns in tables of profiles, as pycytominer writes them, and how to read them.

    Attributes
    ----------
    plate, well, inchikey, moa
        Columns that every table must have.
    control
        Column that marks controls.
    control_values
        Values of this column that mean a control. Case does not matter. A well with another value is treated.
    cells
        Column with the number of cells. None: cells were not counted.
    physical_plate
        Regular expression with one group. The group matches the name of the physical plate in the name of the plate,
        so that a plate that was imaged twice counts as one plate. None: the whole name.
    features
        Regular expressions. A column is a feature if one of them is found in its name. None: the names that pycytominer
        recognises as CellProfiler's, which begin with Cells, Cytoplasm or Nuclei.
    never_features
        Regular expressions for columns that are not features although their names fit, such as numbers of objects and
        positions in the image. Case does not matter.
    blocklist
        Whether pycytominer's list of unreliable features is left out.
    missing
        Words that mean a missing value in the columns that describe a well.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    plate: str = "Metadata_Plate"
    well: str = "Metadata_Well"
    inchikey: str = "Metadata_InChIKey"
    moa: str = "Metadata_moa"
    control: str = "Metadata_control_type"
    control_values: tuple[str | bool | int | float, ...] = CONTROL_VALUES
    cells: str | None = "Metadata_Count_Cells"
    physical_plate: str | None = None
    features: tuple[str, ...] | None = None
    never_features: tuple[str, ...] = NEVER_FEATURES
    blocklist: bool = True
    missing: tuple[str, ...] = MISSING

    #: name of these settings in the configuration, for messages
    group: ClassVar[str] = "profile_moa.columns"

    def __post_init__(self):
        _check_features(self.features, self.never_features)
        if self.physical_plate is not None:
            _check_expression("physical_plate", self.physical_plate)
            if re.compile(self.physical_plate).groups != 1:
                raise ValueError("columns: physical_plate needs exactly one group in brackets, such as ^(.+?)_")

    @property
    def described(self) -> dict[str, str]:
        """Columns that describe a well: name in the tables -> name of the parameter."""
        names = ("plate", "well", "inchikey", "moa", "control", "cells")
        return {getattr(self, name): name for name in names if getattr(self, name) is not None}


@dataclass(frozen=True)
class WellColumns:
    """Names of columns in the tables of a screen without images, and how to read them.

    Attributes
    ----------
    plate, well, site, compound, smiles, inchikey, name, moa, concentration, control, cells
        Columns that describe a well. None: the column is recognised by its usual names, such as Metadata_Plate or
        broad_sample. '': there is no such column. Without a column of plates, a table is one plate with the name of
        the file. Without a column of wells, wells get names in random order. Without a column of sites, a row is a
        well.
    concentration_unit
        Unit of the column of concentrations. None: the unit that its name gives, such as mmoles_per_liter.
    control_values
        Values of the column of controls that mean a control. If there is no such column, values of the columns of
        compounds and of their names. Case does not matter. A well with another value is treated.
    features, never_features, blocklist
        As for `ProfileColumns`, but in AnnData and NumPy arrays all variables are features if ``features`` is None.
    missing
        Words that mean a missing value in the columns that describe a well.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    plate: str | None = None
    well: str | None = None
    site: str | None = None
    compound: str | None = None
    smiles: str | None = None
    inchikey: str | None = None
    name: str | None = None
    moa: str | None = None
    concentration: str | None = None
    control: str | None = None
    cells: str | None = None
    concentration_unit: Literal["nM", "uM", "mM"] | None = None
    control_values: tuple[str | bool | int | float, ...] = CONTROL_VALUES
    features: tuple[str, ...] | None = None
    never_features: tuple[str, ...] = NEVER_FEATURES
    blocklist: bool = True
    missing: tuple[str, ...] = MISSING

    #: name of these settings in the configuration, for messages
    group: ClassVar[str] = "profile_tables.columns"

    def __post_init__(self):
        _check_features(self.features, self.never_features)


#: what a column describes
WELL_KINDS = (
    *("plate", "well", "site", "compound", "smiles", "inchikey", "name", "moa"),
    *("concentration", "control", "cells"),
)


@dataclass(frozen=True)
class ProfileFiles:
    """The tables of a screen without images. Paths are relative to the folder of the screen.

    Attributes
    ----------
    files
        Glob pattern of the tables of profiles: CSV, TSV, parquet, ``.npy`` or AnnData (``.h5ad``).
    compounds
        Table with the structures, names and mechanisms of compounds. None: the tables of profiles have them.
    matrix
        For AnnData: ``X``, ``layers/NAME`` or ``obsm/NAME``.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    files: str
    compounds: str | None = None
    matrix: str = "X"


def _check_features(features: tuple[str, ...] | None, never_features: tuple[str, ...]) -> None:
    for name, expressions in (("features", features), ("never_features", never_features)):
        for expression in expressions or ():
            _check_expression(name, expression)
    if features is not None and not features:
        raise ValueError("columns: features is an empty list; give an expression, or null for CellProfiler's names")


def _check_expression(name: str, expression: str) -> None:
    try:
        re.compile(expression)
    except re.error as error:
        raise ValueError(f"columns: {name}: {expression!r} is not a regular expression: {error}") from error
