"""Segmentation of nuclei in the DNA channel by threshold and watershed."""

import numpy as np
import numpy.typing as npt


def segment_nuclei(
    dna: npt.NDArray[np.uint8], diameter: float, minimum_contrast: float = 10.0
) -> npt.NDArray[np.int32]:
    """Segment nuclei.

    A pixel of the smoothed image belongs to a nucleus if it is brighter than two thresholds. The first is Li's minimum
    cross-entropy threshold of the field, which keeps dim nuclei beside bright ones. The second is the local mean, which
    removes haze in crowded areas. A watershed on the distance to the background separates touching nuclei. Nuclei that
    the edge of the image cuts are kept.

    Parameters
    ----------
    dna
        (H, W) uint8.
    diameter
        Diameter of a typical nucleus in pixels. Objects with less than a quarter of its area are removed.
    minimum_contrast
        Difference in grey levels between the means of nuclei and background. A field with a smaller difference has no
        nuclei.

    Returns
    -------
    labels
        (H, W) int32. 0 is background, 1 to N are nuclei.
    """
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_li
    from skimage.segmentation import watershed

    labels = np.zeros(dna.shape, np.int32)
    smooth = ndimage.gaussian_filter(dna.astype(np.float32), min(1, diameter / 15))  # a wider filter widens outlines
    # Such a field cannot have enough contrast. Li's threshold of a constant image would be undefined.
    if np.ptp(smooth) < minimum_contrast:
        return labels
    inside = (smooth > threshold_li(smooth)) & (smooth > ndimage.gaussian_filter(smooth, diameter))
    if not inside.any() or smooth[inside].mean() - smooth[~inside].mean() < minimum_contrast:
        return labels
    inside = ndimage.binary_fill_holes(inside)
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside), diameter / 20)
    centres = peak_local_max(
        depth, min_distance=max(1, round(diameter / 3)), labels=inside.astype(np.int32), exclude_border=False
    )
    labels[tuple(centres.T)] = np.arange(1, len(centres) + 1)
    labels = watershed(-depth, labels, mask=inside)
    keep = np.bincount(labels.ravel()) >= np.pi * diameter**2 / 16
    keep[0] = False
    return (np.cumsum(keep) * keep).astype(np.int32)[labels]
