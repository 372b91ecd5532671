"""Distance between images and compounds in the embedding space: cosines of pairs, and the gap between centroids."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ModalityGap:
    """Cosines of pairs, and the distance of the centroids.

    Attributes
    ----------
    matched
        (N,) float64: cosine of each image and the compound that it shows.
    unmatched
        (N,) float64: cosine of each image and one other compound.
    distance
        Euclidean distance between the mean image vector and the mean compound vector, both of unit vectors: from 0 to
        2. It is the modality gap of Liang et al. (NeurIPS 2022, Mind the Gap, section 4.1).
    """

    matched: np.ndarray
    unmatched: np.ndarray
    distance: float

    @property
    def separation(self) -> float:
        """Share of (matched, unmatched) pairs of cosines in which the matched one is higher. 0.5: no separation.

        This is the Mann-Whitney statistic divided by the number of pairs. A tie counts half.
        """
        ordered = np.sort(self.unmatched)
        below = np.searchsorted(ordered, self.matched, "left") + np.searchsorted(ordered, self.matched, "right")
        return float(below.mean() / (2 * len(ordered)))


def modality_gap(images: np.ndarray, compounds: np.ndarray, match: np.ndarray, seed: int = 0) -> ModalityGap:
    """Cosines of matched and of unmatched pairs, and the distance between the centroids.

    Parameters
    ----------
    images
        (N, d) L2-normalised vectors.
    compounds
        (M, d) L2-normalised vectors.
    match
        (N,) int: row of ``compounds`` that each image shows.
    seed
        Seed for the other compound that is drawn for each image. All are equally likely.

    Raises
    ------
    ValueError
        If there are fewer than two compounds, or no image.

    Examples
    --------
    >>> gap = modality_gap(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.8, 0.6], [0.0, 1.0]]), np.array([0, 1]))
    >>> gap.matched, gap.unmatched, gap.separation
    (array([0.8, 1. ]), array([0. , 0.6]), 1.0)
    """
    if len(compounds) < 2 or not len(images):
        raise ValueError(
            f"a modality gap needs an image and two compounds; got {len(images)} images, {len(compounds)} compounds"
        )
    images, compounds = images.astype(np.float64), compounds.astype(np.float64)
    other = (match + np.random.default_rng(seed).integers(1, len(compounds), len(images))) % len(compounds)
    return ModalityGap(
        matched=np.einsum("nd,nd->n", images, compounds[match]),
        unmatched=np.einsum("nd,nd->n", images, compounds[other]),
        distance=float(np.linalg.norm(images.mean(0) - compounds.mean(0))),
    )
