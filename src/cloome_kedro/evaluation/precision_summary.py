"""Mean average precisions with their p values and intervals, by copairs."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cloome_kedro.evaluation.bootstrap import clustered_mean_interval

#: what the matches of a query have in common
REPLICATES, MECHANISMS = "replicates", "mechanisms"
#: columns of :attr:`MeanAveragePrecision.groups`
GROUP_COLUMNS = ["group", "value", "chance", "queries", "p_value", "corrected_p_value"]
#: keys of :meth:`MeanAveragePrecision.row`
ROW_COLUMNS = ["matches", "value", "low", "high", "chance", "n", "groups", "significant", "protocol"]

_SIGNIFICANT = 0.05  # corrected p value
_EQUAL = 1e-5  # average precisions that differ by less are equal; copairs computes in float32


@dataclass(frozen=True, eq=False)
class MeanAveragePrecision:
    """Mean average precision of replicates or mechanisms.

    Attributes
    ----------
    matches
        :data:`REPLICATES` or :data:`MECHANISMS`.
    protocol
        Which matches a query has, and among which other wells or compounds they are ranked, as a sentence.
    groups
        One row per compound (replicates) or mechanism: ``group``; ``value``, the mean over its queries; ``chance``, its
        mean if ranks were random; ``queries``, their number; ``p_value``; and ``corrected_p_value`` (Benjamini and
        Hochberg).
    value, low, high
        Mean over compounds with its interval, by a bootstrap over compounds. NaN if there is no query.
    chance
        Mean over compounds if ranks were random.
    n
        Number of compounds.
    by_compound
        Mean of each compound, by InChIKey.
    """

    matches: str
    protocol: str
    groups: pd.DataFrame
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    chance: float = float("nan")
    n: int = 0
    by_compound: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))

    @property
    def significant(self) -> float:
        """Share of groups with a corrected p value below 0.05. NaN if there are no groups."""
        return float((self.groups["corrected_p_value"] < _SIGNIFICANT).mean()) if len(self.groups) else float("nan")

    def row(self) -> dict[str, float | int | str]:
        """The result as a row of a table, without the groups."""
        facts = {name: getattr(self, name) for name in ("matches", "value", "low", "high", "chance", "n")}
        return facts | {"groups": len(self.groups), "significant": self.significant, "protocol": self.protocol}


def is_available() -> bool:
    """Whether copairs is installed."""
    from importlib.util import find_spec

    return find_spec("copairs") is not None


@dataclass(frozen=True)
class Settings:
    """Number of random rankings, level of intervals, number of resamples, and seed."""

    null_size: int
    confidence: float
    resamples: int
    seed: int


def _copairs():
    try:
        import copairs.map
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "mean average precision needs copairs, which is not installed: pip install 'cloome-kedro[copairs]'"
        ) from error
    logging.getLogger("copairs").setLevel(logging.WARNING)
    return copairs.map


def rank_by_copairs(
    pairs: pd.DataFrame, vectors: np.ndarray, rules: dict[str, list[str]], lists: str | None = None
) -> pd.DataFrame | None:
    """Average precision of each row that has matches and others; None if no row has. ``lists``: column of lists."""
    copairs = _copairs()
    from copairs.map import multilabel
    from copairs.matching import UnpairedException

    function: Callable = copairs.average_precision
    if lists:
        function = partial(multilabel.average_precision, multilabel_col=lists)
    try:
        scores = function(pairs, np.asarray(vectors, np.float32), **rules, progress_bar=False)
    except UnpairedException:
        return None
    scores = scores[(scores["n_pos_pairs"] > 0) & (scores["n_total_pairs"] > scores["n_pos_pairs"])]
    return scores if len(scores) else None


def summarise(
    matches: str, protocol: str, scores: pd.DataFrame, names: pd.Index, keys: ArrayLike, settings: Settings
) -> MeanAveragePrecision:
    """Mean of each group (column ``by``, position in ``names``) and over compounds (``compound``, in ``keys``)."""
    from copairs.map.normalization import expected_ap

    if not len(scores):
        return without_queries(matches, protocol)
    sizes = scores[["n_pos_pairs", "n_total_pairs"]].astype(int)
    expected = {
        (matching, total): expected_ap(matching, total - matching)
        for matching, total in sizes.drop_duplicates().itertuples(index=False, name=None)
    }
    scores = scores.reset_index(drop=True).assign(
        n_pos_pairs=sizes["n_pos_pairs"].to_numpy(),
        n_total_pairs=sizes["n_total_pairs"].to_numpy(),
        chance=[expected[size] for size in sizes.itertuples(index=False, name=None)],
    )
    # copairs 0.5 counts only random rankings that are better, so that a perfect ranking would be significant with any
    # number of controls. With slightly lower values, rankings that are equally good count, too.
    tried = scores.assign(average_precision=scores["average_precision"] - _EQUAL)
    # By default, copairs keeps random rankings in the home folder, and results would depend on earlier runs.
    with TemporaryDirectory() as folder:
        tested = _copairs().mean_average_precision(
            tried,
            sameby=["by"],
            null_size=settings.null_size,
            threshold=_SIGNIFICANT,
            seed=settings.seed,
            progress_bar=False,
            cache_dir=folder,
        )
    by_group = scores.groupby("by").agg(
        value=("average_precision", "mean"), chance=("chance", "mean"), queries=("compound", "size")
    )
    groups = tested.merge(by_group.reset_index(), on="by")
    groups["group"] = names[groups["by"].astype(int)]
    groups = groups.sort_values("group", ignore_index=True)[GROUP_COLUMNS]
    by_compound = scores.groupby("compound")[["average_precision", "chance"]].mean()
    low, high = clustered_mean_interval(
        by_compound["average_precision"],
        by_compound.index,
        settings.confidence,
        settings.resamples,
        settings.seed,
    )
    value, chance = by_compound.mean()
    values = pd.Series(by_compound["average_precision"].to_numpy(), index=np.asarray(keys)[by_compound.index])
    facts = float(value), low, high, float(chance), len(by_compound)
    return MeanAveragePrecision(matches, protocol, groups, *facts, by_compound=values)


def without_queries(matches: str, protocol: str) -> MeanAveragePrecision:
    return MeanAveragePrecision(matches, protocol, pd.DataFrame(columns=GROUP_COLUMNS))
