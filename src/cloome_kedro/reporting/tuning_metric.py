"""The validation metric that a hyperparameter search maximises, and the same metric on the test fold."""

import re
from dataclasses import dataclass

import pandas as pd

from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS
from cloome_kedro.reporting.cells import ABSENT, auc_text, percent_text
from cloome_kedro.reporting.small_screens import evaluable
from cloome_kedro.reporting.style import single_draw
from cloome_kedro.words import DIRECTIONS, PROBING, RETRIEVAL, ZERO_SHOT, counted

_TOP_K = re.compile(r"top(\d+)(?:_(\w+_to_\w+))?")
#: results of default and winner are in one row only if these columns are equal
_SETTING = ["task", "direction", "pool", "excluded", "shown_by", "candidates", "metric", "n", "compounds"]


@dataclass(frozen=True)
class SearchMetric:
    """The metric that a search maximised.

    Attributes
    ----------
    label
        Name for readers.
    task, metric
        Values in the rows of the table ``metrics`` that measure the same on the test fold. They are empty if there are
        no such rows.
    directions
        Directions of retrieval of these rows.
    """

    label: str
    task: str = ""
    metric: str = ""
    directions: tuple[str, ...] = ()

    @classmethod
    def named(cls, name: str) -> "SearchMetric":
        """Find a metric by its name.

        Parameters
        ----------
        name
            Name in the table ``history``, without ``validation_``.
        """
        if name in VALIDATION_METRICS:
            return cls(**VALIDATION_METRICS.facts(name))
        if match := _TOP_K.fullmatch(name):
            k, direction = match.groups()
            directions = (direction.replace("_", " "),) if direction else tuple(DIRECTIONS)
            queries = DIRECTIONS[directions[0]] if direction else "mean of both directions"
            return cls(f"top-{k} in the full pool, {queries}", RETRIEVAL, f"top-{k}", directions)
        return cls(name)

    @property
    def percent(self) -> bool:
        """Whether values are shares."""
        return self.metric.startswith("top-")

    def text(self, value: float, signed: bool = False) -> str:
        """Format a value, such as ``12.3 %`` or ``0.713``, or a difference, such as ``+4.1 points`` or ``+0.012``."""
        sign = "+" if signed else ""
        if not self.percent:
            return f"{value:{sign}.3f}"
        return f"{100 * value:{sign}z.1f} {'points' if signed else '%'}"

    def test_table(self, default: pd.DataFrame, winner: pd.DataFrame, model: str) -> pd.DataFrame:
        """Tabulate the metric on the test fold for the default configuration and for the winner.

        Parameters
        ----------
        default, winner
            Tables ``metrics``. Both may be empty.
        model
            Label of the model that was tuned.

        Returns
        -------
        pandas.DataFrame
            One row per setting (for retrieval: direction and pool) of the single draw, with intervals. All cells are
            text. It is empty if there are no results.
        """
        sides = {"default": self._rows(default, model), "winner": self._rows(winner, model)}
        rows: dict[tuple, dict[str, str]] = {}
        for side, table in sides.items():
            for row in table.to_dict("records"):
                key = tuple("" if pd.isna(row[name]) else row[name] for name in _SETTING)
                cells = rows.setdefault(key, {"test fold": self._setting_text(row)} | dict.fromkeys(sides, ABSENT))
                cells[side] = (percent_text if self.percent else auc_text)(row)
                cells["chance"] = ABSENT if pd.isna(row["chance"]) else self.text(row["chance"])
                cells["n"] = f"{row['n']:,}"
                cells["compounds"] = f"{row['compounds']:,}"
        return pd.DataFrame(list(rows.values()))

    def _rows(self, metrics: pd.DataFrame, model: str) -> pd.DataFrame:
        rows = metrics[(metrics["task"] == self.task) & (metrics["metric"] == self.metric)]
        rows = evaluable(single_draw(rows[rows["method"] == model]))
        if self.task == RETRIEVAL:
            return rows[rows["direction"].isin(self.directions) & rows["pool"].isin(["sampled", "full"])]
        return rows[(rows["pool"] == "full") & (rows["excluded"] == "none")] if self.task in ZERO_SHOT else rows

    def _setting_text(self, row: dict) -> str:
        if self.task == PROBING:
            return self.label
        if self.task == RETRIEVAL:
            return f"{self.metric}, {DIRECTIONS[row['direction']]}, {counted(row['candidates'], 'candidate')}"
        return f"{self.label}, {counted(row['candidates'], 'class', 'classes')}"
