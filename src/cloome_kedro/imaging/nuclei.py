"""Nuclei: found on the DNA channel by threshold and watershed."""

import numpy as np
import numpy.typing as npt


def segment_nuclei(
    dna: npt.NDArray[np.uint8], diameter: float, minimum_contrast: float = 10.0
) -> npt.NDArray[np.int32]:
    """Find nuclei.

    A pixel of the smoothed image belongs to a nucleus if it is above Li's minimum cross-entropy threshold of the field,
    which keeps dim nuclei beside bright ones, and above the mean around it, which haze in crowded places is not.
    Touching nuclei are parted by a watershed on the distance to the background. Nuclei cut by the edge are kept.

    Parameters
    ----------
    dna
        (H, W) uint8.
    diameter
        Of a usual nucleus, in pixels. What has less than a quarter of its area is left out.
    minimum_contrast
        Grey levels between the means of nuclei and background below which the field counts as empty.

    Returns
    -------
    labels
        (H, W) int32: 0 is background, nuclei are 1 to N.
    """
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_li
    from skimage.segmentation import watershed

    labels = np.zeros(dna.shape, np.int32)
    smooth = ndimage.gaussian_filter(dna.astype(np.float32), min(1, diameter / 15))  # more would widen outlines
    if np.ptp(smooth) < minimum_contrast:  # cannot have it; Li's threshold of a constant image is undefined
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
