"""How far apart the two modalities lie in the shared space: cosines of pairs, and the gap between the centroids."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ModalityGap:
    """Cosines of pairs, and the distance of the centroids.

    Attributes
    ----------
    matched
        (N,) float64: cosine of each image and its own structure.
    unmatched
        (N,) float64: cosine of each image and one other structure.
    distance
        Euclidean distance between the mean image and the mean structure, both over unit vectors: from 0 to 2.
        Called the modality gap by Liang et al., NeurIPS 2022 (Mind the Gap), section 4.1.
    """

    matched: np.ndarray
    unmatched: np.ndarray
    distance: float

    @property
    def separation(self) -> float:
        """Share of (matched, unmatched) pairs of cosines in which the matched one is higher; 0.5 is none.

        The Mann-Whitney statistic, ties counted half.
        """
        ordered = np.sort(self.unmatched)
        below = np.searchsorted(ordered, self.matched, "left") + np.searchsorted(ordered, self.matched, "right")
        return float(below.mean() / (2 * len(ordered)))


def modality_gap(images: np.ndarray, structures: np.ndarray, match: np.ndarray, seed: int = 0) -> ModalityGap:
    """Cosines of matched and of unmatched pairs, and the distance between the centroids.

    Parameters
    ----------
    images : (N, d), rows L2-normalised
    structures : (M, d), rows L2-normalised, one a compound
    match : (N,) int
        Row of ``structures`` that each image shows.
    seed : of the other structure that is drawn for each image, uniformly

    Raises
    ------
    ValueError
        If there are fewer than two structures, or no image.
    """
    if len(structures) < 2 or not len(images):
        raise ValueError(
            f"a modality gap needs an image and two structures; got {len(images)} images, {len(structures)} structures"
        )
    images, structures = images.astype(np.float64), structures.astype(np.float64)
    other = (match + np.random.default_rng(seed).integers(1, len(structures), len(images))) % len(structures)
    return ModalityGap(
        matched=np.einsum("nd,nd->n", images, structures[match]),
        unmatched=np.einsum("nd,nd->n", images, structures[other]),
        distance=float(np.linalg.norm(images.mean(0) - structures.mean(0))),
    )
