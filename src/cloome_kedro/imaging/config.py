"""Settings of ingestion and profiles, as plain dataclasses that pydantic reads from the configuration.

``__pydantic_config__`` makes pydantic refuse unknown keys; this module needs the standard library only.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class Intensity:
    """From 12 or 16 bits to 8, see :mod:`cloome_kedro.imaging.intensity`.

    Attributes
    ----------
    outlier_percent
        Share of the brightest pixels that are clipped, in percent.
    scale
        What the threshold becomes, before values are cut at 255.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    outlier_percent: float
    scale: Literal[255, 256]

    def __post_init__(self):
        if not 0 <= self.outlier_percent < 100:
            raise ValueError(f"intensity: outlier_percent must be from 0 to below 100, is {self.outlier_percent}")


IntensityName = Literal["published_training", "published_inference"]

#: what published training did, and what the published example of inference does instead
INTENSITIES: dict[str, Intensity] = {
    "published_training": Intensity(0.0028, 256),
    "published_inference": Intensity(0.01, 255),
}


@dataclass(frozen=True)
class Storage:
    """How raw images become stored fields.

    Intensities are scaled first, over the whole image. The image is then cropped and resized. So thresholds are those
    of the published data whatever is stored, and averaging keeps the few clipped pixels from deciding over a small
    image.

    Attributes
    ----------
    intensity
        A preset's name, or ``outlier_percent`` and ``scale``.
    scope
        Whether a threshold is that of one field or of all fields of a plate.
    crop
        Side of the central square in pixels; None keeps the whole image.
    size
        Stored (height, width) in pixels, reached by averaging areas; None keeps the size.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    intensity: Intensity | IntensityName = "published_training"  # type: ignore[assignment]
    scope: Literal["field", "plate"] = "field"
    crop: int | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self):
        if isinstance(self.intensity, str):
            if self.intensity not in INTENSITIES:
                raise ValueError(f"intensity: there is no preset {self.intensity}, only {', '.join(INTENSITIES)}")
            object.__setattr__(self, "intensity", INTENSITIES[self.intensity])
        for name, sides in (("crop", (self.crop,)), ("size", self.size or ())):
            if any(side is not None and side < 1 for side in sides):
                raise ValueError(f"storage: {name} must be at least 1 pixel, is {getattr(self, name)}")

    @property
    def numbers(self) -> Intensity:
        """The intensity as numbers."""
        assert isinstance(self.intensity, Intensity)
        return self.intensity

    def stored_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Height and width of a stored field, from those of its images.

        Raises
        ------
        ValueError
            If the images are smaller than crop or size: nothing is enlarged.
        """
        after_crop = (self.crop, self.crop) if self.crop else shape
        after_resize = self.size or after_crop
        for name, small, large in (("crop", after_crop, shape), ("size", after_resize, after_crop)):
            if small[0] > large[0] or small[1] > large[1]:
                raise ValueError(f"{name} {small} in params:ingestion.storage is larger than the images, {large}")
        return after_resize


@dataclass(frozen=True)
class Platemap:
    """How the wells of a source are joined to compounds. Files are relative to the screen's folder.

    Attributes
    ----------
    platemaps
        One table for all plates, or a pattern with ``{platemap}``, such as ``platemaps/{platemap}.tsv``.
    barcodes
        Table of plates and their platemaps, with the columns Assay_Plate_Barcode and Plate_Map_Name; needed where
        ``platemaps`` is a pattern.
    compounds
        Table of compounds; None: structures are in the platemap.
    well_column, compound_column, concentration_column, smiles_column, name_column, moa_column
        Names of columns; None: there is no such column.
    concentration_unit
        None: what the column's name says, such as mmoles_per_liter.
    controls
        Compound ids or names that mark a control well; '' is an empty cell.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    platemaps: str
    barcodes: str | None = None
    compounds: str | None = None
    well_column: str = "well_position"
    compound_column: str = "broad_sample"
    concentration_column: str | None = None
    concentration_unit: Literal["nM", "uM", "mM"] | None = None
    smiles_column: str = "smiles"
    name_column: str | None = "pert_iname"
    moa_column: str | None = None
    controls: tuple[str, ...] = ("DMSO", "")


@dataclass(frozen=True)
class Source:
    """One folder of images with one layout.

    Attributes
    ----------
    name
        Named in messages and in the index.
    layout
        Name of a reader, such as load_data_csv or opera_phenix; see :mod:`cloome_kedro.imaging.layouts`.
    platemap
        What is in the wells.
    folder
        Relative to the screen's folder.
    files
        Glob pattern of the files that the reader looks at; None: the reader's own.
    channels
        Channel as the files name it -> canonical name or alias; it comes before the alias table.
    bit_depth
        Of the images. 12 bits come in files of 16.
    plate
        Name of the plate where the files do not say it.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    name: str
    layout: str
    platemap: Platemap
    folder: str = "."
    files: str | None = None
    channels: dict[str, str] = field(default_factory=dict)
    bit_depth: Literal[8, 12, 16] = 16
    plate: str | None = None


#: cp-measure's functions: of an object's outline alone (that of the whole field says nothing), ...
SHAPE_FAMILIES = ("sizeshape", "zernike", "feret")
#: ... of one channel, ...
CHANNEL_FAMILIES = ("intensity", "texture", "granularity", "radial_distribution", "radial_zernikes")
#: ... and of two channels
PAIR_FAMILIES = ("pearson", "costes", "manders_fold", "rwc")
Family = Literal[
    "sizeshape", "zernike", "feret",
    "intensity", "texture", "granularity", "radial_distribution", "radial_zernikes",
    "pearson", "costes", "manders_fold", "rwc",
]  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    """What is measured in a field.

    Attributes
    ----------
    families
        Names of cp-measure's functions.
    compartments
        ``nuclei``: the median over the nuclei, and their number. ``field``: the whole image as one object.
    nucleus_diameter
        Of a usual nucleus, in pixels of the stored fields.
    minimum_contrast
        Grey levels between nuclei and background; a field with less has no nuclei.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    families: tuple[Family, ...] = ("intensity", "sizeshape", "pearson")
    compartments: tuple[Literal["nuclei", "field"], ...] = ("nuclei", "field")
    nucleus_diameter: float = 9.0
    minimum_contrast: float = 10.0

    def __post_init__(self):
        known = get_args(Family)
        if not self.families or set(self.families) - set(known):
            raise ValueError(f"profiles: families must be of {', '.join(known)}, is {list(self.families)}")
        if not self.compartments:
            raise ValueError("profiles: compartments must name nuclei, field or both")
        if self.nucleus_diameter < 3:
            raise ValueError(f"profiles: nucleus_diameter must be at least 3 pixels, is {self.nucleus_diameter}")
        if self.minimum_contrast < 0:
            raise ValueError(f"profiles: minimum_contrast must be at least 0, is {self.minimum_contrast}")
        if "nuclei" not in self.compartments and not set(self.families) - set(SHAPE_FAMILIES):
            raise ValueError(
                f"profiles: {', '.join(self.families)} measure outlines of nuclei; add nuclei to profiles.compartments"
            )


@dataclass(frozen=True)
class Normalisation:
    """How raw features become profiles.

    Attributes
    ----------
    method
        pycytominer's ``mad_robustize`` (median and MAD) or ``standardize`` (mean and standard deviation), against the
        control wells of each plate. None: the values are normalised already.
    minimum_controls
        A plate with fewer controls is normalised against all its rows.
    clip
        Largest absolute value after normalisation.
    na_cutoff
        Share of missing values above which a feature is dropped.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    method: Literal["mad_robustize", "standardize"] | None = "mad_robustize"
    minimum_controls: int = 8
    clip: float = 20.0
    na_cutoff: float = 0.05

    def __post_init__(self):
        if self.minimum_controls < 1:
            raise ValueError(f"normalisation: minimum_controls must be at least 1, is {self.minimum_controls}")
        if self.clip <= 0:
            raise ValueError(f"normalisation: clip must be above 0, is {self.clip}")
        if not 0 <= self.na_cutoff <= 1:
            raise ValueError(f"normalisation: na_cutoff must be from 0 to 1, is {self.na_cutoff}")


Operation = Literal["drop_na_columns", "variance_threshold", "frequency_threshold", "correlation_threshold"]


@dataclass(frozen=True)
class Selection:
    """Which features are kept.

    Attributes
    ----------
    operations
        Operations of pycytominer's ``feature_select``, one after the other.
    correlation_threshold
        Of two features that correlate above it, one is dropped.
    fields
        Fields that features are selected on, at most.
    seed
        Of the fields that are drawn where there are more; it is not the run's seed.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    operations: tuple[Operation, ...] = ("drop_na_columns", "variance_threshold", "correlation_threshold")
    correlation_threshold: float = 0.9
    fields: int = 20_000
    seed: int = 0

    def __post_init__(self):
        if not 0 <= self.correlation_threshold <= 1:
            raise ValueError(f"selection: correlation_threshold must be from 0 to 1, is {self.correlation_threshold}")
        if self.fields < 1:
            raise ValueError(f"selection: fields must be at least 1, is {self.fields}")


@dataclass(frozen=True)
class ProfileColumns:
    """Columns of tables of profiles as pycytominer writes them.

    Attributes
    ----------
    plate, well, inchikey, moa
        Columns of every table.
    control
        A well is a control where this column is not empty.
    cells
        Number of cells; None: cells were not counted.
    physical_plate
        Regular expression whose first group, found in a plate's name, is the name of the physical plate: a plate that
        was imaged twice is one plate. None: the whole name.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT

    plate: str = "Metadata_Plate"
    well: str = "Metadata_Well"
    inchikey: str = "Metadata_InChIKey"
    moa: str = "Metadata_moa"
    control: str = "Metadata_control_type"
    cells: str | None = "Metadata_Count_Cells"
    physical_plate: str | None = None

    def __post_init__(self):
        import re

        if self.physical_plate is not None and re.compile(self.physical_plate).groups != 1:
            raise ValueError("columns: physical_plate needs one group in brackets, such as ^(.+?)_")
