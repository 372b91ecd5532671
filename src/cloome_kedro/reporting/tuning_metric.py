"""The validation metric that a hyperparameter search maximises, and the same metric on the test fold."""

import re
from dataclasses import dataclass

import pandas as pd

from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS
from cloome_kedro.reporting.style import single_draw
from cloome_kedro.reporting.tables import NOTHING, auc_text, percent_text
from cloome_kedro.words import DIRECTIONS, PROBING, RETRIEVAL, ZERO_SHOT

_TOP_K = re.compile(r"top(\d+)(?:_(\w+_to_\w+))?")
#: what rows of default and winner must share to stand beside each other
_SETTING = ["task", "direction", "pool", "excluded", "shown_by", "candidates", "metric", "n", "compounds"]


@dataclass(frozen=True)
class SearchMetric:
    """What a search maximised.

    Attributes
    ----------
    label
        As people read it.
    task, metric
        Of the rows of the table ``metrics`` that measure the same on the test fold; empty where none do.
    directions
        Of these rows.
    """

    label: str
    task: str = ""
    metric: str = ""
    directions: tuple[str, ...] = ()

    @classmethod
    def named(cls, name: str) -> "SearchMetric":
        """By its name in the history of a training, without ``validation_``."""
        if name in VALIDATION_METRICS:
            return cls(**VALIDATION_METRICS.facts(name))
        if match := _TOP_K.fullmatch(name):
            k, direction = match.groups()
            directions = (direction.replace("_", " "),) if direction else tuple(DIRECTIONS)
            of = DIRECTIONS[directions[0]] if direction else "mean of both directions"
            return cls(f"top-{k} in the full pool, {of}", RETRIEVAL, f"top-{k}", directions)
        return cls(name)

    @property
    def percent(self) -> bool:
        """Whether values are shares."""
        return self.metric.startswith("top-")

    def text(self, value: float, signed: bool = False) -> str:
        """``12.3 %`` or ``0.713``; of a difference ``+4.1 points`` or ``+0.012``."""
        sign = "+" if signed else ""
        if not self.percent:
            return f"{value:{sign}.3f}"
        return f"{round(100 * value, 1) + 0.0:{sign}.1f} {'points' if signed else '%'}"

    def test_table(self, default: pd.DataFrame, winner: pd.DataFrame, model: str) -> pd.DataFrame:
        """The metric on the test fold, of the default configuration and of the winner, with intervals.

        Parameters
        ----------
        default, winner
            Tables ``metrics``; either may be empty.
        model
            Label of the model, whose rows are taken.

        Returns
        -------
        pandas.DataFrame
            One row per setting (of retrieval: direction and pool), single draw, all cells text; empty where neither
            has a row.
        """
        sides = {"default": self._rows(default, model), "winner": self._rows(winner, model)}
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
        if self.task == RETRIEVAL:
            return rows[rows["direction"].isin(self.directions) & rows["pool"].isin(["sampled", "full"])]
        return rows[(rows["pool"] == "full") & (rows["excluded"] == "none")] if self.task in ZERO_SHOT else rows

    def _setting_text(self, row: dict) -> str:
        if self.task == PROBING:
            return self.label
        if self.task == RETRIEVAL:
            return f"{self.metric}, {DIRECTIONS[row['direction']]}, {row['candidates']:g} candidates"
        return f"{self.label}, {row['candidates']:g} classes"
