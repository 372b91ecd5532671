"""Corrections of batch effects: vectors of fields are mapped so that the control wells of all plates look alike.

A correction is a frozen dataclass. Its fields are its settings, ``label`` is its name in tables, and its method ``fit``
reads vectors of control wells only, never of treated ones. :data:`CORRECTIONS` lists the corrections by name. To add
one, register it by ``CORRECTIONS.register`` in your own module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from cloome_kedro.evaluation.whitening import shrinkage, spectrum, whitening
from cloome_kedro.registry import Registry

_STRICT = {"extra": "forbid", "allow_inf_nan": False}
#: factor that makes the median absolute deviation of normal values their standard deviation, as in pycytominer
_MAD = 1.4826


class Map(NamedTuple):
    """The affine map ``(x - centre) @ matrix``. A matrix with one axis is a diagonal: (d,) in place of (d, d)."""

    centre: np.ndarray
    matrix: np.ndarray

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Map vectors (N, d) to (N, k), float64."""
        centred = np.asarray(vectors, float) - self.centre
        return centred * self.matrix if self.matrix.ndim == 1 else centred @ self.matrix


@dataclass(frozen=True)
class Fitted:
    """A correction that is fitted to controls.

    Attributes
    ----------
    by_plate
        Map of each plate with enough controls.
    elsewhere
        Map of all other plates. It is fitted to the controls of all plates together.
    compounds
        Map of vectors of compounds that are scored against corrected fields. None: the correction has no counterpart
        for compounds, because it maps the fields of each plate in another way and no plate is that of a compound.
    """

    by_plate: Mapping[Any, Map]
    elsewhere: Map
    compounds: Map | None = None

    def fields(self, vectors: np.ndarray, plates: ArrayLike) -> np.ndarray:
        """Correct vectors of fields.

        Parameters
        ----------
        vectors
            (N, d).
        plates
            (N,) plate of each field.

        Returns
        -------
        numpy.ndarray
            (N, k) float64.
        """
        plates = np.asarray(plates, object)
        corrected = self.elsewhere(vectors)
        for plate in dict.fromkeys(plates.tolist()):
            if (mapped := self.by_plate.get(plate)) is not None:
                rows = plates == plate
                corrected[rows] = mapped(vectors[rows])
        return corrected


class Correction(Protocol):
    """A correction and its settings."""

    label: ClassVar[str]

    def fit(self, controls: "Controls") -> Fitted:
        """Fit the correction to the vectors of control wells."""
        ...


class Controls:
    """Vectors of control wells, by plate.

    Parameters
    ----------
    vectors
        (N, d), finite.
    plates
        (N,) plate of each row.
    minimum
        Controls that a plate needs for a map of its own.

    Attributes
    ----------
    vectors
        (N, d) float64. If some plates have enough controls, only their controls. Otherwise all, and :attr:`by_plate` is
        empty.
    by_plate
        Plate with enough controls -> its rows of ``vectors``.

    Raises
    ------
    ValueError
        If there are fewer than ``minimum`` controls in all, or fewer than two.
    """

    def __init__(self, vectors: np.ndarray, plates: ArrayLike, minimum: int):
        plates = np.asarray(plates, object)
        if len(vectors) < max(minimum, 2):
            raise ValueError(
                f"{len(vectors)} control wells have vectors, but a correction needs at least {max(minimum, 2)} "
                "(params:corrections.minimum_controls)"
            )
        _, codes, counts = np.unique(plates.astype(str), return_inverse=True, return_counts=True)
        enough = counts >= max(minimum, 2)
        used = enough[codes] if enough.any() else np.ones(len(plates), bool)
        self.vectors = np.asarray(vectors, float)[used]
        self.by_plate = {
            plates[np.argmax(codes == number)]: np.flatnonzero(codes[used] == number)
            for number in np.flatnonzero(enough)
        }

    def means(self) -> dict[Any, np.ndarray]:
        """Mean vector of the controls of each plate that has enough."""
        return {plate: self.vectors[rows].mean(axis=0) for plate, rows in self.by_plate.items()}

    def centred(self) -> np.ndarray:
        """Vectors minus the mean of their plate; minus the mean of all if no plate has enough controls."""
        if not self.by_plate:
            return self.vectors - self.vectors.mean(axis=0)
        centred = np.empty_like(self.vectors)
        for rows in self.by_plate.values():
            centred[rows] = self.vectors[rows] - self.vectors[rows].mean(axis=0)
        return centred


@dataclass(frozen=True)
class RobustZ:
    """Robust z-score of each feature, per plate.

    A value becomes its distance from the median of the plate's controls, in units of their median absolute deviation
    times 1.4826, as by ``RobustMAD`` of pycytominer (``mad_robustize``). A feature without spread among the controls of
    a plate is 0 on this plate.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT
    label: ClassVar[str] = "robust z"

    def fit(self, controls: Controls) -> Fitted:
        """Fit one map per plate. Compounds have no counterpart."""
        by_plate = {plate: _robust_map(controls.vectors[rows]) for plate, rows in controls.by_plate.items()}
        return Fitted(by_plate, _robust_map(controls.vectors))


def _robust_map(vectors: np.ndarray) -> Map:
    median = np.median(vectors, axis=0)
    mad = _MAD * np.median(np.abs(vectors - median), axis=0)
    # Rounding must not turn a constant feature into one with a tiny spread.
    spread = mad > 1e-12 * np.maximum(1, np.abs(median))
    return Map(median, np.where(spread, 1 / np.where(spread, mad, 1), 0.0))


@dataclass(frozen=True)
class Sphering:
    """Sphering: one whitening of all plates, after each plate is centred on its controls.

    The controls of all plates together then have mean 0 and covariance 1, see
    :func:`~cloome_kedro.evaluation.whitening.whitening`. Vectors of compounds go through the same whitening. They are
    centred on the controls of all plates.

    Attributes
    ----------
    method
        ZCA keeps the axes of the vectors; PCA turns them to principal components. Cosines are the same for both.
    regularisation
        Share from 0 (none) to 1 (no whitening, only centring). None: the formula of Ledoit and Wolf, which depends on
        the number of controls and of features.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT
    label: ClassVar[str] = "sphered"

    method: Literal["ZCA", "PCA"] = "ZCA"
    regularisation: float | None = None

    def __post_init__(self) -> None:
        _check_share("sphering", self.regularisation)

    def fit(self, controls: Controls) -> Fitted:
        """Fit one whitening, and one centre per plate."""
        centred = controls.centred()
        share = shrinkage(centred) if self.regularisation is None else self.regularisation
        matrix = whitening(centred, self.method, share)
        together = Map(controls.vectors.mean(axis=0), matrix)
        by_plate = {plate: Map(mean, matrix) for plate, mean in controls.means().items()}
        return Fitted(by_plate, together, compounds=together)


@dataclass(frozen=True)
class TVN:
    """Typical variation normalisation (Ando, McLean and Berndl, bioRxiv 161422, 2017).

    1. The principal components of all controls are found, and all vectors are projected on them and divided by the
       standard deviations of the controls. Components in which the controls do not vary are dropped.
    2. CORAL (Sun, Feng and Saenko, AAAI 2016) aligns each plate: its vectors are centred on its controls, and
       multiplied by ``(C + η 1)^(-1/2) (1 + η)^(1/2)``, where C is the covariance of its controls. The covariance of
       all controls, to which plates are aligned, is 1 after the first step.

    The batches of the publication are plates here.

    Attributes
    ----------
    coral
        η, the regularisation of the covariances. It is 1 in the publication of CORAL.
    """

    __pydantic_config__: ClassVar[dict] = _STRICT
    label: ClassVar[str] = "TVN"

    coral: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.coral < np.inf:
            raise ValueError(f"tvn: coral must be a number above 0, is {self.coral}")

    def fit(self, controls: Controls) -> Fitted:
        """Fit one map per plate. Compounds have no counterpart."""
        mean = controls.vectors.mean(axis=0)
        values, axes = spectrum(controls.vectors - mean)
        matrix = axes[:, values > 0] / np.sqrt(values[values > 0])
        by_plate = {}
        for plate, rows in controls.by_plate.items():
            centre = controls.vectors[rows].mean(axis=0)
            covariance = np.atleast_2d(np.cov((controls.vectors[rows] - centre) @ matrix, rowvar=False))
            by_plate[plate] = Map(centre, matrix @ _inverse_root(covariance, self.coral) * np.sqrt(1 + self.coral))
        return Fitted(by_plate, Map(mean, matrix))


def _inverse_root(covariance: np.ndarray, added: float) -> np.ndarray:
    """``(covariance + added 1)^(-1/2)``, symmetric: (d, d)."""
    values, axes = np.linalg.eigh(covariance)
    return (axes / np.sqrt(np.maximum(values, 0) + added)) @ axes.T


def _check_share(name: str, value: float | None) -> None:
    if value is not None and not 0 <= value <= 1:
        raise ValueError(f"{name}: regularisation must be from 0 to 1, or null for the formula, is {value}")


CORRECTIONS: Registry[Any] = Registry("correction")
CORRECTIONS.add("robust_z", RobustZ)
CORRECTIONS.add("sphering", Sphering)
CORRECTIONS.add("tvn", TVN)
