"""What a run adds to the tracked run of its study: tables, figures, test metrics, and the trials of searches."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cloome_kedro.run_tables import of_method
from cloome_kedro.tracking import Tracker

#: folder of results, and the suffixes of tables, figures and reports in it
_LAYER, _SUFFIXES = "08_reporting", (".parquet", ".csv", ".md", ".png", ".svg", ".pdf", ".html", ".txt")


def track_results(
    tracker: Tracker, written: Iterable[str], catalog: Any, study: Mapping[str, Any], labels: Mapping[str, str]
) -> None:
    """Send the results that a run wrote.

    Parameters
    ----------
    tracker
        Where they are sent.
    written
        Names of the datasets that were written.
    catalog : kedro.io.DataCatalog
        Datasets of the run.
    study
        ``variant`` and ``seed`` of the run.
    labels
        Names of the models of the study -> their names in tables.
    """
    files: dict[Path, str] = {}
    metrics: dict[str, float] = {}
    for name in sorted(written):
        split, _, kind = name.rpartition(".")
        path = Path(catalog.config_resolver.resolve_pattern(name).get("filepath", ""))
        if _LAYER in path.parts and path.parent.name != "parts":  # the report contains its parts
            beside = path.parent.glob(f"{path.stem}.*")
            files |= {file: split for file in beside if file.suffix in _SUFFIXES and not file.name.startswith(".")}
        if kind == "trials":
            tracker.search(study, catalog[name].load(), catalog[f"{split}.trial_epochs"].load())
        if kind == "metrics" and split:
            table = catalog[name].load()
            for model, label in labels.items():
                values = {f"test/{metric}": value for metric, value in of_method(table, label).items()}
                metrics |= {f"{split}/{label}/{metric}": value for metric, value in values.items()}
                if weights := _weights(catalog, f"{split}.{model}.field_embeddings"):
                    tracker.final_metrics(weights, split, values)
    if files or metrics:
        tracker.results(study, files, metrics)


def _weights(catalog: Any, embeddings: str) -> str:
    """Hash of the model of stored embeddings; empty if there are none."""
    path = Path(catalog.config_resolver.resolve_pattern(embeddings).get("filepath", "")) / "meta.json"
    try:
        return str(json.loads(path.read_text())["weights"])
    except (OSError, ValueError, KeyError):
        return ""
