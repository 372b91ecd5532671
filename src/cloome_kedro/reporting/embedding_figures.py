"""Figures of the embedding space: a map of images, and how far images lie from compounds."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from cloome_kedro.reporting.style import Look, styled

OTHERS = "others"


def commonest(labels: pd.Series, most: int = 8) -> pd.Series:
    """Labels of which only the ``most`` commonest keep their name; the rest, and missing ones, are ``others``."""
    kept = labels.value_counts().sort_index().sort_values(ascending=False, kind="stable").index[:most]
    return labels.where(labels.isin(kept), OTHERS)


@styled
def embedding_map(
    vectors: np.ndarray,
    mechanisms: pd.Series,
    plates: pd.Series,
    look: Look,
    *,
    most: int = 5000,
    seed: int = 0,
) -> Figure:
    """First two principal components of field embeddings, coloured by mechanism of action and by plate.

    The label of each axis says what share of the variance its component explains.

    Parameters
    ----------
    vectors
        (N, d)
    mechanisms, plates
        N labels each, in the order of ``vectors``; a mechanism may be missing.
    look
        Names and colours.
    most
        Fields drawn at most, chosen by ``seed``. The components are of all fields.

    Raises
    ------
    ValueError
        If there are fewer than three fields.
    """
    if len(vectors) < 3:
        raise ValueError(f"a map of embeddings needs at least three fields; got {len(vectors)}")
    pca = PCA(2, svd_solver="covariance_eigh").fit(vectors)
    drawn = np.sort(np.random.default_rng(seed).choice(len(vectors), min(most, len(vectors)), replace=False))
    points = pca.transform(vectors[drawn])
    figure = Figure(figsize=(12, 5.4), layout="constrained")
    panels = {"mechanism of action": mechanisms, "plate": plates}
    for axis, (what, labels) in zip(figure.subplots(1, 2, sharex=True, sharey=True), panels.items(), strict=True):
        _scatter(axis, points, commonest(labels.reset_index(drop=True)).iloc[drawn])
        axis.set_title(f"coloured by {what}", fontsize=10)
        axis.set(
            xlabel=f"PC 1 ({100 * pca.explained_variance_ratio_[0]:.1f} % of variance)",
            ylabel=f"PC 2 ({100 * pca.explained_variance_ratio_[1]:.1f} %)",
        )
    return look.on(figure)


def _scatter(axis: Axes, points: np.ndarray, labels: pd.Series) -> None:
    names = [name for name in labels.value_counts().index if name != OTHERS]
    palette: dict[Any, Any] = dict(zip(names, sns.color_palette("colorblind", max(len(names), 1)), strict=False))
    style = {"s": 14, "linewidth": 0, "rasterized": True, "ax": axis}
    grey = (labels == OTHERS).to_numpy()
    if grey.any():
        sns.scatterplot(x=points[grey, 0], y=points[grey, 1], color="0.82", label=OTHERS, **style)
    if not grey.all():
        x, y, hue = points[~grey, 0], points[~grey, 1], labels[~grey].to_numpy()
        sns.scatterplot(x=x, y=y, hue=hue, hue_order=names, palette=palette, alpha=0.85, **style)
    handles, texts = axis.get_legend_handles_labels()
    texts = [text if len(text) <= 34 else text[:33] + "…" for text in texts]
    axis.legend(
        handles, texts, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, fontsize=8.5, markerscale=1.8,
        frameon=False, title=None,
    )  # fmt: skip


@styled
def modality_gap_figure(gap: Any, images: np.ndarray, compounds: np.ndarray, look: Look, *, most: int = 5000) -> Figure:
    """Cosines of matched and unmatched pairs, and both modalities with their centroids in one plane.

    Parameters
    ----------
    gap
        Has ``matched`` and ``unmatched`` cosines, and the ``distance`` between the centroids.
    images, compounds
        (N, d) and (M, d), rows L2-normalised, what ``gap`` was computed of.
    look
        Names and colours.
    most
        Images drawn at most, evenly through the table.
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
    step = -(-len(images) // most)
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
    return look.on(figure)
