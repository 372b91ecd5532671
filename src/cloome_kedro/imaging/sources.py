"""Settings of the sources of a screen: plain dataclasses, which pydantic fills from the configuration.

This module needs only the standard library, like `cloome_kedro.imaging.config`.
"""

import re
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

_STRICT = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True)
class Platemap:
    """How the wells of a source are joined to compounds. Paths are relative to the screen's folder.

    Attributes
    ----------
    platemaps
        One table, or a pattern with ``{platemap}``, such as ``platemaps/{platemap}.tsv``. A table with a column of
        plates is joined by plate and well. A table without one is the same for all plates.
    barcodes
        Table with the platemap of each plate. It is needed if ``platemaps`` is a pattern.
    compounds
        Table of compounds. None: the platemap has the structures.
    id_column
        Column of ids in ``compounds``. None: it has the name ``compound_column``, as in the platemaps.
    id_pattern
        Regular expression of the part of an id that names the compound, such as ``BRD-.[0-9]{8}`` for ids that end with
        the number of a sample. It is applied to platemaps and ``compounds``. None: the whole id.
    plate_column
        Column of plates in a table for all plates. None: it is recognised by the usual names, such as Metadata_Plate,
        Plate or barcode. '': there is none.
    well_column, compound_column, concentration_column, smiles_column, name_column, moa_column
        Names of columns. None: there is no such column.
    barcode_column, platemap_column
        Columns of ``barcodes`` with the plate and the name of its platemap.
    concentration_unit
        Unit of the concentration column. None: the unit that the name of the column gives, such as mmoles_per_liter.
    controls
        Compound ids or names that mark a control well. '' stands for an empty cell. Words for a missing value, such as
        NA, mark a control only if they are listed here.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    platemaps: str
    barcodes: str | None = None
    compounds: str | None = None
    id_column: str | None = None
    id_pattern: str | None = None
    plate_column: str | None = None
    well_column: str = "well_position"
    compound_column: str = "broad_sample"
    concentration_column: str | None = None
    concentration_unit: Literal["nM", "uM", "mM"] | None = None
    smiles_column: str = "smiles"
    name_column: str | None = "pert_iname"
    moa_column: str | None = None
    barcode_column: str = "Assay_Plate_Barcode"
    platemap_column: str = "Plate_Map_Name"
    controls: tuple[str, ...] = ("DMSO", "")

    def __post_init__(self):
        if self.id_pattern is not None:
            try:
                re.compile(self.id_pattern)
            except re.error as error:
                raise ValueError(
                    f"platemap: id_pattern {self.id_pattern!r} is not a regular expression: {error}"
                ) from error


@dataclass(frozen=True)
class PlateTable:
    """A table of plates, such as ``plate.csv.gz`` of JUMP, which chooses plates by their properties.

    Attributes
    ----------
    table
        The table, relative to the screen's folder.
    where
        ``{column: values}``: the rows that are used. None: all rows.
    first
        Number of plates that are used, the first ones in the table. None: all of them.
    plate_column
        Column of plates. None: it is recognised by the usual names, such as Metadata_Plate.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    table: str
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    first: int | None = None
    plate_column: str | None = None

    def __post_init__(self):
        if self.first is not None and self.first < 1:
            raise ValueError(f"plate_table: first must be at least 1, is {self.first}")


#: what a column of a LoadData table gives
Place = Literal["plate", "well", "site", "row", "column"]


#: named groups of the layout ``pattern``; ``plane`` is another name of ``z``
Group = Literal["plate", "well", "row", "column", "site", "channel", "z", "plane", "time"]


@dataclass(frozen=True)
class Source:
    """One folder of images with one layout.

    Attributes
    ----------
    name
        Name of the source in messages and in the index.
    layout
        Name of a layout, such as load_data_csv or opera_phenix, see :mod:`cloome_kedro.imaging.layouts`.
    platemap
        Which compounds are in the wells.
    folder
        Folder of the images, relative to the screen's folder.
    files
        Glob pattern of the files to read. None: the default pattern of the layout. ``{plate}`` stands for each of
        ``plates``, and ``{column}`` for the cell of a row of ``plate_table``. Then only the folders of these plates are
        listed, which matters on a server.
    plates
        Names or glob patterns of the plates to read. Empty: all plates.
    plate_table
        Table that chooses plates. None: all plates.
    pattern
        Regular expression of the paths of the layout ``pattern``, see :mod:`cloome_kedro.imaging.layouts.pattern`; also
        of the files and scenes of the layout ``bioio``.
    channels
        ``{name in the files: canonical name or alias}``. It takes precedence over the built-in aliases.
    bit_depth
        Bit depth of the images. Images of 12 bits are stored in files of 16 bits.
    plate
        Name of the plate, if the files do not give it.
    columns
        Columns of a LoadData table with the plate, well and site, such as ``{site: Field}``; in place of the well, the
        row and column of the plate. Usual names are recognised without it.
    z
        Number of the plane of a z stack, as in the files; ``max`` is the maximum over all planes, pixel by pixel. None:
        there is only one plane.
    time
        Number of the time point, as in the files. None: there is only one.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    name: str
    layout: str
    platemap: Platemap
    folder: str = "."
    files: str | None = None
    plates: tuple[str, ...] = ()
    plate_table: PlateTable | None = None
    pattern: str | None = None
    channels: dict[str, str] = field(default_factory=dict)
    bit_depth: Literal[8, 12, 16] = 16
    plate: str | None = None
    columns: dict[Place, str] = field(default_factory=dict)
    z: int | Literal["max"] | None = None
    time: int | None = None

    def __post_init__(self):
        if self.layout == "pattern":
            self._check_pattern()

    def _check_pattern(self) -> None:
        where = f"source {self.name}: "
        if not self.pattern:
            raise ValueError(
                f"{where}the layout pattern needs `pattern`, a regular expression with named groups, such as "
                "'(?P<plate>[^/]+)/(?P<well>[A-P][0-9]+)_(?P<site>[0-9]+)_(?P<channel>[A-Za-z0-9]+)\\.tif'"
            )
        try:
            groups = set(re.compile(self.pattern).groupindex)
        except re.error as error:
            raise ValueError(f"{where}pattern {self.pattern!r} is not a regular expression: {error}") from error
        if unknown := sorted(groups - set(get_args(Group))):
            raise ValueError(
                f"{where}pattern has the named group {', '.join(unknown)}, which is not known; the groups are "
                f"{', '.join(get_args(Group))}"
            )
        has_well = "well" in groups or {"row", "column"} <= groups
        missing = [
            name
            for name, is_there in (
                ("plate", "plate" in groups or self.plate),
                ("well (or row and column)", has_well),
                ("channel", "channel" in groups),
            )
            if not is_there
        ]
        if missing:
            otherwise = ", or set `plate` of this source" if missing[0] == "plate" else ""
            raise ValueError(
                f"{where}pattern {self.pattern!r} has no named group {', '.join(missing)}; write it like "
                f"(?P<{missing[0].split()[0]}>...){otherwise}"
            )
