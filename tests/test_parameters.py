"""Every parameter group reaches a node as a model that forbids unknown keys, and every environment's values fit it."""

from dataclasses import is_dataclass
from pathlib import Path
from typing import get_type_hints

import pydantic
import pytest
import yaml
from kedro.config import OmegaConfigLoader
from pydantic import BaseModel, TypeAdapter

from cloome_kedro.parameters import IngestionParameters, SplitParameters, TrainingParameters, ZeroShotParameters
from cloome_kedro.pipeline_registry import SPLITS, register_pipelines
from cloome_kedro.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).parents[1]


def parameters(env: str) -> dict:
    return OmegaConfigLoader(str(ROOT / "conf"), env=env, **CONFIG_LOADER_ARGS)["parameters"]


def annotated_parameters() -> dict[str, set]:
    """Parameter name -> the types that nodes expect of it."""
    found: dict[str, set] = {}
    for pipeline in register_pipelines(splits=SPLITS).values():
        for node in pipeline.nodes:
            func = node.func
            while hasattr(func, "func"):  # functools.partial
                func = func.func
            hints = get_type_hints(func)
            names = list(hints.items())
            code = func.__code__
            arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            free = [name for name in arguments if name not in (getattr(node.func, "keywords", None) or {})]
            inputs = node._inputs if isinstance(node._inputs, list) else [node._inputs]
            if isinstance(node._inputs, dict):
                pairs = [(argument, dataset) for argument, dataset in node._inputs.items()]
            else:
                pairs = list(zip(free, inputs, strict=False))
            for argument, dataset in pairs:
                if isinstance(dataset, str) and dataset.startswith("params:"):
                    found.setdefault(dataset.removeprefix("params:"), set()).add(dict(names).get(argument))
    return found


def test_every_parameter_group_reaches_a_model():
    found = annotated_parameters()
    assert set(parameters("base")) == set(found)
    for name, kinds in found.items():
        for kind in kinds:
            assert kind is int if name == "seed" else issubclass(kind, BaseModel), (name, kind)


def models(kind) -> set:
    """All models and dataclasses inside a model's fields, itself included."""
    inside = {kind}
    hints = get_type_hints(kind)
    for hint in hints.values():
        for part in (hint, *getattr(hint, "__args__", ())):
            if isinstance(part, type) and (is_dataclass(part) or issubclass(part, BaseModel)):
                inside |= models(part)
    return inside


def test_every_model_forbids_unknown_keys():
    groups = set().union(*annotated_parameters().values()) - {int}
    for kind in set().union(*map(models, groups)):
        with pytest.raises(pydantic.ValidationError, match=r"[Ee]xtra|[Uu]nexpected"):
            TypeAdapter(kind).validate_python({"misspelt_key": 1})


@pytest.mark.parametrize("env", ["base", "test", "paper", "jump_example", "jump_moa"])
def test_every_environment_fits_the_models(env, monkeypatch):
    monkeypatch.setenv("CLOOME_DATA", "/data")
    values = parameters(env)
    for name, kinds in annotated_parameters().items():
        for kind in kinds:
            TypeAdapter(kind).validate_python(values[name])


def test_an_environment_changes_single_parameters_only():
    assert (
        parameters("test")["training"]["fit"]["learning_rate"] == parameters("base")["training"]["fit"]["learning_rate"]
    )


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
        group = {"ingestion": {"screen": "s"} if value is None else {"intensity": value}}
        (tmp_path / name / "parameters.yml").write_text(yaml.safe_dump(group))
    given = {"ingestion": {"intensity": run}} if run else {}
    loader = OmegaConfigLoader(str(tmp_path), env="mine", runtime_params=given, **CONFIG_LOADER_ARGS)
    source = parameters("base")["ingestion"]["sources"][0]
    ingestion = IngestionParameters(**{"screen": "s", "sources": [source], **loader["parameters"]["ingestion"]})
    assert (ingestion.intensity.outlier_percent, ingestion.intensity.scale) == expected
    stored = ingestion.model_dump(mode="json", include={"outlier_percent", "scale"})
    assert stored == dict(zip(("outlier_percent", "scale"), expected, strict=True)), "what a checkpoint keeps"


def test_intensities_that_say_too_little_are_refused():
    source = parameters("base")["ingestion"]["sources"][0]
    with pytest.raises(pydantic.ValidationError, match="published_training, published_inference, or give"):
        IngestionParameters(screen="mine", sources=[source], intensity="published")
    with pytest.raises(pydantic.ValidationError, match=r"intensity\.scale"):
        IngestionParameters(screen="mine", sources=[source], intensity={"outlier_percent": 0.1})
    assert IngestionParameters(screen="mine", sources=[source]).outlier_percent == 0.0028


def test_what_is_there_twice_counts_once():
    exclude = [[], ["compound", "plate"], ["plate", "compound"], ["well", "well"], ["well"]]
    zero_shot = ZeroShotParameters(exclude=exclude, top_k=[5, 1, 5])
    assert zero_shot.exclude == [[], ["plate", "compound"], ["well"]]
    assert zero_shot.top_k == [1, 5]
    with pytest.raises(pydantic.ValidationError, match="top_k"):
        ZeroShotParameters(top_k=[])


def test_errors_name_the_key():
    with pytest.raises(pydantic.ValidationError, match="learning_rat"):
        TrainingParameters.model_validate(parameters("base")["training"] | {"fit": {"learning_rat": 1}})
    with pytest.raises(pydantic.ValidationError, match="must be 1"):
        SplitParameters(train=0.5, validation=0.1, test=0.1)
    with pytest.raises(pydantic.ValidationError, match="sources"):
        IngestionParameters(screen="mine", sources=[])
    source = parameters("base")["ingestion"]["sources"][0]
    with pytest.raises(pydantic.ValidationError, match="the name virtual is there twice"):
        IngestionParameters(screen="mine", sources=[source, source])
    with pytest.raises(pydantic.ValidationError, match="size"):
        IngestionParameters(screen="mine", sources=[source], size=(0, 64))
