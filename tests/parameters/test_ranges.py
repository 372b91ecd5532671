"""Every numeric parameter has a range, and it is checked before a run."""

import math
from copy import deepcopy
from typing import get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from cloome_kedro.learning.encoders import ENCODERS
from cloome_kedro.learning.objectives import OBJECTIVES
from cloome_kedro.learning.views import VIEWS
from cloome_kedro.parameters import EmbeddingParameters, IngestionParameters, ModelParameters, RetrievalParameters
from cloome_kedro.parameters.base import Jobs, Seed, named, settings_of
from cloome_kedro.parameters.checks import GROUPS
from environments import configured

KINDS = {**GROUPS, "models.cloome": ModelParameters}


def kinds_in(hint) -> set:
    return {hint}.union(*(kinds_in(part) for part in get_args(hint)))


def numbers(kind, prefix):
    """Dotted names of the settings that are one number."""
    for name, hint in settings_of(kind, prefix):
        if kinds_in(hint) & {int, float} and not kinds_in(hint) & {list, tuple, dict}:
            yield name


NUMBERS = [
    name for group, kind in KINDS.items() for name in numbers(kind, f"{group}.")
    if not name.startswith(("models.cloome.field.", "models.cloome.compound.", "models.cloome.objective."))
]  # fmt: skip


def group_of(name):
    group = "models.cloome" if name.startswith("models.") else name.partition(".")[0]
    values = configured("parameters")
    for part in group.split("."):
        values = values[part]
    return KINDS[group], deepcopy(values), name.removeprefix(f"{group}.").split(".")


def validated(name, value):
    kind, values, (*path, last) = group_of(name)
    group = values
    for part in path:
        group = group.setdefault(part, {}) if isinstance(group, dict) else group[0]
    group[last] = value
    return TypeAdapter(kind).validate_python(values)


def test_the_walk_finds_the_numbers():
    assert len(NUMBERS) > 50
    assert {"simulation.n_jobs", "splits.seed", "models.cloome.fit.learning_rate", "retrieval.candidates"} <= set(
        NUMBERS
    )
    assert {"profiles.normalise.clip", "ingestion.storage.crop", "simulation.screen.seed"} <= set(NUMBERS)


WRONG = [
    (name, value)
    for name in NUMBERS
    if not name.startswith("tuning.spaces.")  # which have tests of their own
    for value in (math.nan, math.inf, -math.inf, -(10**9), "many")
    # -2 processes are all cores but one, and a threshold of a measurement can be any number
    if not (name.endswith(("n_jobs", "labels.table.threshold")) and value == -(10**9))
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_is_no_sensible_number_is_refused(name, value):
    with pytest.raises(ValidationError):
        validated(name, value)


#: (entry, setting): settings of views, encoders and objectives that may be any finite number
MAY_BE_NEGATIVE = {("siglip", "initial_bias"), ("s2l", "initial_bias")}


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, "many"])
@pytest.mark.parametrize("registry", [VIEWS, ENCODERS, OBJECTIVES], ids=lambda registry: registry.kind)
def test_numbers_of_views_encoders_and_objectives_are_checked(registry, value):
    (read, *_) = named(lambda: registry)
    for entry in registry:
        for name in numbers(registry.settings(registry[entry]), ""):
            if value == -1 and (entry, name) in MAY_BE_NEGATIVE:
                read.func({"name": entry, name: value})
                continue
            with pytest.raises(ValueError, match=name):
                read.func({"name": entry, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((f"{group}.n_jobs", 0) for group in ("simulation", "ingestion", "profiles")),
        *(("ingestion.storage.illumination", {"source": "estimate", name: 0}) for name in ("width", "fields")),
        ("ingestion.storage.illumination", {"source": "estimate", "seed": -1}),
        ("ingestion.storage.illumination", {"source": "estimate", "width": math.nan}),
        ("ingestion.storage.illumination", {"source": "estimate", "files": "{channel}.npy"}),
        ("ingestion.storage.illumination", {"source": "provided", "width": 0.2}),
        ("ingestion.storage.illumination", {"source": "guessed"}),
        *((name, 2**32) for name in ("splits.seed", "simulation.screen.seed", "tuning.search.seed")),
        *((name, 1.5) for name in ("splits.seed", "profiles.select.seed", "retrieval.draws", "fingerprints.bits")),
        ("splits.seed", True),
        ("retrieval.candidates", 1),
        ("retrieval.top_k", [0]),
        ("retrieval.confidence", 1),
        ("fingerprints.bits", 1001),
        ("models.cloome.fit.momentum", 1),
        ("models.cloome.fit.accelerator", "gpuu"),
        ("models.cloome.field.view", {"name": "images", "resized_crop_scale": [0.5, 0.2]}),
        ("models.cloome.field.view", {"name": "images", "resized_crop_scale": [0, 1]}),
        ("models.cloome.field.view", {"name": "images", "resized_crop_scale": [0.5, 1.5]}),
        ("models.cloome.field.view", {"name": "images", "cutout": 1}),
        ("models.cloome.field.view", {"name": "images", "intensity_jitter": -0.1}),
        ("models.cloome.field.view", {"name": "images", "normalisation": "control"}),
        ("embedding.accelerator", "tpuu"),
        ("ingestion.storage.size", [0, 64]),
        ("probing.c_grid", [0.1, math.nan]),
        ("probing.resamples", 10),
        ("zero_shot.draws", 0),
    ],
)
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(ValidationError):
        validated(name, value)


def test_a_size_that_is_larger_than_the_crop_is_refused_before_images_are_read():
    values = configured("parameters")["ingestion"]
    with pytest.raises(ValidationError, match=r"size \(64, 64\) is larger than crop 32"):
        IngestionParameters.model_validate(values | {"storage": values["storage"] | {"crop": 32}})


def test_a_pool_of_the_match_alone_is_refused():
    with pytest.raises(ValidationError, match="sampling_rate"):
        RetrievalParameters(candidates=None, sampling_rate=1)


@pytest.mark.parametrize("jobs", [1, 4, -1, -2])
def test_numbers_of_processes(jobs):
    assert TypeAdapter(Jobs).validate_python(jobs) == jobs


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_seeds(seed):
    assert TypeAdapter(Seed).validate_python(seed) == seed


@pytest.mark.parametrize("accelerator", ["auto", "cpu", "gpu", "cuda", "mps"])
def test_accelerators(accelerator):
    assert EmbeddingParameters(accelerator=accelerator).accelerator == accelerator
