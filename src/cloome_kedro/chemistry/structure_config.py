"""Settings of sets of structural features, which need only the standard library."""

from dataclasses import dataclass
from typing import ClassVar, Literal

Kind = Literal["morgan", "feature_morgan", "atom_pairs", "topological_torsions", "rdkit", "maccs", "descriptors"]
WITH_RADIUS = ("morgan", "feature_morgan")
WITHOUT_CHIRALITY = ("rdkit", "maccs", "descriptors")
OF_FIXED_SIZE = ("maccs", "descriptors")


@dataclass(frozen=True)
class StructureSet:
    """A set of structural features.

    Attributes
    ----------
    kind
        ``morgan`` (ECFP), ``feature_morgan`` (FCFP, whose atoms are pharmacophoric classes), ``atom_pairs``,
        ``topological_torsions``, ``rdkit`` (paths), ``maccs`` (167 keys), or ``descriptors`` (all physico-chemical
        descriptors of RDKit).
    counts
        Whether a feature is the number of occurrences. Otherwise it is 1 if it occurs. ``maccs`` and ``descriptors``
        have no counts.
    size
        Number of features, into which fingerprints are hashed. ``maccs`` and ``descriptors`` have a fixed size.
    radius
        Radius of the atom environments of Morgan fingerprints, in bonds. None: 2.
    chirality
        Whether stereoisomers differ. ``rdkit``, ``maccs`` and ``descriptors`` do not tell them apart.
    max_path
        Number of bonds of the longest paths of ``rdkit``. None: 7.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid"}

    kind: Kind
    counts: bool = False
    size: int | None = None
    radius: int | None = None
    chirality: bool | None = None
    max_path: int | None = None

    def __post_init__(self):
        if self.counts and self.kind in OF_FIXED_SIZE:
            raise ValueError(f"structure_features: {self.kind} has no counts: leave out `counts`")
        for name, without in (("size", OF_FIXED_SIZE), ("chirality", WITHOUT_CHIRALITY)):
            if getattr(self, name) is not None and self.kind in without:
                raise ValueError(f"structure_features: {self.kind} has no setting {name}: leave it out")
        if self.radius is not None and self.kind not in WITH_RADIUS:
            raise ValueError(f"structure_features: {self.kind} has no setting radius: leave it out")
        if self.max_path is not None and self.kind != "rdkit":
            raise ValueError(f"structure_features: {self.kind} has no setting max_path: leave it out")
        for name in ("size", "radius", "max_path"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"structure_features: {name} must be at least 1, is {value}")
