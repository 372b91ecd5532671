"""Every parameter group reaches a node as a model that forbids unknown keys, and every environment's values fit it."""

import dataclasses
import inspect
from typing import get_args, get_type_hints

import pydantic
import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.validation.type_extractor import TypeExtractor
from pydantic import BaseModel, TypeAdapter

from cloome_kedro.parameters import (
    IngestionParameters,
    ModelParameters,
    SplitParameters,
    StudyParameters,
    ZeroShotParameters,
)
from cloome_kedro.parameters.base import Named
from cloome_kedro.parameters.model import MODEL_KINDS, kind_of
from cloome_kedro.settings import CONFIG_LOADER_ARGS
from environments import ENVIRONMENTS, WITHOUT_DATA, configured, pipelines_of


def annotated_parameters(env: str = "base") -> dict[str, set]:
    """Name of a parameter group, such as ``models.cloome`` -> the types that nodes expect of it."""
    expected: dict[str, set] = {}
    for pipeline in pipelines_of(env).values():
        for node in pipeline.nodes:
            hints = get_type_hints(inspect.unwrap(node.func))
            for argument, dataset in node._inputs.items():
                if dataset.startswith("params:"):
                    expected.setdefault(dataset.removeprefix("params:"), set()).add(hints.get(argument))
    return expected


def value_of(parameters: dict, name: str):
    """A group of the configuration by its dotted name."""
    for part in name.split("."):
        parameters = parameters[part]
    return parameters


@pytest.mark.parametrize("env", WITHOUT_DATA)
def test_every_parameter_group_reaches_a_model(env):
    expected = annotated_parameters(env)
    groups = {name for name in configured("parameters", env) if not name.startswith("_")}
    # tables of screens without images; the cluster, which a hook chooses, since it has no effect on results
    unused = {"profile_tables", "parallel"}
    if env == "profile_model":
        unused.add("corruption")  # there are no images to corrupt
    assert groups - unused == {name.partition(".")[0] for name in expected}
    for name, kinds in expected.items():
        (kind,) = kinds
        assert kind is int if name == "seed" else issubclass(kind, BaseModel), (name, kind)


@pytest.mark.parametrize("env", WITHOUT_DATA)
def test_kedro_finds_the_types_itself(env):
    """It validates what it finds; ``seed`` alone is a number."""
    found = TypeExtractor(pipelines_of(env)).extract_types_from_pipelines()
    expected = {name: kind for name, (kind,) in annotated_parameters(env).items() if name != "seed"}
    assert found == expected
    models = {name.partition(".")[2] for name, kind in found.items() if kind is ModelParameters}
    entries = configured("parameters", env)["models"]
    assert models == {name for name in configured("globals", env)["models"] if kind_of(entries[name]) == "contrastive"}


def models_inside(kind) -> set:
    """All models and dataclasses inside a model's fields, itself included; of a named entry all that it may be."""
    inside = {kind}
    for hint in get_type_hints(kind, include_extras=True).values():
        parts = [hint, *get_args(hint)]
        for part in [*parts, *(inner for outer in parts for inner in get_args(outer))]:
            if isinstance(part, Named):
                registry = part.registry()
                inside |= {registry.settings(registry[name]) for name in registry}
            elif isinstance(part, type) and (dataclasses.is_dataclass(part) or issubclass(part, BaseModel)):
                inside |= models_inside(part)
    return inside


def test_every_model_forbids_unknown_keys():
    groups = set().union(*annotated_parameters().values()) - {int}
    kinds = set().union(*map(models_inside, groups))
    names = {kind.__name__ for kind in kinds}
    assert {"Storage", "Platemap", "FitConfig", "ImageSettings", "ResNet", "Identity", "InfoLOOB"} <= names
    assert {"SearchSpace", "SearchConfig", "Dimension", "SideParameters", "ScreenConfig", "ProfileColumns"} <= names
    for kind in kinds:
        with pytest.raises(pydantic.ValidationError, match=r"[Ee]xtra|[Uu]nexpected"):
            TypeAdapter(kind).validate_python({"misspelt_key": 1})


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_environment_fits_the_models(env, monkeypatch):
    monkeypatch.setenv("CLOOME_DATA", "/data")
    values = configured("parameters", env)
    for name, kinds in annotated_parameters(env).items():
        for kind in kinds:
            TypeAdapter(kind).validate_python(value_of(values, name))
    for name in values["models"]:
        # also those that the study does not run
        MODEL_KINDS[kind_of(values["models"][name])].model_validate(values["models"][name])


def test_an_environment_changes_single_parameters_only():
    base, test = (configured("parameters", env)["models"]["cloome"] for env in ("base", "test"))
    assert test["fit"]["learning_rate"] == base["fit"]["learning_rate"]
    assert test["field"]["encoder"] == base["field"]["encoder"] | {"width": 8}


def test_a_setting_of_another_encoder_can_be_taken_back(tmp_path):
    """Environments merge: null counts as not given, so that the settings of what is replaced can go."""
    for name, encoder in (
        ("base", {"name": "mlp", "layers": 1, "width": 8}),
        ("mine", {"name": "linear", "width": None}),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "parameters.yml").write_text(yaml.safe_dump({"compound": {"encoder": encoder}}))
    loader = OmegaConfigLoader(str(tmp_path), env="mine", **CONFIG_LOADER_ARGS)
    merged = loader["parameters"]["compound"]["encoder"]
    model = configured("parameters")["models"]["cloome"]
    with pytest.raises(
        pydantic.ValidationError, match="encoder linear: there is no setting layers; its settings are: bias, start"
    ):
        ModelParameters.model_validate({**model, "compound": {"view": "morgan", "encoder": merged}})
    taken_back = {"view": "morgan", "encoder": merged | {"layers": None}}
    assert type(ModelParameters.model_validate({**model, "compound": taken_back}).compound.encoder).__name__ == "Linear"


TRAINING, INFERENCE, OWN = "published_training", "published_inference", {"outlier_percent": 0.3, "scale": 256}


@pytest.mark.parametrize(
    ("base", "env", "run", "expected"),
    [
        (OWN, None, None, (0.3, 256)),
        (OWN, TRAINING, None, (0.0028, 256)),
        (TRAINING, INFERENCE, None, (0.01, 255)),
        (INFERENCE, OWN, None, (0.3, 256)),
        (OWN, {"outlier_percent": 1}, None, (1, 256)),
        (OWN, TRAINING, INFERENCE, (0.01, 255)),
        (OWN, TRAINING, OWN, (0.3, 256)),
    ],
)
def test_intensities_by_name_or_number_survive_the_merge_of_environments(tmp_path, base, env, run, expected):
    """Values of conf/base, of the environment and of ``--params``; the last that is given counts."""
    for name, value in (("base", base), ("mine", env)):
        (tmp_path / name).mkdir()
        storage = {"scope": "field"} if value is None else {"intensity": value}
        (tmp_path / name / "parameters.yml").write_text(yaml.safe_dump({"ingestion": {"storage": storage}}))
    given = {"ingestion": {"storage": {"intensity": run}}} if run else {}
    loader = OmegaConfigLoader(str(tmp_path), env="mine", runtime_params=given, **CONFIG_LOADER_ARGS)
    group = {"screen": "s", "sources": [source()], **loader["parameters"]["ingestion"]}
    ingestion = IngestionParameters.model_validate(group)
    numbers = dict(zip(("outlier_percent", "scale"), expected, strict=True))
    assert dataclasses.asdict(ingestion.storage.intensity_values) == numbers
    assert dataclasses.asdict(ingestion.storage)["intensity"] == numbers, "what a checkpoint keeps"
    assert ingestion.model_dump(mode="json")["storage"]["intensity"] == numbers


def source() -> dict:
    return configured("parameters")["ingestion"]["sources"][0]


def ingestion(**storage) -> IngestionParameters:
    return IngestionParameters.model_validate({"screen": "mine", "sources": [source()], "storage": storage})


def test_intensities_that_say_too_little_are_refused():
    with pytest.raises(pydantic.ValidationError, match="'published_training' or 'published_inference'"):
        ingestion(intensity="published")
    with pytest.raises(pydantic.ValidationError, match=r"storage\.intensity\.Intensity\.scale"):
        ingestion(intensity={"outlier_percent": 0.1})
    assert ingestion().storage.intensity_values.outlier_percent == 0.0028


def test_what_is_there_twice_counts_once():
    exclude = [[], ["compound", "plate"], ["plate", "compound"], ["well", "well"], ["well"]]
    zero_shot = ZeroShotParameters(exclude=exclude, top_k=[5, 1, 5])
    assert zero_shot.exclude == [[], ["plate", "compound"], ["well"]]
    assert zero_shot.top_k == [1, 5]
    with pytest.raises(pydantic.ValidationError, match="top_k"):
        ZeroShotParameters(top_k=[])


def test_errors_name_the_key():
    model = configured("parameters")["models"]["cloome"]
    with pytest.raises(pydantic.ValidationError, match="learning_rat"):
        ModelParameters.model_validate(model | {"fit": {"learning_rat": 1}})
    with pytest.raises(pydantic.ValidationError, match="must be 1"):
        SplitParameters(train=0.5, validation=0.1, test=0.1)
    with pytest.raises(pydantic.ValidationError, match="sources"):
        IngestionParameters(screen="mine", sources=[], storage={})
    with pytest.raises(pydantic.ValidationError, match="the name virtual occurs twice"):
        IngestionParameters(screen="mine", sources=[source(), source()], storage={})
    with pytest.raises(pydantic.ValidationError, match="size must be at least 1 pixel"):
        ingestion(size=(0, 64))


def test_the_study_says_what_it_is_of():
    study = StudyParameters.model_validate(configured("parameters", "profile_model")["study"])
    assert study.labels == ["Profile model", "Bilinear"]
    assert study.screen == "virtual_screen"
    assert study.note == "simulated data"
    assert StudyParameters(screen="s", simulated=False, models={"a": "A"}).note == ""
    with pytest.raises(pydantic.ValidationError, match="models"):
        StudyParameters(screen="s", simulated=False, models={})


def test_group_and_globals_name_one_screen():
    for env in WITHOUT_DATA:
        screen, parameters = configured("globals", env)["screen"], configured("parameters", env)
        assert parameters["study"]["screen"] == parameters["ingestion"]["screen"] == screen
