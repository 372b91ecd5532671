"""The project's pipelines.

- ``__default__``: the virtual screen and its study
- ``study``: everything after the raw screen
- ``simulation``, ``ingestion``, ``profiles``, ``featurization``, ``training``, ``bilinear``, ``embedding``,
  ``retrieval``, ``zero_shot``, ``probing``, ``corruption``, ``reporting``: one capability, for every split
  of the environment
- ``import_checkpoint``: a published checkpoint in place of ``training``, for every split; part of no other pipeline
- ``profile_moa``: zero-shot mechanisms from tables of profiles, without images; part of no other pipeline
- ``tuning``: hyperparameter search, for every split of the environment; ``tune_and_train``: the search, then training
  with its best settings and evaluation of that model, beside the default one; both are part of no other pipeline
- ``seeds``: mean and spread of every metric over the seeds that were run; part of no other pipeline
- ``random``, ``scaffold``, ``provided``: what belongs to one split
"""

from collections.abc import Callable, Sequence

from kedro.pipeline import Pipeline

from cloome_kedro.pipelines import (
    bilinear,
    corruption,
    embedding,
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

SPLITS = ("random", "scaffold", "provided")

#: what the pipelines of a split share with those of the other splits
SHARED = {
    "assay_labels",
    "cell_counts",
    "compound_keys",
    "compounds",
    "field_profiles",
    "fields",
    "fingerprints",
    "pairs",
    "plate_store",
    "provided_folds",
    "published_checkpoint",
    "truth",
}

#: pipelines that exist once a split
SPLIT_PIPELINES: dict[str, Callable[[str], Pipeline]] = {
    "featurization": featurization.create_split_pipeline,
    "training": training.create_pipeline,
    "bilinear": bilinear.create_pipeline,
    "embedding": embedding.create_pipeline,
    "retrieval": retrieval.create_pipeline,
    "zero_shot": zero_shot.create_pipeline,
    "probing": probing.create_pipeline,
    "corruption": corruption.create_pipeline,
    "reporting": reporting.create_section_pipeline,
}


def in_split(pipeline: Pipeline, split: str) -> Pipeline:
    """Put a pipeline into a split's namespace; shared datasets and parameters keep their names."""
    inputs = pipeline.inputs()
    return Pipeline(
        pipeline,
        namespace=split,
        inputs=inputs & SHARED,
        parameters={name for name in inputs if name.startswith("params:")},
    )


def with_best_settings(split: str, tunes: str) -> Pipeline:
    """Training with the best settings of a split's search, and evaluation, all in the namespace ``<split>.tuned``."""
    name, settings = f"{split}.tuned", ("settings", "fingerprint_settings")
    if tunes == "training":
        trained = training.create_pipeline(name, *settings) + embedding.create_pipeline(name, settings[1])
        evaluated = retrieval.create_pipeline(name, baseline=False)
        evaluated += zero_shot.create_pipeline(name) + probing.create_pipeline(name)
    else:
        trained, evaluated = bilinear.create_pipeline(name, *settings), retrieval.create_pipeline(name)
    pipeline = tuning.create_settings_pipeline(tunes) + trained + evaluated
    inputs = {dataset for dataset in pipeline.inputs() if not dataset.startswith("params:")}
    inputs -= {"fit_state", "bilinear_state"}  # its own; the rest comes from the screen or the split
    return Pipeline(
        pipeline,
        namespace=name,
        inputs={dataset: dataset if dataset in SHARED else f"{split}.{dataset}" for dataset in inputs},
        parameters={dataset for dataset in pipeline.inputs() if dataset.startswith("params:")},
    )


def register_pipelines(
    splits: Sequence[str] = ("random", "scaffold"),
    simulate: bool = True,
    measure_profiles: bool = True,
    tunes: str = "training",
) -> dict[str, Pipeline]:
    """Register the pipelines.

    Parameters
    ----------
    splits
        Splits that the study runs over; an environment sets them in its ``globals.yml``.
    simulate
        Whether ``__default__`` starts with the virtual screen.
    measure_profiles
        Whether ``field_profiles`` is made here. Where it is a table of the user's, nothing must write to it, and
        ``profiles`` has no nodes.
    tunes
        The pipeline whose settings are searched, ``training`` or ``bilinear``: that of the chosen search space.

    Raises
    ------
    ValueError
        If a split is unknown.
    """
    if unknown := set(splits) - set(SPLITS):
        raise ValueError(f"globals.yml: unknown splits {sorted(unknown)}; there are {', '.join(SPLITS)}")
    shared = {
        "ingestion": ingestion.create_pipeline(),
        "profiles": profiles.create_pipeline() if measure_profiles else Pipeline([]),
        "featurization": featurization.create_pipeline(),
        "reporting": reporting.create_pipeline(splits),
    }
    by_split = {
        split: {name: in_split(create(split), split) for name, create in SPLIT_PIPELINES.items()} for split in SPLITS
    }
    capabilities = {
        name: sum(
            (by_split[split][name] for split in splits if name in SPLIT_PIPELINES), shared.get(name, Pipeline([]))
        )
        for name in {**shared, **SPLIT_PIPELINES}
    }
    study = sum(capabilities.values(), Pipeline([]))
    simulated = simulation.create_pipeline()
    imported = sum((in_split(import_checkpoint.create_pipeline(split), split) for split in splits), Pipeline([]))
    searched = sum((in_split(tuning.create_pipeline(split, tunes), split) for split in splits), Pipeline([]))
    return {
        "__default__": simulated + study if simulate else study,
        "study": study,
        "simulation": simulated,
        **capabilities,
        "import_checkpoint": imported,
        "profile_moa": profile_moa.create_pipeline(),
        "seeds": seeds.create_pipeline(),
        "tuning": searched,
        "tune_and_train": sum((with_best_settings(split, tunes) for split in splits), searched),
        **{split: sum(pipelines.values(), Pipeline([])) for split, pipelines in by_split.items()},
    }
