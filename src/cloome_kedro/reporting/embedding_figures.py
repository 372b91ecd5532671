"""Figures of the embedding space: a map of images, and the gap between images and compounds."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.decomposition import PCA

from cloome_kedro.reporting.style import Look, one_line, styled

OTHERS = "others"
_GREY = "0.82"


def keep_most_common(labels: pd.Series, number: int = 8) -> pd.Series:
    """Replace all but the most common labels, and missing ones, by ``others``.

    Parameters
    ----------
    labels
        One label per field.
    number
        How many labels to keep. Of equally common labels, the first ones by name are kept.

    Examples
    --------
    >>> keep_most_common(pd.Series(["a", "b", "b", None]), number=1).tolist()
    ['others', 'b', 'b', 'others']
    """
    kept = labels.value_counts().sort_index().sort_values(ascending=False, kind="stable").index[:number]
    return labels.where(labels.isin(kept), OTHERS)


@styled
def embedding_map(
    vectors: np.ndarray,
    mechanisms: pd.Series,
    plates: pd.Series,
    look: Look,
    *,
    max_points: int = 5000,
    seed: int = 0,
) -> Figure:
    """Draw the first two principal components of field embeddings, coloured by mechanism of action and by plate.

    The label of each axis gives the share of the variance that its component explains.

    Parameters
    ----------
    vectors
        Embeddings of fields, (N, d).
    mechanisms, plates
        N labels each, in the order of ``vectors``. A mechanism may be missing.
    look
        Title and note.
    max_points
        Maximum number of fields that are drawn. The components are computed from all fields.
    seed
        Seed of the choice of these fields.

    Raises
    ------
    ValueError
        If there are fewer than three fields.
    """
    if len(vectors) < 3:
        raise ValueError(f"a map of embeddings needs at least three fields; got {len(vectors)}")
    pca = PCA(2, svd_solver="covariance_eigh").fit(vectors)
    drawn = np.sort(np.random.default_rng(seed).choice(len(vectors), min(max_points, len(vectors)), replace=False))
    points = pca.transform(vectors[drawn])
    figure = Figure(figsize=(12, 5.4), layout="constrained")
    panels = {"mechanism of action": mechanisms, "plate": plates}
    for axis, (kind, labels) in zip(figure.subplots(1, 2, sharex=True, sharey=True), panels.items(), strict=True):
        _scatter(axis, points, keep_most_common(labels.reset_index(drop=True)).iloc[drawn])
        axis.set_title(f"coloured by {kind}", fontsize=10)
        axis.set(
            xlabel=f"PC 1 ({100 * pca.explained_variance_ratio_[0]:.1f} % of variance)",
            ylabel=f"PC 2 ({100 * pca.explained_variance_ratio_[1]:.1f} %)",
        )
    return look.add_title(figure)


def _scatter(axis: Axes, points: np.ndarray, labels: pd.Series) -> None:
    names = [name for name in labels.value_counts().index if name != OTHERS]
    palette: dict[Any, Any] = dict(zip(names, sns.color_palette("colorblind", max(len(names), 1)), strict=False))
    style = {"s": 14, "linewidth": 0, "rasterized": True, "legend": False, "ax": axis}
    grey = (labels == OTHERS).to_numpy()
    if grey.any():
        sns.scatterplot(x=points[grey, 0], y=points[grey, 1], color=_GREY, **style)
    if not grey.all():
        x, y, hue = points[~grey, 0], points[~grey, 1], labels[~grey].to_numpy()
        sns.scatterplot(x=x, y=y, hue=hue, hue_order=names, palette=palette, alpha=0.85, **style)
    colours = {OTHERS: _GREY} if grey.any() else {}
    # The labels are given to the legend, since matplotlib leaves out an artist whose label begins with _.
    dots = [Line2D([], [], color=colour, marker="o", linestyle="none") for colour in (colours | palette).values()]
    axis.legend(
        dots, [one_line(name, 34) for name in colours | palette], loc="upper center", bbox_to_anchor=(0.5, -0.13),
        ncols=3, fontsize=8.5, markerscale=1.1, frameon=False, title=None,
    )  # fmt: skip


@styled
def modality_gap_figure(
    gap: Any, images: np.ndarray, compounds: np.ndarray, look: Look, *, max_points: int = 5000
) -> Figure:
    """Draw cosines of matched and unmatched pairs, and both modalities with their centroids in one plane.

    Parameters
    ----------
    gap
        :class:`~cloome_kedro.evaluation.modality_gap.ModalityGap` of these images and compounds.
    images, compounds
        Embeddings, (N, d) and (M, d), rows L2-normalised.
    look
        Title and note.
    max_points
        Maximum number of images that are drawn. They are spaced evenly in the table.
    """
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    blue, orange = sns.color_palette("colorblind")[:2]
    bins = np.linspace(min(gap.matched.min(), gap.unmatched.min()), max(gap.matched.max(), gap.unmatched.max()), 60)
    for cosines, label, colour in (
        (gap.unmatched, "image and another compound", "0.6"),
        (gap.matched, "image and its compound", blue),
    ):
        sns.histplot(x=cosines, bins=bins, stat="density", element="step", color=colour, alpha=0.45, ax=left)
        left.axvline(cosines.mean(), color=colour, linestyle="--", linewidth=1.5)
        left.plot([], [], color=colour, linewidth=6, alpha=0.6, label=f"{label}, mean {cosines.mean():.2f}")
    left.set(xlabel="cosine", ylabel="density", ylim=(0, 1.3 * left.get_ylim()[1]))
    left.legend(loc="upper left", fontsize=9)
    left.set_title("pairs", fontsize=10)

    pca = PCA(2, svd_solver="covariance_eigh").fit(np.concatenate([images, compounds]))
    step = -(-len(images) // max_points)
    for vectors, label, colour in ((images[::step], "images", blue), (compounds, "compounds", orange)):
        points = pca.transform(vectors)
        style = {"s": 12, "linewidth": 0, "alpha": 0.5, "rasterized": True, "label": label}
        right.scatter(points[:, 0], points[:, 1], color=colour, **style)
    centroids = pca.transform(np.stack([images.mean(0), compounds.mean(0)]))
    right.plot(centroids[:, 0], centroids[:, 1], "-D", color="0.1", markersize=6, markeredgecolor="white")
    right.plot([], [], "-D", color="0.1", markersize=6, label=f"centroids, {gap.distance:.2f} apart")
    right.set(
        xlabel=f"PC 1 ({100 * pca.explained_variance_ratio_[0]:.1f} % of variance)",
        ylabel=f"PC 2 ({100 * pca.explained_variance_ratio_[1]:.1f} %)",
    )
    right.legend(loc="best", fontsize=9, markerscale=1.3)
    right.set_title("both modalities in one plane", fontsize=10)
    return look.add_title(figure)
