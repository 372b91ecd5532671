"""Facts about a run: what made the report, the study and its main parameters; and the layout of the plates."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cloome_kedro import provenance
from cloome_kedro.reporting.cells import ABSENT
from cloome_kedro.words import WELL_ONLY, counted


def facts_of_writing(folder: str = ".") -> dict[str, str]:
    """Say when, from which commit, with which packages and on which device the report is written.

    Parameters
    ----------
    folder
        Folder of the project.
    """
    facts = {
        "written": provenance.now(),
        "git commit": provenance.commit(folder) or "not known (no git repository)",
        "device": provenance.device(),
    }
    return facts | provenance.versions()


def facts_of_study(
    screen: str, simulated: bool, models: Mapping[str, str], reference: str, splits: Sequence[str], seed: int
) -> dict[str, str]:
    """Name the screen, the models, the splits and the seed.

    Parameters
    ----------
    screen, simulated, models, reference
        As in the parameters of the study. ``models``: name -> label. ``reference``: label, or empty.
    splits
        Names of the splits.
    seed
        Seed of the run.
    """
    first, *others = models.values()
    return {
        "screen": f"{screen} (simulated)" if simulated else screen,
        "model of this report": first,
        "other models": ", ".join(others) or ABSENT,
        "reference": reference or ABSENT,
        "splits": ", ".join(splits),
        "seed": str(seed),
    }


def config_of_first_model(splits: Mapping[str, Mapping[str, Any]], models: Mapping[str, str]) -> Mapping[str, Any]:
    """Configuration of the checkpoint of the first model on the first split; empty if it was not trained in epochs.

    Parameters
    ----------
    splits
        Split -> its results, with the configurations of its models as ``models``.
    models
        Name of each model of the study -> its label.
    """
    config = next(iter(splits.values()))["models"].get(next(iter(models)), {})
    return config if "architecture" in config else {}


def facts_of_model(config: Mapping[str, Any]) -> dict[str, str]:
    """List the main settings of a model that was trained in epochs.

    Parameters
    ----------
    config
        Configuration of its checkpoint. A published model has no objective and no settings of a training.

    Examples
    --------
    >>> views = {"field": {"name": "images"}, "compound": {"name": "structures"}}
    >>> architecture = {"field": {"name": "resnet"}, "compound": {"name": "mlp"}, "embedding_size": 64}
    >>> config = {"views": views, "architecture": architecture, "objective": None, "fit": {"epochs": 2}}
    >>> facts_of_model(config)
    {'images': 'images → resnet', 'compounds': 'structures → mlp', 'embedding size': '64', 'epochs': '2'}
    """
    views, architecture, fit = config["views"], config["architecture"], config.get("fit") or {}
    facts = {
        name: f"{views[side]['name']} → {architecture[side]['name']}"
        for name, side in {"images": "field", "compounds": "compound"}.items()
    }
    facts["embedding size"] = str(architecture["embedding_size"])
    if config.get("objective"):
        facts["objective"] = config["objective"]["name"]
    for name in ("epochs", "batch_size", "optimizer", "learning_rate", "weight_decay", "schedule", "precision"):
        if name in fit:
            facts[name.replace("_", " ")] = f"{fit[name]:g}" if isinstance(fit[name], float) else str(fit[name])
    if pretrained := config.get("pretrained"):
        facts["pre-trained"] = f"kept epoch {pretrained['epoch']}"
    if "selected_by" in config:
        why = f"best validation {config['selected_by']}" if config.get("validation", True) else "nothing was validated"
        facts["checkpoint"] = f"epoch {config['epoch']}, {why}"
    return facts


def same_well_text(examples: pd.DataFrame, fold: str) -> str:
    """Say how many compounds are in the same well on all their plates, because that explains ``Well position only``.

    Parameters
    ----------
    examples
        Table of this name.
    fold
        Name of the fold that is evaluated.

    Returns
    -------
    str
        Empty if no compound of the fold is in one well on several plates.

    Examples
    --------
    >>> rows = [("A", "1", "B02"), ("A", "2", "B02"), ("B", "1", "C03"), ("B", "2", "D04")]
    >>> examples = pd.DataFrame(rows, columns=["inchikey", "plate", "well"]).assign(fold="test")
    >>> same_well_text(examples, "test")[:96]
    'Well position only: 1 of 2 test compounds on several plates is in the same well on each of them.'
    """
    rows = examples[examples["fold"] == fold].groupby("inchikey")
    wells, plates = rows["well"].nunique(), rows["plate"].nunique()
    several = plates > 1
    same = int((several & (wells == 1)).sum())
    if not same:
        return ""
    number = f"{same:,} of {counted(int(several.sum()), f'{fold} compound')} on several plates"
    return (
        f"{WELL_ONLY}: {number} {'is' if same == 1 else 'are'} in the same well on each of them. So the position of a"
        " well alone tells the compound, without its image. References on other plates do not change that. References"
        " of other compounds do."
    )
