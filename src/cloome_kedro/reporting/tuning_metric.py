"""The validation metric that a hyperparameter search maximises, and the same metric on the test fold."""

import re
from dataclasses import dataclass

import pandas as pd

from cloome_kedro.reporting.style import BASELINE, DIRECTIONS, MODEL, single_draw
from cloome_kedro.reporting.tables import NOTHING, auc_text, percent_text

#: metric -> task and metric of the tables ``metrics``, and what it is called
_TASKS = {
    "zero_shot_compound_top1": ("zero-shot compound", "top-1", "zero-shot compound top-1"),
    "zero_shot_moa_top1": ("zero-shot MoA", "top-1", "zero-shot mechanism top-1"),
    "probing_auc": ("probing", "mean AUC", "mean AUC of probed assays"),
}
_TOP_K = re.compile(r"top(\d+)(?:_((?:structure|image)_retrieval))?")
#: what rows of default and winner must share to stand beside each other
_SETTING = ["task", "direction", "pool", "excluded", "shown_by", "candidates", "metric", "n", "compounds"]


@dataclass(frozen=True)
class SearchMetric:
    """What a search maximised.

    Attributes
    ----------
    label : as people read it
    task, metric : of the rows of the tables ``metrics`` that measure the same on the test fold; empty: none do
    directions : of these rows
    """

    label: str
    task: str = ""
    metric: str = ""
    directions: tuple[str, ...] = ()

    @classmethod
    def named(cls, name: str) -> "SearchMetric":
        """By its name in the history of a training, without ``validation_``."""
        if name in _TASKS:
            task, metric, label = _TASKS[name]
            return cls(label, task, metric)
        if match := _TOP_K.fullmatch(name):
            k, direction = match.groups()
            directions = (direction.replace("_", " "),) if direction else tuple(DIRECTIONS)
            of = DIRECTIONS[directions[0]] if direction else "mean of both directions"
            return cls(f"top-{k} in the full pool, {of}", "retrieval", f"top-{k}", directions)
        return cls(name)

    @property
    def percent(self) -> bool:
        return self.metric.startswith("top-")

    def text(self, value: float, signed: bool = False) -> str:
        """``12.3 %`` or ``0.713``; of a difference ``+4.1 points`` or ``+0.012``."""
        sign = "+" if signed else ""
        if not self.percent:
            return f"{value:{sign}.3f}"
        return f"{round(100 * value, 1) + 0.0:{sign}.1f} {'points' if signed else '%'}"

    def test_table(self, tunes: str, default: pd.DataFrame, winner: pd.DataFrame) -> pd.DataFrame:
        """The metric on the test fold, of the default configuration and of the winner, with intervals.

        Parameters
        ----------
        tunes : ``training`` or ``bilinear``, whose rows are taken
        default, winner : tables ``metrics`` of the metric's task; either may be empty

        Returns
        -------
        A row a setting (of retrieval: direction and pool), single draw, all cells text; empty where neither has a row.
        """
        sides = {
            "default": self._rows(default, BASELINE if tunes == "bilinear" else MODEL),
            "winner": self._rows(winner, BASELINE if tunes == "bilinear" else MODEL),
        }
        rows: dict[tuple, dict[str, str]] = {}
        for side, table in sides.items():
            for row in table.to_dict("records"):
                key = tuple("" if pd.isna(row[name]) else row[name] for name in _SETTING)
                line = rows.setdefault(key, {"test fold": self._setting_text(row)} | dict.fromkeys(sides, NOTHING))
                line[side] = (percent_text if self.percent else auc_text)(row)
                line["chance"] = NOTHING if pd.isna(row["chance"]) else self.text(row["chance"])
                line["n"] = f"{row['n']:,}"
                line["compounds"] = f"{row['compounds']:,}"
        return pd.DataFrame(list(rows.values()))

    def _rows(self, metrics: pd.DataFrame, method: str) -> pd.DataFrame:
        rows = metrics[(metrics["task"] == self.task) & (metrics["metric"] == self.metric)]
        rows = single_draw(rows[rows["method"] == method])
        if self.task == "retrieval":
            return rows[rows["direction"].isin(self.directions) & rows["pool"].isin(["sampled", "full"])]
        return rows if self.task == "probing" else rows[(rows["pool"] == "full") & (rows["excluded"] == "none")]

    def _setting_text(self, row: dict) -> str:
        if self.task == "probing":
            return self.label
        if self.task == "retrieval":
            return f"{self.metric}, {DIRECTIONS[row['direction']]}, {row['candidates']:g} candidates"
        return f"{self.label}, {row['candidates']:g} classes"


def winner_metrics(tunes: str, tuned: pd.DataFrame) -> pd.DataFrame:
    """Test metrics of a search's winner: those of the namespace ``tuned``, but none of a search of the other model.

    A tuned baseline's metrics have the default model's rows beside its own, a tuned model's have no baseline.
    """
    of_baseline = bool((tuned["method"] == BASELINE).any())
    return tuned if of_baseline == (tunes == "bilinear") else tuned.iloc[:0]
