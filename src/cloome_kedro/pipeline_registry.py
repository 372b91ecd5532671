"""The project's pipelines.

- ``__default__``: the virtual screen and its study
- ``study``: everything after the raw screen
- ``simulation``, ``ingestion``, ``profiles``, ``featurization``, ``training``, ``embedding``, ``retrieval``,
  ``zero_shot``, ``probing``, ``corruption``, ``reporting``: one capability, for every split and model of the
  environment
- ``import_checkpoint``: in place of ``training``: a published checkpoint for the first model, and the training of the
  others; part of no other pipeline
- ``profile_moa``: zero-shot mechanisms from tables of profiles, without images; part of no other pipeline
- ``tuning``: hyperparameter search, for every split of the environment; ``tune_and_train``: the search, then training
  with its best settings and evaluation of that model, beside the default one; both are part of no other pipeline
- ``seeds``: mean and spread of every metric over the seeds that were run; part of no other pipeline
- ``random``, ``scaffold``, ...: what belongs to one split of the environment
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kedro.pipeline import Pipeline
from kedro.utils import find_kedro_project

from cloome_kedro.chemistry.splits import SPLITS
from cloome_kedro.learning.encoders import ENCODERS
from cloome_kedro.learning.views import VIEWS
from cloome_kedro.pipelines import (
    corruption,
    embedding,
    evaluation,
    featurization,
    import_checkpoint,
    ingestion,
    probing,
    profile_moa,
    profiles,
    reporting,
    retrieval,
    seeds,
    simulation,
    training,
    tuning,
    zero_shot,
)


@dataclass(frozen=True)
class Model:
    """What wiring must know of a model.

    Attributes
    ----------
    name
        Of its entry under ``models:``.
    of_fields, of_compounds
        Datasets that its views read.
    sees_images
        Whether it can be asked about corrupted images.
    learns_fields
        Whether its encoder of fields has parameters, so that it has an untrained counterpart.
    """

    name: str
    of_fields: tuple[str, ...]
    of_compounds: tuple[str, ...]
    sees_images: bool
    learns_fields: bool

    @classmethod
    def configured(cls, name: str, entries: Mapping[str, Any]) -> "Model":
        """By its name among the entries under ``models:``.

        Raises
        ------
        ValueError
            If there is no such entry, or it names an unknown view or encoder.
        """
        if name not in entries:
            raise ValueError(f"globals.yml, models: {name} has no entry in parameters, only {', '.join(entries)}")
        try:
            chosen = {
                (side, part): _name(entries[name][side][part])
                for side in ("field", "compound")
                for part in ("view", "encoder")
            }
        except (KeyError, TypeError) as error:
            raise ValueError(f"models.{name}: field and compound need a view and an encoder each") from error
        of_fields, of_compounds = (tuple(VIEWS.facts(chosen[side, "view"])["reads"]) for side in ("field", "compound"))
        learns = ENCODERS.facts(chosen["field", "encoder"]).get("parameters", True)
        return cls(name, of_fields, of_compounds, chosen["field", "view"] == "images", learns)

    @property
    def sources(self) -> tuple[str, ...]:
        """Datasets that both views read."""
        return tuple(dict.fromkeys((*self.of_fields, *self.of_compounds)))


def _name(entry: Any) -> str:
    return entry if isinstance(entry, str) else entry["name"]


def split_pipelines(split: str, models: Sequence[Model]) -> dict[str, Pipeline]:
    """Pipelines of one split, by capability."""
    images = [model.name for model in models if model.sees_images]
    first = models[0]
    untrained = first.name if first.learns_fields else ""
    tasks = ["retrieval", "zero_shot", "probing", *(["corruption", "corrupted_probing"] if images else [])]
    joined = evaluation.create_join_pipeline(split, tasks, split)
    embedded = [
        embedding.create_pipeline(split, model.name, model.of_fields, model.of_compounds, model.name == untrained)
        for model in models
    ]
    methods = evaluation.create_methods_pipeline(split, [model.name for model in models], split, untrained)
    return {
        "featurization": featurization.create_split_pipeline(split),
        "training": sum((training.create_pipeline(split, model.name, model.sources) for model in models), Pipeline([])),
        "embedding": sum(embedded, methods),
        "retrieval": retrieval.create_pipeline(split, split) + joined,
        "zero_shot": zero_shot.create_pipeline(split, split) + joined,
        "probing": probing.create_pipeline(split, split) + joined,
        "corruption": corruption.create_pipeline(split, images) + joined,
        "reporting": reporting.create_split_pipeline(split, [model.name for model in models], first.sees_images)
        + joined,
    }


def tuned_pipeline(split: str, model: Model) -> Pipeline:
    """Training with the best settings of a split's search, and evaluation, all in the namespace ``<split>_tuned``."""
    results = f"{split}_tuned"

    def own(sources: Sequence[str]) -> list[str]:
        return [f"{results}.{name}" if name == "fingerprints" else name for name in sources]

    return sum(
        [
            training.create_pipeline(split, model.name, own(model.sources), results, f"{results}.settings"),
            embedding.create_pipeline(results, model.name, own(model.of_fields), own(model.of_compounds)),
            evaluation.create_methods_pipeline(split, [model.name], results),
            *(create(split, results) for create in _EVALUATIONS.values()),
            evaluation.create_join_pipeline(split, list(_EVALUATIONS), results),
        ],
        tuning.create_settings_pipeline(split, model.name),
    )


_EVALUATIONS = {
    "retrieval": retrieval.create_pipeline,
    "zero_shot": zero_shot.create_pipeline,
    "probing": probing.create_pipeline,
}


def register_pipelines(configuration: Mapping[str, Any] | None = None) -> dict[str, Pipeline]:
    """Register the pipelines.

    Parameters
    ----------
    configuration
        Configuration loader of the environment, which gives ``globals`` and ``parameters``. None: that of
        ``conf/base``; without one there are no pipelines.

    Raises
    ------
    ValueError
        If a split or model is unknown.
    """
    if configuration is None and not (configuration := _base_configuration()):
        return {}
    chosen, parameters = configuration["globals"], configuration["parameters"]
    splits = chosen["splits"]
    for split in splits:
        SPLITS.facts(split)
    entries = parameters["models"]
    models = [Model.configured(name, entries) for name in chosen["models"]]
    by_split = {split: split_pipelines(split, models) for split in splits}

    shared = {
        "ingestion": ingestion.create_pipeline(),
        # Where field_profiles is a table of the user's, nothing must write to it.
        "profiles": profiles.create_pipeline() if chosen["measure_profiles"] else Pipeline([]),
        "featurization": featurization.create_pipeline(),
        "reporting": reporting.create_pipeline(splits),
    }
    capabilities = {
        name: sum((by_split[split].get(name, Pipeline([])) for split in splits), shared.get(name, Pipeline([])))
        for name in dict.fromkeys([*shared, *next(iter(by_split.values()))])
    }
    study = sum(capabilities.values(), Pipeline([]))
    simulated = simulation.create_pipeline()
    first, *others = models
    imported = [import_checkpoint.create_pipeline(split, first.name) for split in splits]
    imported += [training.create_pipeline(split, model.name, model.sources) for split in splits for model in others]
    tuned = Model.configured(_tuned_model(parameters, first.name), entries)
    searched = [tuning.create_pipeline(split, tuned.name, tuned.sources) for split in splits]
    return {
        "__default__": simulated + study if chosen["simulate"] else study,
        "study": study,
        "simulation": simulated,
        **capabilities,
        "import_checkpoint": sum(imported, Pipeline([])),
        "profile_moa": profile_moa.create_pipeline(),
        "seeds": seeds.create_pipeline(),
        "tuning": sum(searched, Pipeline([])),
        "tune_and_train": sum((tuned_pipeline(split, tuned) for split in splits), sum(searched, Pipeline([]))),
        **{split: sum(pipelines.values(), Pipeline([])) for split, pipelines in by_split.items()},
    }


def _tuned_model(parameters: Mapping[str, Any], default: str) -> str:
    """Name of the model that the chosen search space tunes; an unknown space is refused with the parameters."""
    tuning = parameters.get("tuning", {})
    return tuning.get("spaces", {}).get(tuning.get("space"), {}).get("tunes", default)


def _base_configuration() -> dict[str, dict[str, Any]]:
    """``globals`` and ``parameters`` of ``conf/base`` as they are written; empty where there is no such folder.

    Another configuration loader would take over the resolvers of the session's own.
    """
    folder = (find_kedro_project(Path.cwd()) or Path.cwd()) / "conf" / "base"
    files = {key: sorted(folder.glob(f"{key}*.yml")) for key in ("globals", "parameters")}
    if not all(files.values()):
        return {}
    return {
        key: {name: value for path in paths for name, value in (yaml.safe_load(path.read_text()) or {}).items()}
        for key, paths in files.items()
    }
