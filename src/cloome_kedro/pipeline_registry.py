"""The project's pipelines.

- ``__default__``: ``simulation``, if the environment simulates its screen, then ``study``
- ``study``: everything from the raw screen to the report
- ``simulation``: the virtual screen
- ``ingestion``, ``profiles``, ``featurization``, ``training``, ``embedding``, ``retrieval``, ``zero_shot``,
  ``probing``, ``corruption``, ``uncertainty``, ``reporting``: one step of the study, for every split and model of the
  environment
- ``random``, ``scaffold``, ...: all steps of one split of the environment

These pipelines are part of neither ``__default__`` nor ``study``:

- ``import_checkpoint``: replaces ``training``. It imports a published checkpoint as the first model, and trains the
  other models.
- ``data_report``: one page about the data of the screen. It needs ``ingestion``, ``profiles`` and ``featurization``.
- ``profile_moa``: zero-shot mechanisms from tables of profiles, without images
- ``tuning``: hyperparameter search for every split of the environment
- ``tune_and_train``: the search, then training with the best settings and evaluation of this model. The results of
  the default settings stay.
- ``seeds``: mean and spread of every metric over the seeds that were run
- ``structure_probing``: linear probes of assays on structures alone, without any field
- ``inspect``: what is complete in a screen and what it will cost (``cloome check-screen``)
- ``index``: vector indexes of the embeddings of all models, which ``cloome query`` asks
- ``compare``: trains a list of models with several seeds on every split, and compares them with a reference
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from kedro.pipeline import Pipeline
from kedro.utils import find_kedro_project

from cloome_kedro.chemistry.splits import find_split
from cloome_kedro.pipelines import (
    compare,
    corruption,
    data_report,
    embedding,
    evaluation,
    featurization,
    import_checkpoint,
    index,
    ingestion,
    inspect,
    probing,
    profile_moa,
    profiles,
    reporting,
    retrieval,
    seeds,
    simulation,
    structure_probing,
    training,
    tuning,
    uncertainty,
    zero_shot,
)
from cloome_kedro.study_models import CONTRASTIVE, FUSION, RIDGE, Model, compared_entries, study_models


def split_pipelines(split: str, models: Sequence[Model], images: bool = True) -> dict[str, Pipeline]:
    """Pipelines of one split, by step of the study. ``images``: whether the screen has images."""
    names = [model.name for model in models]
    in_closed_form = [model.name for model in models if model.kind != CONTRASTIVE]
    pretrained = [model.name for model in models if model.pretrains]
    image_models = [model.name for model in models if model.sees_images]
    first = models[0]
    untrained = first.name if first.trains_field_encoder else ""
    tasks = ["retrieval", "zero_shot", "probing", *(["corruption", "corrupted_probing"] if image_models else [])]
    joined = evaluation.create_join_pipeline(split, tasks, split)
    embeddings = [_embedding_pipeline(split, model, model.name == untrained) for model in models]
    methods = evaluation.create_methods_pipeline(split, names, split, untrained)
    return {
        "featurization": featurization.create_split_pipeline(split),
        "training": sum((_training_pipeline(split, model) for model in models), Pipeline([])),
        "embedding": sum(embeddings, methods),
        "retrieval": retrieval.create_pipeline(split, split) + joined,
        "zero_shot": zero_shot.create_pipeline(split, split) + joined,
        "probing": probing.create_pipeline(split, split) + joined,
        "corruption": corruption.create_pipeline(split, image_models) + joined,
        "uncertainty": uncertainty.create_pipeline(split, split),
        "reporting": joined
        + reporting.create_split_pipeline(split, names, first.sees_images, in_closed_form, images, pretrained),
    }


def _training_pipeline(split: str, model: Model) -> Pipeline:
    """Train a model. A ridge is fitted and embeds in one step; a fusion only joins embeddings of other models."""
    if model.kind == RIDGE:
        return training.create_ridge_pipeline(split, model.name, model.sources)
    if model.kind == FUSION:
        return Pipeline([])
    return training.create_pipeline(split, model.name, model.sources, pretrains=model.pretrains)


def _embedding_pipeline(split: str, model: Model, untrained: bool) -> Pipeline:
    """Embed with a model. A ridge has already done so in its training."""
    if model.kind == FUSION:
        return embedding.create_fusion_pipeline(split, model.name, model.parts)
    if model.kind == RIDGE:
        return Pipeline([])
    return embedding.create_pipeline(split, model.name, model.field_sources, model.compound_sources, untrained)


def tuned_pipeline(split: str, model: Model) -> Pipeline:
    """Train with the best settings of a split's search, and evaluate, in the namespace ``<split>_tuned``."""
    results = f"{split}_tuned"

    def with_tuned_fingerprints(sources: Sequence[str]) -> list[str]:
        return [f"{results}.{name}" if name == "fingerprints" else name for name in sources]

    sources, field_sources, compound_sources = map(
        with_tuned_fingerprints, (model.sources, model.field_sources, model.compound_sources)
    )
    return sum(
        [
            training.create_pipeline(
                split, model.name, sources, results, f"{results}.settings", pretrains=model.pretrains
            ),
            embedding.create_pipeline(results, model.name, field_sources, compound_sources),
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
    """Make the pipelines of an environment, by name.

    Parameters
    ----------
    configuration
        Configuration loader of the environment, with ``globals`` and ``parameters``. None: the files of ``conf/base``
        are read. There are no pipelines if they do not exist.

    Raises
    ------
    ValueError
        If a split, a model, its kind, its view or its encoder is unknown, or if a part of a fusion is no earlier model
        of the study.
    """
    if configuration is None and not (configuration := _base_configuration()):
        return {}
    environment, parameters = configuration["globals"], configuration["parameters"]
    splits = environment["splits"]
    for split in splits:
        find_split(split)  # raises if the split is unknown
    entries = parameters["models"]
    models = study_models(environment["models"], entries)
    images = environment.get("images", True)
    by_split = {split: split_pipelines(split, models, images) for split in splits}

    shared = {
        "ingestion": ingestion.create_pipeline() if images else ingestion.create_table_pipeline(),
        # Without measure_profiles, field_profiles is a table of the user, which must not be overwritten.
        "profiles": profiles.create_pipeline() if images and environment["measure_profiles"] else Pipeline([]),
        "featurization": featurization.create_pipeline() + reporting.create_summary_pipeline(),
        "reporting": reporting.create_pipeline(splits, images),
    }
    steps = {
        name: sum((by_split[split].get(name, Pipeline([])) for split in splits), shared.get(name, Pipeline([])))
        for name in dict.fromkeys([*shared, *next(iter(by_split.values()))])
    }
    study = sum(steps.values(), Pipeline([]))
    simulated = simulation.create_pipeline()
    first, *others = models
    imports = [import_checkpoint.create_pipeline(split, first.name) for split in splits if first.kind == CONTRASTIVE]
    imports += [_training_pipeline(split, model) for split in splits for model in others]
    tuned = Model.configured(_tuned_model(parameters, first.name), entries)
    tuned_splits = splits if tuned.kind == CONTRASTIVE else []  # no other kind is trained in epochs
    searches = [tuning.create_pipeline(split, tuned.name, tuned.sources, tuned.pretrains) for split in tuned_splits]
    return {
        "__default__": simulated + study if environment["simulate"] else study,
        "study": study,
        "simulation": simulated,
        **steps,
        "import_checkpoint": sum(imports, Pipeline([])),
        "data_report": data_report.create_pipeline(splits[0], first.name, images),
        "profile_moa": profile_moa.create_pipeline(),
        "seeds": seeds.create_pipeline(),
        "tuning": sum(searches, Pipeline([])),
        "tune_and_train": sum((tuned_pipeline(split, tuned) for split in tuned_splits), sum(searches, Pipeline([]))),
        **{split: sum(pipelines.values(), Pipeline([])) for split, pipelines in by_split.items()},
        "index": sum((index.create_pipeline(split, models, images) for split in splits), Pipeline([])),
        "structure_probing": structure_probing.create_pipeline(_structure_split(splits)),
        "inspect": inspect.create_pipeline(images, first.name if first.sees_images else "", splits[0]),
        "compare": _comparison(parameters, splits),
    }


def _structure_split(splits: Sequence[str]) -> str:
    """Split on which structures are probed: by scaffold if the environment has it, otherwise its first split."""
    return "scaffold" if "scaffold" in splits else splits[0]


def _comparison(parameters: Mapping[str, Any], splits: Sequence[str]) -> Pipeline:
    """Pipeline that compares the models of the chosen list. It is empty if the list is unknown.

    The validation of the parameters reports an unknown list.
    """
    name = _comparison_name(parameters)
    if not name:
        return Pipeline([])
    chosen = parameters["compare"]["lists"][parameters["compare"]["chosen"]]
    entries = compared_entries(chosen["models"], parameters["models"])
    sources = dict.fromkeys(source for key in entries for source in Model.configured(key, entries).sources)
    by_split = [compare.create_split_pipeline(split, name, tuple(sources)) for split in splits]
    return sum(by_split, compare.create_joint_pipeline(splits, name))


def _comparison_name(parameters: Mapping[str, Any]) -> str:
    """Name of the chosen comparison in the names of its results; empty if there is no such list.

    A comparison on validation data has another name, so that it replaces no other one.
    """
    group = parameters.get("compare", {})
    if group.get("chosen") not in group.get("lists", {}):
        return ""
    fold = parameters.get("retrieval", {}).get("fold", "test")
    return group["chosen"] if fold == "test" else f"{group['chosen']}_{fold}"


def _tuned_model(parameters: Mapping[str, Any], default: str) -> str:
    """Name of the model that the chosen search space tunes, or ``default``.

    An unknown space gives ``default``, because the validation of the parameters reports it.
    """
    tuning = parameters.get("tuning", {})
    return tuning.get("spaces", {}).get(tuning.get("space"), {}).get("tunes", default)


def _base_configuration() -> dict[str, dict[str, Any]]:
    """``globals`` and ``parameters`` of ``conf/base``, without resolving ``${...}``; empty if the files do not exist.

    The files are read without a configuration loader, because a second loader would replace the resolvers of the
    session's loader.
    """
    folder = (find_kedro_project(Path.cwd()) or Path.cwd()) / "conf" / "base"
    files = {key: sorted(folder.glob(f"{key}*.yml")) for key in ("globals", "parameters")}
    if not all(files.values()):
        return {}
    return {
        key: {name: value for path in paths for name, value in (yaml.safe_load(path.read_text()) or {}).items()}
        for key, paths in files.items()
    }
