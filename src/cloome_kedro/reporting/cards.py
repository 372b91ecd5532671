"""Model card and data card in Markdown, with the metadata of the Hugging Face Hub at the top."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cloome_kedro.reporting.captioned import literal
from cloome_kedro.reporting.headline import Card
from cloome_kedro.words import DIRECTIONS, FOLDS, counted

NOT_STATED = "not stated"
#: control characters, which YAML and Markdown cannot show
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def render(template: str, head: Mapping[str, Any], **values: Any) -> str:
    """Fill a template, and put metadata before it.

    Parameters
    ----------
    template
        File name in ``templates/``.
    head
        Metadata. Entries that are None are left out.
    values
        Values of the template. Text is shown as it is, not as markup, unless it is ``Markup``.

    Returns
    -------
    str
        Markdown, with the metadata as YAML between two lines ``---``.
    """
    environment = Environment(
        loader=PackageLoader("cloome_kedro.reporting"),
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else literal(_clean(value)),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"table": markdown_table, "counted": counted}
    known = {name: value for name, value in head.items() if value is not None}
    text = yaml.safe_dump(_cleaned(known), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---\n\n{environment.get_template(template).render(**values)}"


def markdown_table(table: pd.DataFrame) -> Markup:
    r"""Format a table as Markdown. Cells are shown as they are, not as markup.

    >>> print(markdown_table(pd.DataFrame({"name": ["a|b"], "n": [3]})))
    | name | n |
    |---|---|
    | a\|b | 3 |
    """
    rows = [[literal(_clean(cell)) for cell in row] for row in [list(table), *table.to_numpy().tolist()]]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return Markup("\n".join([lines[0], "|" + "---|" * table.shape[1], *lines[1:]]))


def result_table(cards: Sequence[Card]) -> pd.DataFrame:
    """Main results of a split: one row per card, with the interval, chance, and the comparison with the baseline."""
    rows = [
        {
            "result": card.title,
            "value": card.reason or f"{card.text(card.value)} ({card.text(card.low)} to {card.text(card.high)})",
            "chance": "" if card.reason else card.text(card.chance),
            "what": card.basis,
            "compared": "; ".join(f"{name}: {text}" for name, text in card.verdicts.items()),
        }
        for card in cards
    ]
    return pd.DataFrame(rows, columns=["result", "value", "chance", "what", "compared"])


def model_index(model: str, screen: str, fold: str, cards: Mapping[str, Sequence[Card]]) -> list[dict[str, Any]]:
    """Results in the form of the Hugging Face Hub (``model-index``).

    Parameters
    ----------
    model, screen, fold
        Names of the model, of the screen and of the fold that was evaluated.
    cards
        Split -> cards of its main results.
    """
    results = [
        {
            "task": {"type": "feature-extraction", "name": card.title},
            "dataset": {"type": screen, "name": screen, "split": f"{fold} fold, {split} split"},
            "metrics": [{"type": "auc" if "AUC" in card.basis else "accuracy", "name": card.basis,
                         "value": round(float(card.value), 4)}],
        }
        for split, of_split in cards.items()
        for card in of_split
        if not card.reason
    ]  # fmt: skip
    return [{"name": model, "results": results}]


def certainty_table(candidate_sets: pd.DataFrame, model: str) -> pd.DataFrame:
    """How many candidates of retrieval must be listed for each wanted coverage, and the coverage on the test fold.

    Parameters
    ----------
    candidate_sets
        Table of this name of one split.
    model
        Name of the model in tables.
    """
    rows = candidate_sets[
        (candidate_sets["method"] == model)
        & (candidate_sets["kind"] == "first k")
        & (candidate_sets["shown_by"] == "field")
        & candidate_sets["direction"].notna()
        & candidate_sets["coverage"].notna()
    ]
    return pd.DataFrame(
        {
            "direction": rows["direction"].map(DIRECTIONS),
            "wanted": [f"{100 * level:g} %" for level in rows["level"]],
            "first": [f"{mean:.0f} of {candidates:,.0f}" for mean, candidates in
                      zip(rows["size_mean"], rows["candidates"], strict=True)],
            "measured": [f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})" for value, low, high in
                         zip(rows["coverage"], rows["low"], rows["high"], strict=True)],
        }
    )  # fmt: skip


def fold_sizes(examples: pd.DataFrame) -> pd.DataFrame:
    """Compounds, fields and plates in each fold of a split.

    Parameters
    ----------
    examples
        Table of this name.

    Returns
    -------
    pandas.DataFrame
        One row per fold, all cells are text.
    """
    rows = []
    for fold in FOLDS:
        found = examples[examples["fold"] == fold]
        counts = {
            "compounds": found["inchikey"].nunique(),
            "fields": len(found),
            "plates": found["plate"].nunique(),
        }
        rows.append({"fold": fold} | {name: f"{count:,}" for name, count in counts.items()})
    return pd.DataFrame(rows)


def fold_table(sizes: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the sizes of the folds of all splits.

    Parameters
    ----------
    sizes
        Split -> result of :func:`fold_sizes`.
    """
    table = pd.concat([of_split.assign(split=split) for split, of_split in sizes.items()], ignore_index=True)
    return table[["split", "fold", "compounds", "fields", "plates"]]


def plate_table(fields: pd.DataFrame) -> pd.DataFrame:
    """Smallest, median and largest number of wells, fields and control wells of a plate."""
    wells = fields.drop_duplicates(["plate", "well"]).groupby("plate")
    counts = {
        "wells": wells.size(),
        "control wells": wells["control"].sum(),
        "fields": fields.groupby("plate").size(),
    }
    rows = [
        {"per plate": name, "smallest": f"{n.min():,}", "median": f"{n.median():,g}", "largest": f"{n.max():,}"}
        for name, n in counts.items()
    ]
    return pd.DataFrame(rows)


def leak_table(leaks: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Compounds of the test fold that have a relative in the training fold, by split and kind.

    Parameters
    ----------
    leaks
        Split -> table of this name.
    """
    joined = pd.concat([table.assign(split=split) for split, table in leaks.items()], ignore_index=True)
    rows = joined[(joined["fold"] == "test") & (joined["other_fold"] == "train")]
    shared = [f"{n:,} of {of:,}" for n, of in zip(rows["compounds"], rows["of"], strict=True)]
    return pd.DataFrame(
        {"split": rows["split"], "shared with the training fold": rows["kind"], "test compounds": shared}
    )


def size_category(number: int) -> str:
    """Size of a data set, in the words of the Hugging Face Hub.

    >>> [size_category(number) for number in (3, 5000, 2_000_000)]
    ['n<1K', '1K<n<10K', '1M<n<10M']
    """
    names = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
    for power, name in enumerate(names):
        if number < 1000 * 10**power:
            return f"n<{name}" if power == 0 else f"{names[power - 1]}<n<{name}"
    return f"n>{names[-1]}"


def _clean(value: Any) -> str:
    return _CONTROL.sub(" ", str(value))


def _cleaned(value: Any) -> Any:
    """The same value, without characters that YAML would write as escapes."""
    if isinstance(value, Mapping):
        return {key: _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return " ".join(_clean(value).split()) if isinstance(value, str) else value
